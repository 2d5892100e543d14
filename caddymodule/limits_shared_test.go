package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/policies/ratelimit"
	"github.com/parsescale/parsescale/server/testservices"
)

// sharingSite is a site with limits in Redis.
func sharingSite(w *recordingWorker, redis, limits string) string {
	return fmt.Sprintf("{\n\tadmin off\n\tparse {\n\t\tredis %s\n\t}\n}\n:9 {\n\tparse /parse/* %s {\n\t\trate_limit {\n%s\n\t\t}\n\t}\n}", redis, w.addr(), limits)
}

// TestSharedLimitSettings lists settings that fit together or not.
func TestSharedLimitSettings(t *testing.T) {
	w := newRecordingWorker(t, results)
	t.Setenv("PARSESCALE_TEST_REDIS", "http://:secret@localhost")
	for _, c := range []struct{ name, caddyfile, want, shared string }{
		{"exact without Redis", remoteSite(w, "rate_limit {\ndefault 1/s\nredis exact\n}"), "the global option parse has no redis", ""},
		{"a consequence without Redis", remoteSite(w, "rate_limit {\ndefault 1/s\non_redis_failure open\n}"), "the global option parse has no redis", ""},
		{"off without Redis", remoteSite(w, "rate_limit {\ndefault 1/s\nredis off\n}"), "", ""},
		{"Redis without an address", sharingSite(w, "{$PARSESCALE_TEST_UNSET}", "default 1/s\nredis exact"), "", ""},
		{"Redis with an address that is empty", sharingSite(w, "{env.PARSESCALE_TEST_UNSET}", "default 1/s\nredis exact"), "", ""},
		{"Redis with a wrong address that isn't in the file", sharingSite(w, "{env.PARSESCALE_TEST_REDIS}", "default 1/s"), "the address of Redis must be like", ""},
		{"the defaults with Redis", sharingSite(w, "redis://127.0.0.1:1", "default 1/s"), "", "lease local"},
		{"settings with Redis", sharingSite(w, "redis://127.0.0.1:1", "default 1/s\nredis exact\non_redis_failure open"), "", "exact open"},
		{"off with Redis", sharingSite(w, "redis://127.0.0.1:1", "default 1/s\nredis off"), "", ""},
	} {
		_, err := trySite(t, c.caddyfile)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var now Status
		admin(t, "GET", "/parse/status", "", &now)
		shared := now.Apps[w.addr()].SharedLimits
		if _, ok := shared[c.shared]; ok != (c.shared != "") || len(shared) > 1 {
			t.Errorf("%s: the shared limits are %v, want %q", c.name, shared, c.shared)
		}
	}
}

// TestSharedLimits asks through a gateway that shares its limits, loads the config again, and has Redis die.
func TestSharedLimits(t *testing.T) {
	r := testservices.StartRedis(t)
	w := newRecordingWorker(t, results)
	text := sharingSite(w, r.URL+" {\ntimeout 2s\n}", "default 3/1h\nredis exact\non_redis_failure closed\nzone reads {\nrate 100/1h\nops read\n}")
	first := newSite(t, text)
	ok := step{method: "GET", path: "/parse/classes/A", cache: "fwd=bypass", calls: 1}
	refused := step{method: "GET", path: "/parse/classes/A", cache: "rate-limited", status: http.StatusTooManyRequests, contains: `"code":100`}
	before := activeApp.Load().redis
	first.run(t, w, []step{ok})
	status := func() ratelimit.SharedStats {
		var now Status
		admin(t, "GET", "/parse/status", "", &now)
		return now.Apps[w.addr()].SharedLimits["exact closed"]
	}
	await := func(what string, done func(ratelimit.SharedStats) bool) {
		for deadline := time.Now().Add(20 * time.Second); !done(status()); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("it doesn't come to this: %s", what)
			}
		}
	}
	await("the first request is charged to the app that is known now", func(s ratelimit.SharedStats) bool { return s.Unreported == 0 })
	first.run(t, w, []step{ok})
	second := newSite(t, text)
	if after := activeApp.Load().redis; after != before {
		t.Error("the reload has made another connection")
	}
	second.run(t, w, []step{ok, refused})
	if s := status(); !s.Up || s.Failures+s.Without > 0 {
		t.Errorf("the shared limits are %+v", s)
	}
	r.Kill()
	refused.headers = map[string]string{"Retry-After": "1", "Access-Control-Allow-Origin": "*"}
	second.run(t, w, []step{refused, refused, refused, refused, refused})
	if s := status(); s.Up || s.Without != 5 || s.Failures > 5 {
		t.Errorf("the shared limits are %+v", s)
	}
	r.Restart(t)
	await("Redis is back", func(s ratelimit.SharedStats) bool { return s.Up })
	refused.headers = nil
	second.run(t, w, []step{ok, ok, ok, refused})
}

// TestLimitsOfAConfigThatStays: what a config needs for its limits is there until it ends, also when a later one has started. That one may
// be taken back, because another Caddy app doesn't start.
func TestLimitsOfAConfigThatStays(t *testing.T) {
	w := newRecordingWorker(t, results)
	first := newSite(t, sharingSite(w, "redis://127.0.0.1:1", "default 10/1h"))
	rt := first.handlers[0].routes[0]
	there := func() (limiter, shared bool) {
		rt.gateway.mu.Lock()
		defer rt.gateway.mu.Unlock()
		for _, l := range rt.gateway.limiters {
			limiter = limiter || l == rt.limits.zones[0].Limiter
		}
		for _, s := range rt.gateway.shared {
			shared = shared || s == rt.limits.shared
		}
		return limiter, shared
	}
	app := activeApp.Load()
	newSite(t, sharingSite(w, "redis://127.0.0.1:1", "default 20/1h\nredis exact"))
	second := activeApp.Load()
	if limiter, shared := there(); !limiter || !shared {
		t.Errorf("with the start of another config: %v, %v", limiter, shared)
	}
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := second.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if limiter, shared := there(); !limiter || !shared || len(rt.gateway.limiters) != 1 || len(rt.gateway.shared) != 1 {
		t.Errorf("after that one was taken back: %v, %v; all are %v, %v", limiter, shared, rt.gateway.limiters, rt.gateway.shared)
	}
	third := newSite(t, sharingSite(w, "redis://127.0.0.1:1", "default 30/1h"))
	if err := app.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if limiter, shared := there(); limiter || !shared || third.handlers[0].routes[0].limits.shared != rt.limits.shared {
		t.Errorf("after the config has ended: %v, %v", limiter, shared)
	}
}
