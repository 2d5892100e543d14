package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

// sharedCache has gateways share their answers.
const sharedCache = "cache {\nredis on\n}"

// fromRedis reports whether an answer is one that another gateway was given.
func fromRedis(a answer) bool { return a.header.Get("Cache-Status") == "parsescale; hit; detail=redis" }

// taken asks until an answer comes from Redis, each time with a question that wasn't asked before; make fills it at another gateway.
func taken(t *testing.T, c *client, ask func(n int) string, fill func(path string)) (path string, a answer) {
	t.Helper()
	for n := range 100 {
		path = ask(n)
		fill(path)
		time.Sleep(time.Duration(n) * time.Millisecond) // it is written in the background
		if a = c.must(t, "GET", path, "", nil); fromRedis(a) {
			return path, a
		}
	}
	t.Fatal("nothing is taken from Redis")
	return "", a
}

// TestSecondLevel has one gateway take what the other was given, and asks for it after writes through either of them.
func TestSecondLevel(t *testing.T) {
	t.Parallel() // it waits more than it works
	testservices.Need(t, "postgresql with postgis, and redis-server")
	for _, consistency := range []string{"bounded", "strict"} {
		t.Run(consistency, func(t *testing.T) {
			t.Parallel()
			d := startDeployment(t, consistency, sharedCache)
			one, two := newClient(t, d.gateways[0].url()), newClient(t, d.gateways[1].url())
			id := one.create(t, "Shared", `{"n":1,"text":"`+strings.Repeat("x", 3000)+`"}`)
			ann := one.create(t, "_User", `{"username":"ann","password":"p"}`)
			var in struct{ SessionToken string }
			one.must(t, "GET", "/login?username=ann&password=p", "", &in)
			secret := one.with("X-Parse-Master-Key", masterKey).create(t, "Private", fmt.Sprintf(`{"n":1,"ACL":{%q:{"read":true}}}`, ann))
			fillOne := func(path string) { one.stored(t, path) }

			_, first := taken(t, two, func(n int) string { return where("Shared", `{"n":{"$gt":0}}`, fmt.Sprint("limit=", 1+n)) }, fillOne)
			if want := one.must(t, "GET", where("Shared", `{"n":{"$gt":0}}`, "limit=1"), "", nil); first.body != want.body || first.header.Get("Etag") != want.header.Get("Etag") ||
				first.header.Get("Content-Type") != want.header.Get("Content-Type") {
				t.Errorf("%v %s, want %v %s", first.header, first.body, want.header, want.body)
			}
			// It is an entry like any other.
			path, _ := taken(t, two, func(n int) string { return where("Shared", `{"n":1}`, fmt.Sprint("limit=", 1+n)) }, fillOne)
			if a := two.must(t, "GET", path, "", nil); a.header.Get("Cache-Status") != "parsescale; hit" {
				t.Errorf("asked again: %s", a.header.Get("Cache-Status"))
			}
			for n, writer := range []*client{one, two} {
				writer.must(t, "PUT", "/classes/Shared/"+id, fmt.Sprintf(`{"n":%d}`, 2+n), nil)
				deadline := time.Now().Add(5 * time.Second)
				for a := two.must(t, "GET", path, "", nil); strings.Contains(a.body, id); a = two.must(t, "GET", path, "", nil) {
					if writer == two || consistency == "strict" || time.Now().After(deadline) {
						t.Fatalf("after a write: %s %s", a.header.Get("Cache-Status"), a.body)
					}
				}
			}
			// What was given before a write isn't taken after it, though it is still in Redis.
			stale := where("Shared", `{"n":3}`, "limit=90")
			one.stored(t, stale)
			two.must(t, "PUT", "/classes/Shared/"+id, `{"n":4}`, nil)
			if a := two.must(t, "GET", stale, "", nil); strings.Contains(a.body, id) {
				t.Errorf("%s %s", a.header.Get("Cache-Status"), a.body)
			}

			// Everybody has their own answers.
			annOne, annTwo := one.with("X-Parse-Session-Token", in.SessionToken), two.with("X-Parse-Session-Token", in.SessionToken)
			annTwo.must(t, "GET", "/classes/Private", "", nil) // the gateway learns what the session stands for
			path, a := taken(t, annTwo, func(n int) string { return where("Private", `{"n":1}`, fmt.Sprint("limit=", 1+n)) }, func(path string) { annOne.stored(t, path) })
			if !strings.Contains(a.body, secret) {
				t.Errorf("the user gets %s", a.body)
			}
			if a := two.must(t, "GET", path, "", nil); strings.Contains(a.body, secret) {
				t.Errorf("nobody gets %s %s", a.header.Get("Cache-Status"), a.body)
			}
			annOne.must(t, "POST", "/logout", "{}", nil)
			for end := time.Now().Add(5 * time.Second); ; {
				a, err := annTwo.do("GET", path, "")
				if err != nil {
					t.Fatal(err)
				}
				if a.status != 200 {
					break
				}
				if consistency == "strict" || time.Now().After(end) {
					t.Fatalf("after the session's end: %s %s", a.header.Get("Cache-Status"), a.body)
				}
			}
			s, err := d.gateways[1].status()
			if app := s.Apps["default"]; err != nil || app.Cache.Taken < 3 || !app.SecondLevel.Up || app.SecondLevel.Written == 0 {
				t.Errorf("%+v, %v", app, err)
			}

			// A Redis that is slow holds nobody up for long, and one that is gone nobody.
			for _, away := range []func(){func() { d.proxy.Delay(3 * time.Second) }, d.redis.Kill} {
				away()
				began := time.Now()
				for n := range 30 {
					two.must(t, "GET", where("Shared", `{"n":5}`, fmt.Sprint("limit=", 1+n)), "", nil)
				}
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("30 questions took %v", took)
				}
			}
			if s, err := d.gateways[1].status(); err != nil || s.Apps["default"].SecondLevel.Skipped == 0 {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
}
