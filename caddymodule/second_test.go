package caddymodule

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/policies/cache/redisstore"
	"github.com/parsescale/parsescale/policies/request"
	"github.com/parsescale/parsescale/server/testservices"
)

// TestRedisOnNeedsConsistency: who shares answers without it learns in which line, and with a config in JSON why.
func TestRedisOnNeedsConsistency(t *testing.T) {
	const why = "cache has redis on, but that is for several gateways whose bundled workers have consistency bounded or strict"
	shared := "workers {\ndatabase_uri postgres://parse@db/parse\nexclusive\nconsistency bounded\n}\n"
	site := func(global, setting string) string {
		return "{\nparse {\nredis redis://r:6379\n" + global + "}\n}\n:9 {\nparse {\nrate_limit {\ndefault 1/s\nredis exact\n}\n" + setting + "cache {\nredis on\n}\n}\n}"
	}
	for _, tt := range []struct{ name, caddyfile, want string }{
		{"upstreams", ":9 {\n\tparse 10.0.0.1:1337 {\n\t\tcache {\n\t\t\tredis on\n\t\t}\n\t}\n}", why + ", at Caddyfile:4"},
		{"workers without it", site("workers 2\n", ""), why + ", at Caddyfile:14"},
		{"an app without it", site("app a {\nworkers 2\n}\napp b {\n"+shared+"}\n", "app a\n"), why + ", at Caddyfile:24"},
		{"one app of two without it", site("app a {\nworkers 2\n}\napp b {\n"+shared+"}\n", ""), why + ", at Caddyfile:23"},
		{"an app with it", site("app a {\nworkers 2\n}\napp b {\n"+shared+"}\n", "app b\n"), ""},
		{"workers with it", site(shared, ""), ""},
	} {
		_, err := adapt(t, tt.caddyfile)
		if got := fmt.Sprint(err); tt.want == "" && err != nil || tt.want != "" && !strings.HasSuffix(got, tt.want) {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
	h := &Handler{Cache: &CacheConfig{Redis: true}}
	if _, err := h.route(&gateway{}); !errors.Is(err, errUnshared) {
		t.Errorf("in JSON: got %v", err)
	}
}

// TestSecondIsWrittenInTime: writing may take longer than a question may wait.
func TestSecondIsWrittenInTime(t *testing.T) {
	r := testservices.StartRedis(t)
	proxy := testservices.StartProxy(t, r.Address)
	s, err := (&gateway{identity: identity{name: "app", deployment: deployment{redis: r.At(proxy.Address), name: "test"}}}).newSecond(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	proxy.Delay(2 * secondTimeout)
	for end := time.Now().Add(30 * time.Second); s.store.Stats().Written == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("nothing is written: %+v", s.store.Stats())
		}
		s.store.Put(redisstore.Key{1}, redisstore.Answer{Status: 200}, time.Minute, func() bool { return true })
	}
}

// TestSecretOf: what alters answers alters the keys, and what differs on every machine doesn't.
func TestSecretOf(t *testing.T) {
	same := secretOf([]byte(`{"appId":"a"}`), []string{"PARSE_SERVER_ALLOW_ORIGIN=x", "HOSTNAME=one", "S3_BASE_URL=u"}, "v1")
	for _, tt := range []struct {
		name        string
		options     string
		environment []string
		version     string
		equal       bool
	}{
		{"the same", `{"appId":"a"}`, []string{"S3_BASE_URL=u", "PARSE_SERVER_ALLOW_ORIGIN=x", "HOSTNAME=two"}, "v1", true},
		{"another option", `{"appId":"b"}`, []string{"S3_BASE_URL=u", "PARSE_SERVER_ALLOW_ORIGIN=x"}, "v1", false},
		{"another variable", `{"appId":"a"}`, []string{"S3_BASE_URL=u", "PARSE_SERVER_ALLOW_ORIGIN=y"}, "v1", false},
		{"one variable less", `{"appId":"a"}`, []string{"PARSE_SERVER_ALLOW_ORIGIN=x"}, "v1", false},
		{"another version", `{"appId":"a"}`, []string{"S3_BASE_URL=u", "PARSE_SERVER_ALLOW_ORIGIN=x"}, "v2", false},
	} {
		if equal := secretOf([]byte(tt.options), tt.environment, tt.version) == same; equal != tt.equal {
			t.Errorf("%s: equal %v", tt.name, equal)
		}
	}
	if version() == "" {
		t.Error("this program has no version")
	}
}

// TestSecondKeys: each question and scope has a key of its own, and another secret others.
func TestSecondKeys(t *testing.T) {
	ask := func(class string) *exchange {
		x := &exchange{route: &route{gateway: &gateway{}}, r: httptest.NewRequest("GET", "http://one.example/", nil)}
		x.req = request.Classify(request.Input{
			Method: "GET", Path: "/classes/" + class, BodyComplete: true, Mount: "/parse", Seed: rand.Uint64(),
			Header: http.Header{"X-Parse-Application-Id": {"app"}},
		})
		return x
	}
	one, two := secretOf(nil, nil, "1"), secretOf(nil, nil, "2")
	seen := map[redisstore.Key]bool{}
	for range 2 { // the seed of this process's own keys is in none
		seen[secondKey(&one, ask("A"), request.Scope{})] = true
	}
	if len(seen) != 1 {
		t.Error("the same question has two keys")
	}
	seen[secondKey(&two, ask("A"), request.Scope{})] = true
	seen[secondKey(&one, ask("B"), request.Scope{})] = true
	seen[secondKey(&one, ask("A"), request.Everyone())] = true
	seen[secondKey(&one, ask("A"), request.Rights("0123456789abcdef"))] = true
	if len(seen) != 5 {
		t.Errorf("%d keys of 5 questions", len(seen))
	}
	for _, host := range []string{"one.example", "two.example"} {
		x := ask("A")
		x.r.Host = host
		seen[secondKey(&one, x, request.Scope{})] = true
		x.route.byHost.Store(true)
		seen[secondKey(&one, x, request.Scope{})] = true
	}
	if len(seen) != 7 {
		t.Errorf("%d keys of 5 questions and two of hosts", len(seen))
	}
}

// TestTakenEntry reads what is in Redis, which may be anything.
func TestTakenEntry(t *testing.T) {
	s := newSite(t, remoteSite(newRecordingWorker(t, results), "cache"))
	x := &exchange{route: parseHandlers(s.server.Routes)[0].routes[0]}
	x.req = request.Classify(request.Input{
		Method: "GET", Path: "/classes/A", BodyComplete: true, Mount: "/parse", Header: http.Header{"X-Parse-Application-Id": {"app"}},
	})
	body := []byte(`{"results":[{"objectId":"o1","text":"` + strings.Repeat("x", minPacked) + `"}]}`)
	json := []redisstore.Field{{Name: "Content-Type", Value: "application/json"}}
	yesterday, tomorrow := time.Now().Add(-24*time.Hour), time.Now().Add(24*time.Hour)
	for _, tt := range []struct {
		name     string
		a        redisstore.Answer
		everyone bool
		ok       bool
	}{
		{"one's own", redisstore.Answer{Status: 200, Header: json, Body: body, Reads: "B"}, false, true},
		{"everyone's", redisstore.Answer{Status: 200, Header: json, Body: body, Reads: "for=everyone"}, true, true},
		{"everyone's as one's own", redisstore.Answer{Status: 200, Header: json, Body: body, Reads: "for=everyone"}, false, false},
		{"one's own as everyone's", redisstore.Answer{Status: 200, Header: json, Body: body}, true, false},
		{"not to be stored", redisstore.Answer{Status: 200, Header: json, Body: body, Reads: "no-store"}, false, false},
		{"for a time", redisstore.Answer{Status: 200, Header: json, Body: body, Reads: "expires=1"}, false, false},
		{"unreadable reads", redisstore.Answer{Status: 200, Header: json, Body: body, Reads: "="}, false, false},
		{"no JSON", redisstore.Answer{Status: 200, Header: json, Body: []byte(`{"results":[`)}, false, false},
		{"a header of the gateway's own", redisstore.Answer{Status: 200, Header: []redisstore.Field{{Name: "x-parsescale-rights", Value: "x"}}, Body: body}, false, false},
		{"given tomorrow", redisstore.Answer{Status: 200, Header: json, Body: body, Stored: tomorrow}, false, true},
		{"given yesterday", redisstore.Answer{Status: 200, Header: json, Body: body, Stored: yesterday}, false, true},
	} {
		if tt.a.Stored.IsZero() {
			tt.a.Stored = time.Now()
		}
		e, _, ok := x.takenEntry(&tt.a, tt.everyone)
		if ok != tt.ok {
			t.Errorf("%s: %v", tt.name, ok)
			continue
		}
		if ok && (e.Expires.After(time.Now().Add(x.route.ttl)) || e.Everyone != tt.everyone || e.Packed == nil || e.Stored.Equal(yesterday) != e.Expires.Before(time.Now())) {
			t.Errorf("%s: %+v", tt.name, e)
		}
	}
	x.route.maxEntry = 10
	if _, _, ok := x.takenEntry(&redisstore.Answer{Status: 200, Header: json, Body: body, Stored: time.Now()}, false); ok {
		t.Error("one that is too large")
	}
}
