package caddymodule

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/parsescale/parsescale/policies/cache"
)

// TestDatabaseOnAServer: others may write to it, so nothing is cached unless the site says so, and then for seconds; or the
// operator says that nobody does.
func TestDatabaseOnAServer(t *testing.T) {
	for _, test := range []struct {
		uri       string
		exclusive bool
		want      cache.Level
	}{
		{"sqlite://data/parse.db", false, cache.Exact},
		{"postgres://parse:secret@db:5432/parse", false, cache.TTL},
		{"postgresql://db/parse?sslmode=disable", false, cache.TTL},
		{"postgres://parse:secret@db:5432/parse", true, cache.Exact},
	} {
		uri, want := test.uri, test.want
		s, err := newSettings("app", &AppConfig{Workers: &Workers{DatabaseURI: uri, Exclusive: test.exclusive}}, &Handler{Mount: "/parse"})
		if err != nil {
			t.Fatal(err)
		}
		g, err := newGateway(s)
		if err != nil {
			t.Fatal(err)
		}
		rt, err := (&Handler{Mount: "/parse"}).route(g)
		if err != nil {
			t.Fatal(err)
		}
		if s.level != want || rt.caching != (want == cache.Exact) {
			t.Errorf("%s: level %s, caching %v", uri, s.level, rt.caching)
		}
	}
	_, err := newSettings("app", &AppConfig{Workers: &Workers{Exclusive: true}}, &Handler{Mount: "/parse"})
	if err == nil || !strings.Contains(err.Error(), "exclusive is for a PostgreSQL database") {
		t.Errorf("exclusive with a file: %v", err)
	}
}

func TestGatewayURI(t *testing.T) {
	one, err := gatewayURI("postgres://parse:secret@db:5432/parse")
	if err != nil || !strings.HasPrefix(one, "sqlite://data/postgres-") || strings.Contains(one, "secret") {
		t.Errorf("%s, %v", one, err)
	}
	if same, _ := gatewayURI("postgres://parse:another@db:5432/parse"); same != one {
		t.Errorf("with another password it is %s, not %s", same, one)
	}
	if other, _ := gatewayURI("postgres://parse:secret@db:5432/shop"); other == one {
		t.Error("two databases share a folder")
	}
	for _, uri := range []string{"mongodb://db/parse", "mysql://db/parse", "parse.db", ""} {
		if got, err := gatewayURI(uri); err == nil {
			t.Errorf("%q: %s", uri, got)
		}
	}
}

// TestGatherWrites: only workers that share an SQLite file get their writes at one of them.
func TestGatherWrites(t *testing.T) {
	for _, test := range []struct {
		name    string
		workers *Workers
		gather  bool
	}{
		{"SQLite", &Workers{DatabaseURI: "sqlite://data/parse.db"}, true},
		{"PostgreSQL", &Workers{DatabaseURI: "postgres://parse@db/parse"}, false},
		{"upstreams", nil, false},
	} {
		if got := (&settings{workers: test.workers}).gatherWrites() > 0; got != test.gather {
			t.Errorf("%s: gathers writes: %v, want %v", test.name, got, test.gather)
		}
	}
}

// TestConsistency: several gateways need a database server, nobody else who writes there, and a Redis.
func TestConsistency(t *testing.T) {
	for _, test := range []struct {
		name    string
		workers Workers
		redis   string
		want    string
	}{
		{"an SQLite file", Workers{Consistency: "strict"}, "redis://r", "an SQLite file belongs to one gateway"},
		{"not exclusive", Workers{Consistency: "bounded", DatabaseURI: "postgres://db/parse"}, "redis://r", "consistency needs exclusive"},
		{"an unknown one", Workers{Consistency: "eventual", Exclusive: true, DatabaseURI: "postgres://db/parse"}, "redis://r", "bounded or strict"},
		{"without redis", Workers{Consistency: "strict", Exclusive: true, DatabaseURI: "postgres://db/parse"}, "", "consistency needs a Redis"},
		{"all is there", Workers{Consistency: "strict", Exclusive: true, DatabaseURI: "postgres://db/parse"}, "redis://r", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := &App{appState: &appState{}}
			if test.redis != "" {
				a.redis, a.redisKey = &sharedRedis{}, redisKey{url: test.redis}
			}
			s, err := newSettings("app", &AppConfig{Workers: &test.workers}, &Handler{Mount: "/parse"})
			if err == nil {
				err = a.share(s)
			}
			switch {
			case test.want == "" && err != nil:
				t.Fatal(err)
			case test.want == "" && s.identity().deployment != (deployment{"redis://r", "parsescale", "strict"}):
				t.Errorf("the deployment is %+v", s.identity().deployment)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestAddressesOfBundledWorkers: the addresses of files are those of a site, also of one that invokes its routes by name; where none can
// be told, as behind a Unix socket, workers write them by how the client came, and then hosts share no answers.
func TestAddressesOfBundledWorkers(t *testing.T) {
	for _, tt := range []struct {
		name, site, url string
	}{
		{"a site", ":9 {\nparse /parse/*\n}", "http://localhost:9/parse"},
		{"a route by name", "&(api) {\nparse /parse/*\n}\n:9 {\ninvoke api\n}", "http://localhost:9/parse"},
		{"a Unix socket", "http:// {\nbind unix//run/parse\nparse /parse/*\n}", ""},
	} {
		b, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte("{\nadmin off\nparse {\nworkers 1\n}\n}\n"+tt.site), map[string]any{"filename": "Caddyfile"})
		if err != nil {
			t.Fatal(err)
		}
		var config caddy.Config
		if err := json.Unmarshal(b, &config); err != nil {
			t.Fatal(err)
		}
		ctx, err := caddy.ProvisionContext(&config)
		if err != nil {
			t.Fatal(err)
		}
		p, err := ctx.App("parse")
		if err != nil {
			t.Fatal(err)
		}
		app := p.(*App)
		g, s := app.gateways[defaultApp], app.settings[defaultApp]
		s.defaultServerURL(app.urls(g))
		if got := strings.Trim(string(s.options["serverURL"]), `"`); got != tt.url {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.url)
		}
		h := app.handlers[0]
		for _, byHost := range []bool{false, true} {
			g.byHost.Store(byHost)
			one, two := httptest.NewRequest("GET", "http://one.example/", nil), httptest.NewRequest("GET", "http://two.example/", nil)
			if differ := h.seedFor(one) != h.seedFor(two); differ != byHost {
				t.Errorf("%s: hosts have keys of their own: %v, want %v", tt.name, differ, byHost)
			}
		}
		if err := app.Cleanup(); err != nil {
			t.Error(err)
		}
	}
}
