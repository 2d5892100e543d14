package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// inFront puts handlers in front of a plain reverse_proxy to a worker.
func inFront(w *recordingWorker, handlers string) string {
	return "{\n\tadmin off\n}\n:9 {\n" + handlers + "\n\treverse_proxy " + w.addr() + "\n}"
}

// passed is a step whose answer has no Cache-Status: the cache has nothing to do with it.
func passed(st step) step { st.plain = true; return st }

// TestRateLimiterInFrontOfAnything has the limit refuse what is over, and leave all else to a reverse_proxy.
func TestRateLimiterInFrontOfAnything(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, inFront(w, "parse_rate_limit {\nkey ip\ndefault 4/1h burst 4\n}"))
	find := passed(step{method: "GET", path: "/parse/classes/A", want: found, calls: 1, headers: map[string]string{
		"Ratelimit-Policy": `"default";q=4;w=3600`, "Access-Control-Expose-Headers": "Retry-After, RateLimit, RateLimit-Policy", "Access-Control-Allow-Origin": "*",
	}})
	over := map[string]string{
		"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": corsExpose, "Content-Type": "application/json; charset=utf-8",
		"Ratelimit": `"default";r=0;t=3600`, "Ratelimit-Policy": `"default";q=4;w=3600`, "Retry-After": "900",
	}
	delete(over, "Ratelimit") // it counts seconds
	delete(over, "Retry-After")
	s.run(t, w, []step{
		find,
		passed(step{method: "POST", path: "/parse/classes/A", body: `{"a":1}`, status: 201, contains: "o2", calls: 1}),
		{method: "POST", path: "/parse/batch", status: 429, want: `{"code":100,"error":"Too many requests."}`, cache: "rate-limited", headers: over,
			body: `{"requests":[{"method":"GET","path":"/parse/classes/A"},{"method":"GET","path":"/parse/classes/A"},{"method":"GET","path":"/parse/classes/A"}]}`},
		find, find,
		{method: "GET", path: "/parse/classes/A", status: 429, want: `{"code":100,"error":"Too many requests."}`, cache: "detail=rate-limited", headers: over},
		{method: "GET", path: "/x/../parse/classes/A", status: 404, cache: "unusual-path"},
		passed(step{method: "OPTIONS", path: "/parse/classes/A", status: 201, calls: 1}), // a preflight costs nothing
	})
	if s.send(step{method: "GET", path: "/other"}); w.last().URL.Path != "/other" {
		t.Errorf("the last request was for %s", w.last().URL.Path)
	}
	var now Status
	admin(t, "GET", "/parse/status", "", &now)
	if l := now.Apps[defaultName].Limits["default ip 4/1h burst 4"]; l.Refused != 2 || l.Allowed != 4 {
		t.Errorf("counted: %+v", now.Apps[defaultName].Limits)
	}
}

// TestRateLimiterPassesBodies: what was read to count is what the next handler gets, and clients can't say what only the gateway may.
func TestRateLimiterPassesBodies(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, inFront(w, "parse_rate_limit {\ndefault 100/s\nmax_batch 3MB\n}"))
	long := strings.Repeat("x", 2<<20)
	for path, body := range map[string]string{
		"/parse/classes/A":   `{"a":"` + long + `"}`,
		"/parse/files/a.txt": long,
		"/parse/batch":       `{"requests":[{"method":"POST","path":"/parse/classes/A","body":{"a":"` + long + `"}}]}`,
	} {
		s.run(t, w, []step{passed(step{method: "POST", path: path, body: body, status: 201, calls: 1, header: map[string]string{"X-Parsescale-Client-Ip": "127.0.0.1"}})})
		if got := w.sent[len(w.sent)-1]; got != body {
			t.Errorf("%s: %d bytes of %d arrived", path, len(got), len(body))
		}
		if got := w.last().Header.Get("X-Parsescale-Client-Ip"); got != "" {
			t.Errorf("%s: an internal header arrived: %s", path, got)
		}
	}
	s.run(t, w, []step{{method: "POST", path: "/parse/batch", body: `{"requests":[],"a":"` + long + long + `"}`, status: 413, want: `{"error":"request entity too large"}`, cache: "body-too-large"}})
}

// TestRateLimiterByUser: the answer to a log-in tells whose session it brings, also when another handler gives it.
func TestRateLimiterByUser(t *testing.T) {
	w := newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/login") {
			name := r.URL.Query().Get("username")
			user := map[string]string{"a": "u1", "b": "u1", "c": "u2"}[name]
			fmt.Fprintf(w, `{"objectId":"%s","sessionToken":"r:%s"}`, user, name)
			return
		}
		fmt.Fprint(w, found)
	})
	s := newSite(t, inFront(w, "parse_rate_limit {\nzone users {\nkey user\nrate 3/1h burst 3\nops find\n}\n}"))
	ask := func(session string) step {
		return passed(step{method: "GET", path: "/parse/classes/A", header: map[string]string{"X-Parse-Session-Token": session}, calls: 1})
	}
	logIn := func(name string) step {
		return passed(step{method: "GET", path: "/parse/login?username=" + name, calls: 1})
	}
	refused := step{method: "GET", path: "/parse/classes/A", header: map[string]string{"X-Parse-Session-Token": "r:b"}, status: 429, cache: "rate-limited"}
	s.run(t, w, []step{logIn("a"), logIn("b"), logIn("c"), ask("r:a"), ask("r:b"), ask("r:a"), refused, ask("r:c")})
}

// TestRateLimiterAndHits: an answer that a cache of ours gives costs what hit_cost says.
func TestRateLimiterAndHits(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, inFront(w, "parse_rate_limit {\nkey ip\ndefault 3/1h burst 3\nhit_cost 1%\n}\nparse_cache"))
	read := func(cache string, calls int) step {
		return step{method: "GET", path: "/parse/classes/A", cache: cache, calls: calls}
	}
	steps := []step{read("fwd=miss; stored", 1)}
	for range 20 {
		steps = append(steps, read("hit", 0))
	}
	s.run(t, w, steps)
}

// TestCacheInFrontOfAnything is the cache at the level ttl in front of a plain reverse_proxy.
func TestCacheInFrontOfAnything(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, inFront(w, "parse_cache"))
	ask := func(path, cache string, calls int) step {
		return step{method: "GET", path: path, want: found, cache: cache, calls: calls}
	}
	as := func(st step, name, value string) step { st.header = map[string]string{name: value}; return st }
	write := func(method, path string) step {
		return step{method: method, path: path, body: `{"n":2}`, status: 201, cache: "fwd=method", calls: 1}
	}
	a := "/parse/classes/A?where=%7B%22n%22%3A1%7D"
	s.run(t, w, []step{
		ask(a, "fwd=miss; stored", 1), ask(a, "hit", 0),
		{method: "POST", path: "/parse/classes/A", body: `{"_method":"GET","where":{"n":1}}`, want: found, cache: "hit"},
		{method: "GET", path: a, header: map[string]string{"If-None-Match": `W/"1"`}, status: 304, cache: "hit"},
		{method: "HEAD", path: a, cache: "hit"},
		ask("/parse/classes/B", "stored", 1),
		// A write drops what it may touch, and nothing else.
		write("POST", "/parse/classes/A"), ask(a, "stored", 1), ask("/parse/classes/B", "hit", 0),
		write("PUT", "/parse/classes/B/x"), ask("/parse/classes/B", "stored", 1), ask(a, "hit", 0),
		write("POST", "/parse/functions/f"), ask(a, "stored", 1), ask("/parse/classes/B", "stored", 1),
		{method: "POST", path: "/parse/batch", body: `{"requests":[{"method":"POST","path":"/parse/classes/A","body":{}}]}`, status: 201, cache: "fwd=method", calls: 1},
		ask(a, "stored", 1),
		// Nobody gets another's answer.
		as(ask(a, "stored", 1), "X-Parse-Session-Token", "r:1"), as(ask(a, "hit", 0), "X-Parse-Session-Token", "r:1"),
		as(ask(a, "stored", 1), "X-Parse-Session-Token", "r:2"),
		as(ask(a, "stored", 1), "X-Parse-Rest-Api-Key", "k"),
		as(ask(a, "fwd=bypass", 1), "X-Parse-Master-Key", "m"), as(ask(a, "fwd=bypass", 1), "X-Parse-Master-Key", "m"),
		as(ask(a, "fwd=bypass", 1), "Authorization", "Basic eDp5"),
		as(ask(a, "fwd=bypass", 1), "Cookie", "user=1"), as(ask(a, "fwd=bypass", 1), "Cookie", "user=1"),
		as(ask(a, "stored", 1), "X-Parse-Application-Id", "other"),
		// What the client wants of caches counts.
		as(ask(a, "fwd=request", 1), "Cache-Control", "no-cache"), as(ask(a, "fwd=bypass", 1), "Cache-Control", "no-store"),
		{method: "GET", path: "/parse/classes/C", header: map[string]string{"Cache-Control": "only-if-cached"}, status: 504, cache: "only-if-cached"},
	})
}

// TestCacheComesAfterWhatForbids: what others may read isn't served to whom the site refuses, whichever directive does that, and
// in whatever order they are written.
func TestCacheComesAfterWhatForbids(t *testing.T) {
	for i, forbids := range []string{"respond @out 403", "error @out 403", "handle @out {\nrespond 403\n}", "route @out {\nerror 403\n}"} {
		w := newRecordingWorker(t, results)
		s := newSite(t, inFront(w, fmt.Sprintf("parse_cache {\nname %d\n}\n@out header X-Out *\n%s", i, forbids)))
		read := step{method: "GET", path: "/parse/classes/A", cache: "stored", calls: 1}
		hit := step{method: "GET", path: "/parse/classes/A", cache: "hit"}
		s.run(t, w, []step{read, hit})
		out := hit
		out.header = map[string]string{"X-Out": "1"}
		if rec := s.send(out); rec.Code != http.StatusForbidden || strings.Contains(rec.Body.String(), "o1") {
			t.Errorf("%s: %d %s", forbids, rec.Code, rec.Body)
		}
	}
}

// TestCacheByHandler: what one route's upstreams answer isn't served on another route, unless both have one name. A write through
// any of them drops what it may touch in all.
func TestCacheByHandler(t *testing.T) {
	const secret = `{"results":[{"objectId":"s1"}]}`
	route := func(matcher, settings string, w *recordingWorker) string {
		return "handle " + matcher + " {\nparse_cache {\n" + settings + "\n}\nreverse_proxy " + w.addr() + "\n}\n"
	}
	for _, tt := range []struct {
		name, settings string
		shared         bool
	}{
		{"without a name", "ttl 5s", false},
		{"one name", "name both", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inside := newRecordingWorker(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, secret)
			})
			outside := newRecordingWorker(t, results)
			s := newSite(t, "{\nadmin off\n}\n:9 {\n@in header X-Inside *\n"+route("@in", tt.settings, inside)+route("", tt.settings, outside)+"}")
			in := map[string]string{"X-Inside": "1"}
			ask := func(header map[string]string, want string) step {
				return step{method: "GET", path: "/parse/classes/A", header: header, want: want, cache: "hit"}
			}
			s.run(t, inside, []step{
				{method: "GET", path: "/parse/classes/A", header: in, want: secret, cache: "stored", calls: 1}, ask(in, secret),
			})
			if tt.shared {
				s.run(t, outside, []step{ask(nil, secret)})
				return
			}
			s.run(t, outside, []step{
				{method: "GET", path: "/parse/classes/A", want: found, cache: "stored", calls: 1}, ask(nil, found), ask(in, secret),
				{method: "POST", path: "/parse/classes/A", body: `{"n":2}`, status: 201, cache: "fwd=method", calls: 1},
			})
			s.run(t, inside, []step{{method: "GET", path: "/parse/classes/A", header: in, want: secret, cache: "stored", calls: 1}})
		})
	}
}

// TestCacheByHost: to the next handler another host may be another app.
func TestCacheByHost(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, inFront(w, "parse_cache"))
	at := func(host, cache string, calls int) step {
		return step{method: "GET", path: "http://" + host + "/parse/classes/A", cache: cache, calls: calls}
	}
	s.run(t, w, []step{at("a.example", "stored", 1), at("a.example", "hit", 0), at("A.example", "hit", 0), at("b.example", "stored", 1)})
}

// TestCacheStoresWhatIsFit lets answers of every kind pass the cache.
func TestCacheStoresWhatIsFit(t *testing.T) {
	long := `{"results":[{"objectId":"o1","s":"` + strings.Repeat("x", 5000) + `"}]}`
	for _, test := range []struct {
		name   string
		answer func(http.ResponseWriter)
		status int
		body   string
		stored bool
	}{
		{"an answer", func(w http.ResponseWriter) { fmt.Fprint(w, found) }, 200, found, true},
		{"one that varies by Origin", func(w http.ResponseWriter) { w.Header().Set("Vary", "Origin, Accept-Encoding"); fmt.Fprint(w, found) }, 200, found, true},
		{"one that varies by more", func(w http.ResponseWriter) { w.Header().Set("Vary", "Origin, X-User"); fmt.Fprint(w, found) }, 200, found, false},
		{"one that varies by anything", func(w http.ResponseWriter) { w.Header().Set("Vary", "*"); fmt.Fprint(w, found) }, 200, found, false},
		{"a private one", func(w http.ResponseWriter) { w.Header().Set("Cache-Control", "private"); fmt.Fprint(w, found) }, 200, found, false},
		{"one with a cookie", func(w http.ResponseWriter) { w.Header().Set("Set-Cookie", "a=b"); fmt.Fprint(w, found) }, 200, found, false},
		{"one that is encoded", func(w http.ResponseWriter) { w.Header().Set("Content-Encoding", "br"); fmt.Fprint(w, found) }, 200, found, false},
		{"one that is no JSON", func(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/html"); fmt.Fprint(w, found) }, 200, found, false},
		{"one that isn't of Parse", func(w http.ResponseWriter) { fmt.Fprint(w, `["a"]`) }, 200, `["a"]`, false},
		{"an error", func(w http.ResponseWriter) { w.WriteHeader(400); fmt.Fprint(w, `{"code":102}`) }, 400, `{"code":102}`, false},
		{"a large one", func(w http.ResponseWriter) { fmt.Fprint(w, long) }, 200, long, false},
		{"one that claims what only our workers may", func(w http.ResponseWriter) {
			w.Header().Set("X-Parsescale-Reads", "*")
			w.Header().Set("X-Parsescale-Rights", "_User:u")
			fmt.Fprint(w, found)
		}, 200, found, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newRecordingWorker(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
				w.Header().Set("Content-Type", "application/json")
				test.answer(w)
			})
			s := newSite(t, inFront(w, "parse_cache {\nmax_object 4KB\n}"))
			first := step{method: "GET", path: "/parse/classes/A", status: test.status, want: test.body, cache: "fwd=miss", calls: 1}
			second := first
			if test.stored {
				second.cache, second.calls = "hit", 0
			}
			s.run(t, w, []step{first, second})
		})
	}
}

// TestCacheAndTrailers: what the next handler says only after the head isn't taken for a part of that.
func TestCacheAndTrailers(t *testing.T) {
	w := newRecordingWorker(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Trailer", "X-Late")
		fmt.Fprint(w, found)
		w.Header().Set("X-Late", "1")
	})
	s := newSite(t, inFront(w, "parse_cache"))
	read := step{method: "GET", path: "/parse/classes/A", cache: "stored", calls: 1, headers: map[string]string{"X-Late": ""}}
	hit := read
	hit.cache, hit.calls = "hit", 0
	s.run(t, w, []step{read, hit})
}

// TestCacheAndWritesUnderWay: while a write is under way nothing that it may touch is stored, nor what was asked before it.
func TestCacheAndWritesUnderWay(t *testing.T) {
	began, proceed := make(chan string, 2), map[string]chan struct{}{"GET": make(chan struct{}), "POST": make(chan struct{})}
	var slow sync.Map
	w := newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, body string) {
		if _, ok := slow.Load(r.Method); ok {
			began <- r.Method
			<-proceed[r.Method]
		}
		results(w, r, body)
	})
	s := newSite(t, inFront(w, "parse_cache"))
	read := step{method: "GET", path: "/parse/classes/A"}
	write := step{method: "POST", path: "/parse/classes/A", body: `{"n":2}`}
	var wg sync.WaitGroup

	// A read is under way, a write begins and ends: what the read brings isn't stored.
	slow.Store("GET", true)
	var verdict string
	wg.Go(func() { verdict = s.send(read).Header().Get("Cache-Status") })
	<-began
	slow.Delete("GET")
	if rec := s.send(write); rec.Code != http.StatusCreated {
		t.Fatalf("status %d", rec.Code)
	}
	close(proceed["GET"])
	wg.Wait()
	if strings.Contains(verdict, "stored") {
		t.Errorf("a read that a write overtook: %s", verdict)
	}
	s.run(t, w, []step{{method: "GET", path: "/parse/classes/A", cache: "stored", calls: 1}, {method: "GET", path: "/parse/classes/A", cache: "hit"}})

	// A write is under way: nothing stored is served, and nothing is stored.
	slow.Store("POST", true)
	wg.Go(func() { s.send(write) })
	<-began
	for range 2 {
		if got := s.send(read).Header().Get("Cache-Status"); !strings.Contains(got, "fwd=miss") || strings.Contains(got, "stored") {
			t.Errorf("a read while a write is under way: %s", got)
		}
	}
	close(proceed["POST"])
	wg.Wait()
	s.run(t, w, []step{{method: "GET", path: "/parse/classes/A", cache: "stored", calls: 1}})
}

// TestCacheCollapses: many who ask the same get one answer.
func TestCacheCollapses(t *testing.T) {
	proceed, began := make(chan struct{}), make(chan struct{}, 1)
	w := newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, body string) {
		began <- struct{}{}
		<-proceed
		results(w, r, body)
	})
	s := newSite(t, inFront(w, "parse_cache"))
	var wg sync.WaitGroup
	ask := func() {
		if rec := s.send(step{method: "GET", path: "/parse/classes/A"}); rec.Body.String() != found {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
	wg.Go(ask)
	<-began
	for range 10 {
		wg.Go(ask)
	}
	g := s.handlers[0].routes[0].cache
	for end := time.Now().Add(10 * time.Second); g.Stats().Collapsed < 10 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	close(proceed)
	wg.Wait()
	if n := w.count(); n != 1 {
		t.Errorf("%d requests reached the worker, want 1", n)
	}
}

// TestCacheAndFailures: what the next handler fails with is Caddy's to answer; with stale_if_error, what is stored is.
func TestCacheAndFailures(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, inFront(w, "handle_errors {\nrespond \"sorry {err.status_code}\"\n}\nparse_cache {\nttl 1ms\nstale_if_error 1h\n}"))
	read := step{method: "GET", path: "/parse/classes/A", cache: "stored", calls: 1}
	s.run(t, w, []step{read})
	w.Close()
	time.Sleep(2 * time.Millisecond) // longer than the ttl
	s.run(t, w, []step{{method: "GET", path: "/parse/classes/A", want: found, cache: "stale-if-error"}})
	if rec := s.send(step{method: "GET", path: "/parse/classes/B"}); rec.Body.String() != "sorry 502" {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if rec := s.send(step{method: "POST", path: "/parse/classes/A", body: "{}"}); rec.Body.String() != "sorry 502" {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	// The write may have been done, so that nothing stored is served any more.
	if rec := s.send(step{method: "GET", path: "/parse/classes/A"}); rec.Body.String() != "sorry 502" {
		t.Errorf("after a write: %d %s", rec.Code, rec.Body)
	}
}

// TestCacheOutlivesReload: equal names have one cache, so that a write under the old config drops what the new one has stored.
func TestCacheOutlivesReload(t *testing.T) {
	w := newRecordingWorker(t, results)
	read := step{method: "GET", path: "/parse/classes/A", cache: "stored", calls: 1}
	hit := step{method: "GET", path: "/parse/classes/A", cache: "hit"}
	before := newSite(t, inFront(w, "parse_cache"))
	before.run(t, w, []step{read, hit})
	after := newSite(t, inFront(w, "parse_cache {\nttl 2s\n}"))
	after.run(t, w, []step{hit})
	before.run(t, w, []step{{method: "POST", path: "/parse/classes/A", body: "{}", status: 201, cache: "fwd=method", calls: 1}})
	after.run(t, w, []step{read})
	newSite(t, inFront(w, "parse_cache {\nname other\n}")).run(t, w, []step{read})
}

// TestCountsOutliveReload: handlers of one name, or of the same upstreams, have one count, whichever of them a config mentions first.
func TestCountsOutliveReload(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit func(w *recordingWorker, mount string) string
		plain bool
	}{
		{"parse_rate_limit", func(_ *recordingWorker, mount string) string {
			return "parse_rate_limit {\nmount " + mount + "\nkey ip\ndefault 2/1h burst 2\n}\n"
		}, true},
		{"parse", func(w *recordingWorker, mount string) string {
			return "parse " + mount + "/* " + w.addr() + " {\nrate_limit {\nkey ip\ndefault 2/1h burst 2\n}\n}\n"
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newRecordingWorker(t, results)
			get := func(mount string) step {
				return step{method: "GET", path: mount + "/classes/A", calls: 1, plain: tt.plain}
			}
			over := func(mount string) step {
				return step{method: "GET", path: mount + "/classes/A", status: http.StatusTooManyRequests, cache: "rate-limited"}
			}
			newSite(t, inFront(w, tt.limit(w, "/a")+tt.limit(w, "/b"))).run(t, w, []step{get("/a"), get("/b"), over("/b")})
			newSite(t, inFront(w, tt.limit(w, "/b")+tt.limit(w, "/a"))).run(t, w, []step{over("/a"), over("/b")})
			if s := activeApp.Load(); len(s.gateways) != 1 {
				t.Errorf("%d apps", len(s.gateways))
			}
			for name, g := range activeApp.Load().gateways {
				if got := g.status().Mount; got != "/a" {
					t.Errorf("%s is at %s", name, got)
				}
			}
		})
	}
}
