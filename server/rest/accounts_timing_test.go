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
		known, unknown := fastest(func(unknown bool) {
			body := tt.known
			if unknown {
				body = tt.unknown
			}
			if res := w.do("POST", tt.path, body, app()); res.status != 404 {
				t.Fatalf("%s %s: %d %s", tt.path, body, res.status, res.body)
			}
		})
		if !alike(known, unknown) {
			t.Errorf("%s: %v for %s, %v for %s", tt.path, known, tt.known, unknown, tt.unknown)
		}
	}
}

// fastest is how long two requests take at least. They take turns, and have many of them if need be: the machine may be busy with
// other things.
func fastest(send func(second bool)) (first, second time.Duration) {
	took := [2]time.Duration{time.Hour, time.Hour}
	for n := 0; n < 3 || n < 30 && !alike(took[0], took[1]); n++ {
		for i := range took {
			began := time.Now()
			send(i == 1)
			took[i] = min(took[i], time.Since(began))
		}
	}
	return took[0], took[1]
}

func alike(a, b time.Duration) bool { return a >= b/3 && b >= a/3 }

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
	ann, eve := fastest(func(second bool) {
		name := "ann"
		if second {
			name = "eve"
		}
		res := w.do("POST", "/users", `{"username":"`+name+`","password":"pw"}`, app())
		if res.status < 400 {
			t.Fatalf("%s signed up: %s", name, res.body)
		}
		refusals = append(refusals, res.body)
	})
	if same := slices.Compact(refusals); len(same) != 1 {
		t.Errorf("the refusals differ: %q", same)
	}
	if !alike(ann, eve) {
		t.Errorf("%v for a name that is taken, %v for another one", ann, eve)
	}
}
