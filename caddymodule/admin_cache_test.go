package caddymodule

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// admin sends a request to the admin routes, decodes the answer into out and returns the status.
func admin(t *testing.T, method, path, body string, out any) (status int, text string) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for _, route := range (Admin{}).Routes() {
		if route.Pattern != r.URL.Path {
			continue
		}
		rec := httptest.NewRecorder()
		if err := route.Handler.ServeHTTP(rec, r); err != nil {
			var api caddy.APIError
			if !errors.As(err, &api) {
				t.Fatalf("%s %s: %v", method, path, err)
			}
			return api.HTTPStatus, api.Err.Error()
		}
		if out != nil {
			if err := json.Unmarshal(rec.Body.Bytes(), out); err != nil {
				t.Fatalf("%s %s: %v in %s", method, path, err, rec.Body)
			}
		}
		return rec.Code, rec.Body.String()
	}
	t.Fatalf("no route %s", path)
	return 0, ""
}

func TestHottestAndPurge(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, "cache {\nttl 5s\n}"))
	secret := "/parse/classes/A?where=" + url.QueryEscape(`{"name":"SECRET"}`)
	ask := func(cache string, calls int) {
		t.Helper()
		s.run(t, w, []step{{method: "GET", path: secret, cache: cache, calls: calls}})
	}
	ask("fwd=miss; stored", 1)
	ask("hit", 0)
	ask("hit", 0)
	var hot Hottest
	if status, text := admin(t, "GET", "/parse/cache/hottest", "", &hot); status != 200 || strings.Contains(text, "SECRET") {
		t.Fatalf("status %d: %s", status, text)
	}
	list := hot.Apps[w.addr()]
	if len(list) != 1 || list[0].Class != "A" || list[0].Where != "name ?" || list[0].Hits != 2 {
		t.Errorf("the hottest are %+v", hot)
	}

	var done Purged
	for _, c := range []struct {
		body    string
		entries int
	}{
		{`{"class":"B"}`, 0},
		{`{"class":"A","objectId":"o1"}`, 1},
	} {
		if status, text := admin(t, "POST", "/parse/cache/purge", c.body, &done); status != 200 || done.Entries < c.entries {
			t.Errorf("purge %s: status %d: %s, want %d entries", c.body, status, text, c.entries)
		}
	}
	ask("fwd=miss; stored", 1)
	if admin(t, "POST", "/parse/cache/purge", `{}`, &done); done.Entries != 1 {
		t.Errorf("purging everything dropped %d entries", done.Entries)
	}
	ask("fwd=miss; stored", 1)

	for _, c := range []struct {
		method, path, body string
		status             int
		text               string
	}{
		{"POST", "/parse/cache/hottest", "", 405, "use GET"},
		{"GET", "/parse/cache/purge", "", 405, "use POST"},
		{"GET", "/parse/cache/hottest?n=0", "", 400, "n must be between 1 and 1000"},
		{"GET", "/parse/cache/hottest?n=x", "", 400, "n must be between 1 and 1000"},
		{"GET", "/parse/cache/hottest?app=none", "", 404, `no app "none"`},
		{"POST", "/parse/cache/purge", `{"app":"none"}`, 404, `no app "none"`},
		{"POST", "/parse/cache/purge", `{"objectId":"o1"}`, 400, "needs its class"},
		{"POST", "/parse/cache/purge", `{"klass":"A"}`, 400, "unknown field"},
		{"POST", "/parse/cache/purge", ``, 400, "cannot read the body"},
		{"POST", "/parse/cache/purge", `{"class":"` + strings.Repeat("A", maxAdminBody) + `"}`, 400, "too large"},
		{"POST", "/parse/explain", `{"path":"parse"}`, 400, "must begin with a slash"},
		{"POST", "/parse/explain", `{"path":"/other"}`, 400, "no parse directive"},
	} {
		if status, text := admin(t, c.method, c.path, c.body, nil); status != c.status || !strings.Contains(text, c.text) {
			t.Errorf("%s %s %.60s: status %d: %s", c.method, c.path, c.body, status, text)
		}
	}
}

func TestExplain(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, "cache {\nttl 5s\n}"))
	s.run(t, w, []step{{method: "GET", path: "/parse/classes/A?where=" + url.QueryEscape(`{"n":1}`), cache: "fwd=miss; stored", calls: 1}})
	asApp := func(more string) string {
		return `{"headers":{"Host":"example.com","X-Parse-Application-Id":"app"` + more
	}
	for _, c := range []struct {
		name, question string
		check          func(e Explained) bool
	}{
		{"what is stored", asApp(`},"path":"/parse/classes/A?where={\"n\":1}"}`), func(e Explained) bool {
			return e.Operation == "find" && e.Class == "A" && e.Cached && e.Cache.Entry != nil && e.Level == "ttl" && e.Serving &&
				strings.Contains(strings.Join(e.Cache.DependsOn, "\n"), "A object o1") && e.Cost == 1
		}},
		{"the same by POST", asApp(`},"method":"POST","path":"/parse/classes/A","body":"{\"_method\":\"GET\",\"where\":{\"n\":1}}"}`), func(e Explained) bool {
			return e.Cached && e.Cache.Entry != nil
		}},
		{"what isn't", asApp(`},"path":"/parse/classes/A/o1"}`), func(e Explained) bool {
			return e.Operation == "get" && e.ObjectID == "o1" && e.Cached && e.Cache.Entry == nil
		}},
		{"with a session", asApp(`,"X-Parse-Session-Token":"r:SECRET"},"path":"/parse/classes/A"}`), func(e Explained) bool {
			return e.Cached && strings.Contains(e.Scope, "session")
		}},
		{"with the master key", asApp(`,"X-Parse-Master-Key":"SECRET"},"path":"/parse/classes/A"}`), func(e Explained) bool {
			return !e.Cached && strings.Contains(e.Why, "master key") && e.Cache == nil
		}},
		{"no-store", asApp(`,"Cache-Control":"no-store"},"path":"/parse/classes/A"}`), func(e Explained) bool { return !e.Cached && e.Why != "" }},
		{"a write", asApp(`},"method":"PUT","path":"/parse/classes/A/o1","body":"{}"}`), func(e Explained) bool {
			return e.Write && len(e.Writes) > 0 && e.Writes[0] == "A" && !e.Cached
		}},
	} {
		var e Explained
		status, text := admin(t, "POST", "/parse/explain", c.question, &e)
		if status != 200 || !c.check(e) || strings.Contains(text, "SECRET") {
			t.Errorf("%s: status %d: %s", c.name, status, text)
		}
	}
	if n := w.count(); n != 1 {
		t.Errorf("explaining asked a worker: %d requests", n)
	}
}

// TestExplainRoutes asks about routes that are composed: a cache before workers of others, and before those of an app.
func TestExplainRoutes(t *testing.T) {
	w := newRecordingWorker(t, results)
	ask := func(t *testing.T, header string) (e Explained) {
		t.Helper()
		if status, text := admin(t, "POST", "/parse/explain", `{"headers":{"X-Parse-Application-Id":"app","Host":"a.example"`+header+`},"path":"/parse/classes/A"}`, &e); status != 200 {
			t.Fatalf("status %d: %s", status, text)
		}
		return e
	}
	read := step{method: "GET", path: "http://a.example/parse/classes/A", cache: "stored", calls: 1}
	s := newSite(t, inFront(w, "parse_rate_limit {\ndefault 9/s\n}\nparse_cache {\nname mine\n}"))
	s.run(t, w, []step{read})
	if e := ask(t, ""); e.App != "mine" || e.Operation != "find" || !e.Cached || e.Level != "ttl" || !e.Serving || e.Cache.Entry == nil || len(e.Before) > 0 {
		t.Errorf("before others' workers: %+v", e)
	}
	if e := ask(t, `,"Cookie":"a=b"`); e.Cached || e.Why != "it has a Cookie" {
		t.Errorf("with a cookie: %+v", e)
	}
	s = newSite(t, "{\nadmin off\nparse {\napp shop {\nupstreams "+w.addr()+"\n}\n}\n}\n:9 {\nparse_cache\nreverse_proxy {\ndynamic parse_pool\ntransport parse\n}\n}")
	s.run(t, w, []step{read})
	if e := ask(t, ""); e.App != "shop" || e.Cached || e.Why != "the cache is off" || len(e.Before) != 1 || e.Before[0].App != defaultName || e.Before[0].Cache.Entry == nil {
		t.Errorf("before an app's workers: %+v", e)
	}
}

func TestMetrics(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, "cache {\nttl 5s\n}\nrate_limit {\ndefault 100/s\n}"))
	s.run(t, w, []step{
		{method: "GET", path: "/parse/classes/A", cache: "fwd=miss; stored", calls: 1},
		{method: "GET", path: "/parse/classes/A", cache: "hit"},
		{method: "GET", path: "/parse/classes/A", cache: "hit"},
		{method: "POST", path: "/parse/classes/A", body: `{}`, status: http.StatusCreated, cache: "fwd=method", calls: 1},
		{method: "GET", path: "/parse/classes/A", cache: "fwd=miss; stored", calls: 1}, // as it was
	})
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(metrics{activeApp.Load().appState}); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				if l.GetName() == "app" && l.GetValue() == w.addr() {
					continue
				}
				name += " " + l.GetValue()
			}
			switch {
			case m.Counter != nil:
				got[name] = m.Counter.GetValue()
			case m.Gauge != nil:
				got[name] = m.Gauge.GetValue()
			case m.Histogram != nil:
				got[name] = float64(m.Histogram.GetSampleCount())
			}
		}
	}
	for name, want := range map[string]float64{
		"parsescale_requests_total find hit 2xx":              2,
		"parsescale_requests_total find miss 2xx":             2,
		"parsescale_requests_total create bypass 2xx":         1,
		"parsescale_request_duration_seconds hit":             2,
		"parsescale_cache_hits_total":                         2,
		"parsescale_cache_level ttl":                          1,
		"parsescale_cache_serving":                            1,
		"parsescale_cache_dropped_total change":               1,
		"parsescale_cache_invalidations_total whole":          1,
		"parsescale_cache_invalidations_total where":          0,
		"parsescale_cache_refilled_total whole needless":      1,
		"parsescale_cache_refilled_total whole needed":        0,
		"parsescale_cache_matching_seconds":                   1,
		"parsescale_workers_available":                        1,
		"parsescale_worker_requests_total http://" + w.addr(): 3,
		"parsescale_worker_state up http://" + w.addr():       1,
		"parsescale_rate_limit_keys default app 100/s":        2, // the app, and the address before the app was known
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %v (%v), want %v", name, value, ok, want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}
