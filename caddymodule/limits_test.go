package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestInventedApps asks with invented application ids where the gateway wasn't told the app's own: they are counted by
// address until a worker has done something with one.
func TestInventedApps(t *testing.T) {
	w := newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, body string) {
		if r.Header.Get("X-Parse-Application-Id") != "app" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"error":"unauthorized"}`))
			return
		}
		results(w, r, body)
	})
	s := newSite(t, remoteSite(w, "rate_limit {\nkey app\ndefault 3/1h burst 3\n}"))
	var steps []step
	for i := range 5 {
		st := step{method: "GET", path: "/parse/classes/A", header: map[string]string{"X-Parse-Application-Id": fmt.Sprint("invented", i)}, status: 403, cache: "fwd=bypass", calls: 1}
		if i >= 3 {
			st.status, st.calls = http.StatusTooManyRequests, 0
		}
		steps = append(steps, st)
	}
	s.run(t, w, steps)

	w = newRecordingWorker(t, results)
	s = newSite(t, remoteSite(w, "rate_limit {\nkey app\ndefault 3/1h burst 3\n}"))
	ok := step{method: "GET", path: "/parse/classes/A", cache: "fwd=bypass", calls: 1}
	// The first is counted by address until it is answered; then the id is known.
	s.run(t, w, []step{ok, ok, ok, {method: "GET", path: "/parse/classes/A", cache: "rate-limited", status: 429}})
}

// TestInventedCredentials asks as a client that knows the application id and invents session tokens and keys.
func TestInventedCredentials(t *testing.T) {
	w := newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, body string) {
		session, key := r.Header.Get("X-Parse-Session-Token"), r.Header.Get("X-Parse-Rest-Api-Key")
		if session != "" && session != "r:right" || key != "" && key != "right" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"code":209,"error":"Invalid session token"}`))
			return
		}
		results(w, r, body)
	})
	for key, field := range map[string]string{"session": "X-Parse-Session-Token", "api_key": "X-Parse-Rest-Api-Key"} {
		s := newSite(t, remoteSite(w, "rate_limit {\nkey "+key+"\ndefault 3/1h burst 3\n}"))
		ask := func(value string) step {
			return step{method: "GET", path: "/parse/classes/A", header: map[string]string{field: value}, cache: "fwd=bypass", calls: 1}
		}
		refused := func(st step) step {
			st.status, st.calls, st.cache = http.StatusTooManyRequests, 0, "rate-limited"
			return st
		}
		steps := []step{ask("right"), ask("right")}
		if key == "session" {
			steps = []step{ask("r:right"), ask("r:right")}
		}
		right := steps[0]
		for i := range 5 { // the right ones aren't charged to the address
			st := ask(fmt.Sprint("r:invented", i))
			if st.status = http.StatusBadRequest; i >= 3 {
				st = refused(st)
			}
			steps = append(steps, st)
		}
		s.run(t, w, append(steps, right, refused(right)))
	}
}

// TestEqualZones has two sites with zones that differ in what they charge only: they don't share a limiter.
func TestEqualZones(t *testing.T) {
	w := newRecordingWorker(t, results)
	zone := func(ops string) string { return "rate_limit {\nzone z {\nrate 1/1h\nops " + ops + "\n}\n}" }
	reads := remoteSite(w, zone("read"))
	writes := ":1338 {\nparse /parse/* " + w.addr() + " {\n" + zone("write") + "\n}\n}"
	newSite(t, reads+"\n"+writes)
	var now Status
	admin(t, "GET", "/parse/status", "", &now)
	for _, name := range []string{"z app 1/1h ops read", "z app 1/1h ops write"} {
		if _, ok := now.Apps[w.addr()].Limits[name]; !ok {
			t.Errorf("there is no limit %q: %v", name, now.Apps[w.addr()].Limits)
		}
	}
}

func TestRateLimitZones(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, `cache {
ttl 5s
}
rate_limit {
	default 100/1h
	hit_cost 0.1
	zone logins {
		key ip
		rate 2/1h
		ops login
	}
	zone secret {
		rate 1/1h
		classes Secret
		dry_run
	}
}`))
	logIn := step{method: "POST", path: "/parse/login", body: `{"username":"u","password":"p"}`, status: 201, calls: 1}
	refused := step{method: "POST", path: "/parse/login", body: `{}`, status: 429, contains: `"code":100`, cache: "rate-limited"}
	batch := step{method: "POST", path: "/parse/batch", body: `{"requests":[{"method":"POST","path":"/parse/login","body":{}}]}`, status: 429, cache: "rate-limited"}
	read := step{method: "GET", path: "/parse/classes/A", cache: "hit"}
	s.run(t, w, []step{
		logIn, logIn, refused, batch,
		{method: "GET", path: "/parse/classes/A", cache: "fwd=miss", calls: 1}, read, read,
		{method: "GET", path: "/parse/classes/Secret", cache: "fwd=miss", calls: 1},
		{method: "GET", path: "/parse/classes/Secret/x", cache: "fwd=miss", calls: 1}, // a dry run
	})
	var hot Status
	if _, text := admin(t, "GET", "/parse/status", "", &hot); !strings.Contains(text, `"secret app 1/1h classes Secret"`) {
		t.Errorf("the status lacks a zone: %s", text)
	}
	app := hot.Apps[w.addr()]
	if got := app.Limits["logins ip 2/1h ops login"].Refused; got != 2 {
		t.Errorf("%d log-ins are counted as refused", got)
	}
	if got := app.Limits["secret app 1/1h classes Secret"].DryRun; got != 1 {
		t.Errorf("%d requests are counted as refused but for the dry run", got)
	}
}

// TestLimitersAreForgotten changes the rate and looks what is left of the old one.
func TestLimitersAreForgotten(t *testing.T) {
	w := newRecordingWorker(t, results)
	first := newSite(t, remoteSite(w, "rate_limit {\ndefault 100/s\n}"))
	_ = first
	newSite(t, remoteSite(w, "rate_limit {\ndefault 200/s\n}"))
	var now Status
	admin(t, "GET", "/parse/status", "", &now)
	if limits := now.Apps[w.addr()].Limits; len(limits) != 1 {
		t.Errorf("the limits are %v", limits)
	}
}
