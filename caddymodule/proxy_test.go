package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// proxied is a site whose reverse_proxy sends to workers by way of the pool, and whose directive parse, at another host, serves
// the same app.
func proxied(settings string, workers ...*recordingWorker) string {
	var list []string
	for _, w := range workers {
		list = append(list, w.addr())
	}
	return fmt.Sprintf(`{
	admin off
	parse {
		app shop {
			upstreams %s
		}
	}
}
http://proxy.example:9 {
	reverse_proxy {
		dynamic parse_pool shop
		transport parse {
			max_body 1MB
		}
		%s
	}
}
http://parse.example:9 {
	parse /parse/* {
		cache
		pool {
			max_wait 20ms
		}
	}
}`, strings.Join(list, " "), settings)
}

func through(st step) step { st.path = "http://proxy.example" + st.path; return passed(st) }

func direct(st step) step { st.path = "http://parse.example" + st.path; return st }

// TestProxyToPool sends all kinds of requests through reverse_proxy to the workers of an app.
func TestProxyToPool(t *testing.T) {
	w := newRecordingWorker(t, results)
	for _, policy := range []string{"", "lb_policy peak_ewma", "lb_policy round_robin"} {
		s := newSite(t, proxied(policy, w))
		forged := map[string]string{"X-Forwarded-For": "9.9.9.9", "X-Real-Ip": "9.9.9.9", "X-Parsescale-Client-Ip": "9.9.9.9", "X-Parsescale-Write-Id": "a"}
		s.run(t, w, []step{
			through(step{method: "GET", path: "/parse/classes/A", want: found, calls: 1, header: forged}),
			through(step{method: "POST", path: "/parse/classes/A", body: `{"n":1}`, status: 201, calls: 1, header: forged}),
		})
		seen := w.last()
		if got := seen.Header["X-Forwarded-For"]; len(got) != 1 || got[0] != "192.0.2.1" || seen.Header.Get("X-Real-Ip") != "" || seen.Host != "proxy.example" {
			t.Errorf("the worker saw %v of %s", seen.Header, seen.Host)
		}
		for name := range seen.Header {
			if isInternal(name) {
				t.Errorf("the worker got %s", name)
			}
		}
		if got := w.sent[len(w.sent)-1]; got != `{"n":1}` {
			t.Errorf("the worker got %s", got)
		}
		long := strings.Repeat("x", 1_000_001)
		refused := map[string]string{"Access-Control-Allow-Origin": "*"}
		for _, st := range []step{
			{method: "POST", path: "/parse/classes/A", body: long, status: 413, want: `{"error":"request entity too large"}`, headers: refused, cache: "body-too-large"},
			{method: "GET", path: "/other", status: 404, want: `{"error":"not found"}`, headers: refused, cache: "outside-mount"},
		} {
			st.path = "http://proxy.example" + st.path
			s.run(t, w, []step{st})
		}
		large := strings.Repeat("x", 900_000)
		s.run(t, w, []step{through(step{method: "POST", path: "/parse/files/a.txt", body: large, status: 201, calls: 1})})
		if got := w.sent[len(w.sent)-1]; got != large {
			t.Errorf("%d bytes of a file arrived", len(got))
		}
	}
}

// TestProxyAndCache: what is written through reverse_proxy drops what the directive parse has stored.
func TestProxyAndCache(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, proxied("", w))
	read := func(cache string, calls int) step {
		return direct(step{method: "GET", path: "/parse/classes/A", want: found, cache: cache, calls: calls})
	}
	write := through(step{method: "PUT", path: "/parse/classes/A/x", body: `{"n":2}`, status: 201, calls: 1})
	s.run(t, w, []step{read("stored", 1), read("hit", 0), write, read("stored", 1), read("hit", 0)})
}

// TestProxyAndFailures has one of two workers break every connection: reads are asked of the other one, and a write is sent
// once, and its client told so in a way that doesn't make it send it again.
func TestProxyAndFailures(t *testing.T) {
	broken := newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, body string) {
		if strings.HasSuffix(r.URL.Path, "/health") {
			return
		}
		panic(http.ErrAbortHandler)
	})
	s := newSite(t, proxied("lb_retries 5", broken))
	unknown := step{method: "POST", path: "http://proxy.example/parse/classes/A", body: `{"n":1}`, status: 400, contains: `"code":100`, cache: "fwd",
		headers: map[string]string{"Access-Control-Allow-Origin": "*"}}
	login := step{method: "GET", path: "http://proxy.example/parse/login?username=a&password=b", status: 400, contains: `"code":100`, cache: "fwd"}
	for _, st := range []step{unknown, login} { // Caddy by itself sends a GET again
		st.calls = 1
		s.run(t, broken, []step{st})
	}

	sound := newRecordingWorker(t, results)
	s = newSite(t, proxied("", broken, sound))
	for range 10 {
		rec := s.send(through(step{method: "POST", path: "/parse/classes/A", body: `{"_method":"GET"}`}))
		if rec.Code != http.StatusOK || rec.Body.String() != found {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
	}
}

// TestProxyWithoutWorker: the answer is Parse's, so that the SDKs understand it.
func TestProxyWithoutWorker(t *testing.T) {
	w := newRecordingWorker(t, results)
	for _, policy := range []string{"", "lb_policy peak_ewma"} {
		s := newSite(t, proxied(policy, w))
		pool := s.handlers[0].routes[0].pool
		members := pool.Members()
		if len(members) != 1 || !members[0].Ready || members[0].Name != "http://"+w.addr() {
			t.Fatalf("members: %+v", members)
		}
		none := step{method: "GET", path: "http://proxy.example/parse/classes/A", status: 503, contains: `"code":100`, cache: "fwd=bypass",
			headers: map[string]string{"Access-Control-Allow-Origin": "*", "Retry-After": "1"}}
		if err := pool.Retire(members[0].Name); err != nil {
			t.Fatal(err)
		}
		s.run(t, w, []step{none})
		if err := pool.Update(nil); err != nil {
			t.Fatal(err)
		}
		s.run(t, w, []step{none})
	}
}

// TestProxyLeavesOutRetired: reverse_proxy is told of those workers that may be asked, and of them alone.
func TestProxyLeavesOutRetired(t *testing.T) {
	one, two := newRecordingWorker(t, results), newRecordingWorker(t, results)
	s := newSite(t, proxied("lb_policy first", one, two))
	source := &PoolUpstreams{handler: s.handlers[0]}
	listed := func() string {
		all, err := source.GetUpstreams(nil)
		if err != nil {
			t.Fatal(err)
		}
		var dials []string
		for _, u := range all {
			dials = append(dials, u.Dial)
		}
		return strings.Join(dials, " ")
	}
	first, second := source.handler.routes[0].pool.Members()[0], source.handler.routes[0].pool.Members()[1]
	if got := listed(); got != first.Address.Dial+" "+second.Address.Dial {
		t.Errorf("listed: %s", got)
	}
	// The policy's choice is obeyed: all go to the first one.
	asked := map[string]*recordingWorker{"http://" + one.addr(): one, "http://" + two.addr(): two}
	for range 10 {
		s.run(t, asked[first.Name], []step{through(step{method: "GET", path: "/parse/classes/A", want: found, calls: 1})})
	}
	if err := source.handler.routes[0].pool.Retire(first.Name); err != nil {
		t.Fatal(err)
	}
	if got := listed(); got != second.Address.Dial {
		t.Errorf("listed: %s", got)
	}
	for range 10 {
		s.run(t, asked[second.Name], []step{through(step{method: "GET", path: "/parse/classes/A", want: found, calls: 1})})
	}
}

// TestProxyThatRepeats has Caddy itself repeat requests by the status of their answer: a read with the body that it had, a write
// not at all.
func TestProxyThatRepeats(t *testing.T) {
	var fails atomic.Int64
	w := newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, body string) {
		if fails.Add(-1) >= 0 {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"code":1,"error":"Internal server error."}`)
			return
		}
		results(w, r, body)
	})
	s := newSite(t, proxied("lb_retries 2\nlb_retry_match {\nexpression `{rp.status_code} == 500`\n}", w))
	const find = `{"_method":"GET","where":{"n":1}}`
	fails.Store(1)
	s.run(t, w, []step{through(step{method: "POST", path: "/parse/classes/A", body: find, want: found, calls: 2})})
	if got := w.sent[len(w.sent)-1]; got != find {
		t.Errorf("the second attempt had the body %q", got)
	}
	fails.Store(1)
	s.run(t, w, []step{{method: "POST", path: "http://proxy.example/parse/classes/A", body: `{"n":1}`, status: 400, contains: `"code":100`, cache: "fwd=method", calls: 1}})
}

// TestProxyUpgradeRefused asks for a WebSocket that the worker refuses.
func TestProxyUpgradeRefused(t *testing.T) {
	w := newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("X-Forwarded-For") != "192.0.2.1" {
			t.Errorf("the worker got %v", r.Header)
		}
		w.WriteHeader(http.StatusTeapot)
	})
	s := newSite(t, proxied("", w))
	upgrade := map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "X-Forwarded-For": "9.9.9.9"}
	s.run(t, w, []step{through(step{method: "GET", path: "/parse", header: upgrade, status: http.StatusTeapot, calls: 1})})
	if st := s.handlers[0].routes[0].pool.Status()[0]; st.InFlight != 0 {
		t.Errorf("%d requests are left under way", st.InFlight)
	}
}
