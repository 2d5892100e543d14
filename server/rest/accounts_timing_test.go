package rest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/users/password"
)

// TestLogInTiming is log-in-timing of the advisories' catalogue: how long a refusal takes doesn't tell whether there is such
// a user, because the comparison of hashes, which takes longest by far, is done for nobody too.
func TestLogInTiming(t *testing.T) {
	w := start(t, server.Environment{Passwords: password.New(0, 0)}, nil)
	if res := w.do("POST", "/users", `{"username":"ann","password":"pw","email":"ann@x.io"}`, app()); res.status != 201 {
		t.Fatal(res)
	}
	if res := w.do("POST", "/users", `{"authData":{"anonymous":{"id":"without a password"}},"username":"bare"}`, app()); res.status != 201 {
		t.Fatal(res)
	}
	for _, tt := range []struct{ path, known, unknown string }{
		{"/login", `{"username":"ann","password":"x"}`, `{"username":"eve","password":"x"}`},
		{"/login", `{"email":"ann@x.io","password":"x"}`, `{"email":"eve@x.io","password":"x"}`},
		{"/login", `{"username":"ann","password":"x"}`, `{"username":"bare","password":"x"}`},
		{"/login", `{"username":"ann","email":"ann@x.io","password":"x"}`, `{"username":"ann","email":"eve@x.io","password":"x"}`},
		{"/verifyPassword", `{"username":"ann","password":"x"}`, `{"username":"eve","password":"x"}`},
		{"/challenge", `{"username":"ann","password":"x","challengeData":{"anonymous":1}}`, `{"username":"eve","password":"x","challengeData":{"anonymous":1}}`},
	} {
		// The fastest of some: the machine may be busy with other things.
		fastest := func(body string) time.Duration {
			var all []time.Duration
			for range 3 {
				began := time.Now()
				if res := w.do("POST", tt.path, body, app()); res.status != 404 {
					t.Fatalf("%s %s: %d %s", tt.path, body, res.status, res.body)
				}
				all = append(all, time.Since(began))
			}
			return slices.Min(all)
		}
		known, unknown := fastest(tt.known), fastest(tt.unknown)
		if unknown < known/3 || known < unknown/3 {
			t.Errorf("%s: %v for %s, %v for %s", tt.path, known, tt.known, unknown, tt.unknown)
		}
	}
}

// TestClosedSignUpTiming: where nobody may sign up, neither the refusal nor how long it takes tells whether there is such a
// user: the password is hashed in either case, before anybody looks.
func TestClosedSignUpTiming(t *testing.T) {
	w := start(t, server.Environment{Passwords: password.New(0, 0)}, nil)
	if res := w.do("POST", "/users", `{"username":"ann","password":"pw"}`, app()); res.status != 201 {
		t.Fatal(res)
	}
	if res := w.do("PUT", "/schemas/_User", `{"classLevelPermissions":{"create":{},"find":{"*":true}}}`, master()); res.status != 200 {
		t.Fatal(res)
	}
	var refusals []string
	var fastest []time.Duration
	for _, name := range []string{"ann", "eve"} {
		best := time.Hour
		for range 3 {
			began := time.Now()
			res := w.do("POST", "/users", `{"username":"`+name+`","password":"pw"}`, app())
			best = min(best, time.Since(began))
			if res.status < 400 {
				t.Fatalf("%s signed up: %s", name, res.body)
			}
			refusals = append(refusals, res.body)
		}
		fastest = append(fastest, best)
	}
	if same := slices.Compact(refusals); len(same) != 1 {
		t.Errorf("the refusals differ: %q", same)
	}
	if fastest[0] < fastest[1]/3 || fastest[1] < fastest[0]/3 {
		t.Errorf("%v for a name that is taken, %v for another one", fastest[0], fastest[1])
	}
}
