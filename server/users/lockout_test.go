package users_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/users"
	"github.com/parsescale/parsescale/server/users/apptest"
)

const (
	wrongLogIn = `{"code":101,"error":"Invalid username/password."}`
	lockedOut  = `{"code":101,"error":"Your account is locked due to multiple failed login attempts. Please try again after 5 minute(s)"}`
)

func logInAs(name, password string, status int, want string) apptest.Step {
	return apptest.Step{Do: "POST /login", Body: `{"username":"` + name + `","password":"` + password + `"}`, Status: status, Want: want}
}

func TestLockout(t *testing.T) {
	clock := apptest.NewClock()
	a := apptest.New(t, func(o *apptest.Options) {
		o.Write.Now = clock.Now
		o.Users.Lockout = users.Lockout{Threshold: 3, Minutes: 5}
	})
	wrong, locked, right := logInAs("ann", "no", 404, wrongLogIn), logInAs("ann", "no", 404, lockedOut), logInAs("ann", "pw", 200, `{"objectId":"<ann>",<any>}`)
	shut := logInAs("ann", "pw", 404, lockedOut)
	count := func(n string) apptest.Step {
		return apptest.Step{Who: "maintenance", Do: "GET /users/<ann>?keys=_failed_login_count", Want: `{<any>"_failed_login_count":` + n + `<any>}`}
	}
	a.Play(t, []apptest.Step{
		signUp("ann"),
		wrong, wrong, count("2"), right, count("0"),
		wrong, wrong, wrong, count("3"), locked, shut,
		{Do: "POST /verifyPassword", Body: `{"username":"ann","password":"pw"}`, Status: 404, Want: lockedOut},
		{Who: "master", Do: "POST /login", Body: `{"username":"ann","password":"pw"}`, Status: 404, Want: lockedOut},
		count("3"),
		// Sessions go on; nobody else is locked, and who doesn't exist can't be.
		{Who: "<tokann>", Do: "GET /users/me", Want: `{"objectId":"<ann>",<any>}`},
		signUp("bob"), logInAs("bob", "pw", 200, `{"objectId":"<bob>",<any>}`),
		logInAs("eve", "no", 404, wrongLogIn), logInAs("eve", "no", 404, wrongLogIn), logInAs("eve", "no", 404, wrongLogIn), logInAs("eve", "no", 404, wrongLogIn),
	})
	clock.Advance(5*time.Minute + time.Second)
	// Once the lock has ended, one more failure locks at once.
	a.Play(t, []apptest.Step{locked, count("4"), shut})
	clock.Advance(5*time.Minute + time.Second)
	a.Play(t, []apptest.Step{right, count("0"), wrong})
	if now := a.Do("public", "GET /users", ""); strings.Contains(now.Body, "_failed") {
		t.Errorf("the count is shown: %s", now.Body)
	}
}

// TestLockoutUnderConcurrency (lockout-race): of any number of attempts at the same time, three learn something.
func TestLockoutUnderConcurrency(t *testing.T) {
	a := apptest.New(t, func(o *apptest.Options) { o.Users.Lockout = users.Lockout{Threshold: 3, Minutes: 5} })
	a.Play(t, []apptest.Step{signUp("ann")})
	var mu sync.Mutex
	answers := map[string]int{}
	var group sync.WaitGroup
	for range 30 {
		group.Go(func() {
			got := a.Do("public", "POST /login", `{"username":"ann","password":"no"}`)
			mu.Lock()
			answers[got.Body]++
			mu.Unlock()
		})
	}
	group.Wait()
	if answers[wrongLogIn] != 3 || answers[lockedOut] != 27 {
		t.Errorf("answers: %v", answers)
	}
	a.Play(t, []apptest.Step{
		logInAs("ann", "pw", 404, lockedOut),
		{Who: "maintenance", Do: "GET /users/<ann>", Want: `{<any>"_failed_login_count":3,<any>}`},
	})
}
