package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/policies/upstream"
	"github.com/parsescale/parsescale/server/storage/sqlite"
)

func remoteSite(w *recordingWorker, body string) string {
	return fmt.Sprintf("{\n\tadmin off\n}\n:9 {\n\tparse /parse/* %s {\n%s\n\t}\n}", w.addr(), body)
}

const found = `{"results":[{"objectId":"o1","n":1}]}`

func TestCacheOfRemotePool(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, "cache {\nttl 5s\n}"))
	sdk := func(method, rest string) string {
		return `{"_method":"` + method + `","_ApplicationId":"app"` + rest + `}`
	}
	s.run(t, w, []step{
		{method: "GET", path: "/parse/classes/A?where=%7B%22n%22%3A1%7D", want: found, cache: "fwd=miss; stored", calls: 1},
		{method: "GET", path: "/parse/classes/A?where=%7B%22n%22%3A1%7D", want: found, cache: "hit"},
		{method: "GET", path: "/parse/classes/A?where=%7B%20%22n%22%20%3A%201.0%7D", want: found, cache: "hit"},
		{method: "POST", path: "/parse/classes/A", body: `{"_method":"GET","where":{"n":1}}`, want: found, cache: "hit"},
		{method: "GET", path: "/parse/classes/A?where=%7B%22n%22%3A2%7D", cache: "fwd=miss; stored", calls: 1},
		{method: "GET", path: "/parse/classes/B", cache: "fwd=miss; stored", calls: 1},
		{method: "GET", path: "/parse/classes/A?where=%7B%22n%22%3A1%7D", header: map[string]string{"If-None-Match": `W/"1"`}, status: 304, cache: "hit"},
		{method: "GET", path: "/parse/classes/A?where=%7B%22n%22%3A1%7D", header: map[string]string{"Cache-Control": "no-cache"}, cache: "fwd=request", calls: 1},
		{method: "GET", path: "/parse/classes/A?where=%7B%22n%22%3A1%7D", header: map[string]string{"X-Parse-Session-Token": "r:1"}, cache: "fwd=miss; stored", calls: 1},
		{method: "GET", path: "/parse/classes/A?where=%7B%22n%22%3A1%7D", header: map[string]string{"X-Parse-Session-Token": "r:2"}, cache: "fwd=miss; stored", calls: 1},
		{method: "GET", path: "/parse/classes/A?where=%7B%22n%22%3A1%7D", header: map[string]string{"X-Parse-Master-Key": "m"}, cache: "fwd=bypass", calls: 1},
		{method: "GET", path: "/parse/classes/A?where=%7B%22n%22%3A1%7D", header: map[string]string{"Authorization": "Basic YTpi"}, cache: "fwd=bypass", calls: 1},
		{method: "POST", path: "/parse/classes/A", body: sdk("GET", `,"where":{"n":1},"_MasterKey":"m"`), cache: "fwd=bypass", calls: 1},
		// A write drops its class and nothing else.
		{method: "POST", path: "/parse/classes/A", body: `{"n":1}`, status: 201, cache: "fwd=method", calls: 1},
		{method: "GET", path: "/parse/classes/A?where=%7B%22n%22%3A1%7D", cache: "fwd=miss; stored", calls: 1},
		{method: "GET", path: "/parse/classes/B", cache: "hit"},
		// What a function writes can't be known.
		{method: "POST", path: "/parse/functions/f", body: `{}`, status: 201, cache: "fwd=method", calls: 1},
		{method: "GET", path: "/parse/classes/B", cache: "fwd=miss; stored", calls: 1},
	})
}

func TestRemotePoolCachesOnlyIfTold(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, ""))
	s.run(t, w, []step{
		{method: "GET", path: "/parse/classes/A", cache: "fwd=bypass", calls: 1},
		{method: "GET", path: "/parse/classes/A", cache: "fwd=bypass", calls: 1},
	})
}

// Two mounts of the same upstreams may be two apps of the same id: they share no answer, but what one of them writes may be the other's.
func TestMountsOfTheSameUpstreams(t *testing.T) {
	w := newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		fmt.Fprintf(w, `{"results":[{"objectId":"%s"}]}`, r.URL.Path[1:2])
	})
	s := newSite(t, fmt.Sprintf("{\n\tadmin off\n}\n:9 {\n\tparse /a/* %s {\ncache\n}\n\tparse /b/* %s {\ncache\n}\n}", w.addr(), w.addr()))
	a, b := `{"results":[{"objectId":"a"}]}`, `{"results":[{"objectId":"b"}]}`
	s.run(t, w, []step{
		{method: "GET", path: "/a/classes/A", want: a, cache: "fwd=miss; stored", calls: 1},
		{method: "GET", path: "/b/classes/A", want: b, cache: "fwd=miss; stored", calls: 1},
		{method: "GET", path: "/a/classes/A", want: a, cache: "hit"},
		{method: "GET", path: "/b/classes/A", want: b, cache: "hit"},
		{method: "POST", path: "/b/classes/A", body: "{}", cache: "fwd=method", calls: 1},
		{method: "GET", path: "/a/classes/A", want: a, cache: "fwd=miss; stored", calls: 1},
	})
}

// TestTimeOutOfADial is answered as any other absence of workers.
func TestTimeOutOfADial(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, "pool {\nmax_wait 100ms\n}"))
	pool := s.handlers[0].routes[0].pool
	err := pool.Update([]upstream.Target{{Address: "127.0.0.1:1", Dial: func(context.Context) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
	}}})
	if err != nil {
		t.Fatal(err)
	}
	s.run(t, w, []step{{method: "GET", path: "/parse/classes/A", status: 503, contains: "No Parse worker is available", cache: "fwd=bypass", headers: map[string]string{"Retry-After": "1"}}})
}

// What a worker's limits say is about the request that they counted, not about those that the cache answers.
func TestStoredAnswersHaveNoRateLimit(t *testing.T) {
	w := newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, body string) {
		w.Header()["X-RateLimit-Remaining"] = []string{"7"}
		results(w, r, body)
	})
	s := newSite(t, remoteSite(w, "cache"))
	for i := range 2 {
		r := httptest.NewRequest("GET", "/parse/classes/A", http.NoBody)
		r.Header.Set("X-Parse-Application-Id", "app")
		rec := httptest.NewRecorder()
		s.server.ServeHTTP(rec, r)
		if got := rec.Header().Get("X-Ratelimit-Remaining"); got != "" || rec.Code != 200 {
			t.Errorf("request %d: X-RateLimit-Remaining %q (Cache-Status %q)", i, got, rec.Header().Get("Cache-Status"))
		}
	}
	if w.count() != 1 {
		t.Errorf("%d requests reached the worker, want 1", w.count())
	}
}

func TestForgedHeadersDoNotReachAWorker(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, ""))
	s.run(t, w, []step{{
		method: "POST", path: "/parse/classes/A", body: `{}`, status: 201, cache: "fwd=method", calls: 1,
		header: map[string]string{
			"X-Parsescale-Client-Ip": "127.0.0.1", "X-Parsescale-Write-Id": "w", "X-Forwarded-For": "127.0.0.1",
			"Forwarded": "for=127.0.0.1", "X-Real-Ip": "127.0.0.1",
		},
	}})
	h := w.last().Header
	for name := range h {
		if isInternal(name) {
			t.Errorf("%s reached the worker", name)
		}
	}
	// httptest's requests come from 192.0.2.1.
	if got := h.Values("X-Forwarded-For"); len(got) != 1 || got[0] != "192.0.2.1" {
		t.Errorf("X-Forwarded-For is %q, want the client's address alone", got)
	}
	for _, name := range []string{"Forwarded", "X-Real-Ip"} {
		if h.Get(name) != "" {
			t.Errorf("%s reached the worker: %s", name, h.Get(name))
		}
	}
}

// TestTrustedProxy: which scheme and host the client asked for is known to a proxy before Caddy, if it is trusted.
func TestTrustedProxy(t *testing.T) {
	w := newRecordingWorker(t, results)
	for _, test := range []struct{ servers, proto, host string }{
		{"", "http", "example.com"},
		{"\tservers {\n\t\ttrusted_proxies static 192.0.2.0/24\n\t}\n", "https", "api.example"},
	} {
		s := newSite(t, strings.Replace(remoteSite(w, ""), "\tadmin off\n", "\tadmin off\n"+test.servers, 1))
		s.run(t, w, []step{{
			method: "GET", path: "/parse/classes/A", calls: 1,
			header: map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "forged.example, api.example", "X-Forwarded-For": "198.51.100.7"},
		}})
		h := w.last().Header
		if got := h.Values("X-Forwarded-Proto"); len(got) != 1 || got[0] != test.proto {
			t.Errorf("%s: X-Forwarded-Proto is %q, want %q", test.servers, got, test.proto)
		}
		if got := h.Values("X-Forwarded-Host"); len(got) != 1 || got[0] != test.host {
			t.Errorf("%s: X-Forwarded-Host is %q, want %q", test.servers, got, test.host)
		}
	}
}

func TestRateLimit(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, "rate_limit {\ndefault 2/1h burst 2\n}"))
	refused := map[string]string{
		"Access-Control-Allow-Origin": "*", "Ratelimit-Policy": `"default";q=2;w=3600`, "Retry-After": "1800",
	}
	s.run(t, w, []step{
		{method: "GET", path: "/parse/classes/A", cache: "fwd=bypass", calls: 1, headers: map[string]string{"Retry-After": "", "Ratelimit-Policy": `"default";q=2;w=3600`}},
		{method: "OPTIONS", path: "/parse/classes/A", status: 201, cache: "fwd", calls: 1},
		{method: "GET", path: "/parse/classes/A", cache: "fwd=bypass", calls: 1},
		{method: "GET", path: "/parse/classes/A", status: 429, want: `{"code":100,"error":"Too many requests."}`, cache: "detail=rate-limited", headers: refused},
		{method: "GET", path: "/parse/classes/A", header: map[string]string{"X-Parse-Application-Id": "other"}, cache: "fwd=bypass", calls: 1},
		{method: "POST", path: "/parse/batch", header: map[string]string{"X-Parse-Application-Id": "fourth", "Content-Encoding": "gzip"}, body: "\x1f\x8b", status: 415, cache: "detail=compressed-batch"},
		{method: "POST", path: "/parse/batch", header: map[string]string{"X-Parse-Application-Id": "third"}, body: `{"requests":[{"method":"GET","path":"/parse/classes/A"},{"method":"GET","path":"/parse/classes/A"},{"method":"GET","path":"/parse/classes/A"}]}`, status: 429, cache: "detail=rate-limited", headers: map[string]string{"Retry-After": ""}},
	})
}

func TestRefusals(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, "max_body 1KB"))
	s.run(t, w, []step{
		{method: "POST", path: "/parse/classes/A", body: `{"s":"` + strings.Repeat("x", 1024) + `"}`, status: 413, want: `{"error":"request entity too large"}`, cache: "detail=body-too-large", headers: map[string]string{"Access-Control-Allow-Origin": "*"}},
	})
	r := httptest.NewRequest("GET", "/other", http.NoBody)
	rec := httptest.NewRecorder()
	s.server.ServeHTTP(rec, r)
	if w.count() != 0 || rec.Header().Get("Cache-Status") != "" {
		t.Error("a request outside the mount was handled")
	}
}

func TestSeveralAppsShareNothing(t *testing.T) {
	one, two := newRecordingWorker(t, results), newRecordingWorker(t, results)
	s := newSite(t, fmt.Sprintf("{\n\tadmin off\n\tparse {\n\t\tapp one {\n\t\t\tupstreams %s\n\t\t\tapp_id one\n\t\t}\n\t\tapp two {\n\t\t\tupstreams %s\n\t\t\tapp_id two\n\t\t}\n\t}\n}\n:9 {\n\tparse /parse/* {\n\t\tcache {\n\t\t\tttl 5s\n\t\t}\n\t}\n}", one.addr(), two.addr()))
	as := func(id string) map[string]string { return map[string]string{"X-Parse-Application-Id": id} }
	s.run(t, one, []step{
		{method: "GET", path: "/parse/classes/A", header: as("one"), cache: "stored", calls: 1},
		{method: "GET", path: "/parse/classes/A", header: as("two"), cache: "stored"},
		{method: "GET", path: "/parse/classes/A", header: as("two"), cache: "hit"},
		{method: "POST", path: "/parse/classes/A", header: as("one"), body: "{}", status: 201, calls: 1},
		{method: "GET", path: "/parse/classes/A", header: as("two"), cache: "hit"},
		{method: "GET", path: "/parse/classes/A", header: as("one"), cache: "stored", calls: 1},
		{method: "GET", path: "/parse/classes/A", header: as("nobody"), status: 403, want: `{"error":"unauthorized"}`},
	})
	if two.count() != 1 {
		t.Errorf("%d requests reached the second app, want 1", two.count())
	}
}

func TestProvisionErrors(t *testing.T) {
	global := func(body, site string) string {
		return "{\n\tadmin off\n\tparse {\n" + body + "\n\t}\n}\n:9 {\n" + site + "\n}"
	}
	tests := []struct{ name, caddyfile, want string }{
		{"no workers at all", "{\n\tadmin off\n}\n:9 {\n\tparse /parse/*\n}", "parse has no workers"},
		{"an app that isn't defined", global("workers 1", "parse /parse/* {\napp shop\n}"), `the parse app "shop" isn't defined`},
		{"MongoDB for bundled workers", global("workers 1 {\ndatabase_uri mongodb://h/d\n}", "parse /parse/*"), "bundled workers don't work on MongoDB"},
		{"an option twice", global("workers 1 {\napp_id a\noption appId b\n}", "parse /parse/*"), "the option appId is given twice"},
		{"an option that parse-server doesn't have", global("workers 1 {\noption nope 1\n}", "parse /parse/*"), "nope"},
		{"a TTL over the level's", "{\n\tadmin off\n}\n:9 {\n\tparse /parse/* 127.0.0.1:1 {\ncache {\nttl 1m\n}\n}\n}", "at the cache level ttl an answer may live 5s at most"},
		{"two mounts of one bundled app", global("workers 1", "parse /a/*\nparse /b/*"), "bundled workers serve one mount"},
		{"two feeds of one pool", "{\n\tadmin off\n}\n:9 {\n\tparse /a/* 127.0.0.1:1\n\tparse /b/* 127.0.0.1:1 {\nfeed livequery redis://127.0.0.1:1\n}\n}", "have another feed in another place"},
		{"several apps without ids", global("app a {\nupstreams 127.0.0.1:1\n}\napp b {\nupstreams 127.0.0.1:2\n}", "parse /parse/*"), "give the app \"a\" its app_id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := trySite(t, tt.caddyfile)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestRefusedReloadLeavesEveryAppAlone(t *testing.T) {
	before, after := newRecordingWorker(t, results), newRecordingWorker(t, results)
	config := func(one, two string) string {
		return fmt.Sprintf("{\n\tadmin off\n\tparse {\n\t\tapp one {\n\t\t\tupstreams %s\n\t\t\tapp_id one\n\t\t}\n\t\tapp two {\n%s\n\t\t}\n\t}\n}\n:9 {\n\tparse /parse/*\n}", one, two)
	}
	s := newSite(t, config(before.addr(), "upstreams 127.0.0.1:1\napp_id two"))
	taken := "sqlite://" + filepath.Join(t.TempDir(), "taken.db")
	claim, err := sqlite.Claim(taken)
	if err != nil {
		t.Fatal(err)
	}
	defer claim.Close()
	for range 4 { // the apps are started in any order
		if _, err := trySite(t, config(after.addr(), "workers 1 {\napp_id two\ndatabase_uri "+taken+"\n}")); !errors.Is(err, sqlite.ErrClaimed) {
			t.Fatalf("got %v, want that the database is taken", err)
		}
		s.run(t, before, []step{{method: "GET", path: "/parse/classes/A", header: map[string]string{"X-Parse-Application-Id": "one"}, cache: "fwd=bypass", calls: 1}})
	}
	if n := after.count(); n != 0 {
		t.Errorf("%d requests reached the worker of a config that was refused", n)
	}
}
