package users_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/users/apptest"
	"github.com/parsescale/parsescale/server/users/password"
)

func TestPasswordPolicy(t *testing.T) {
	const weak = `{"code":142,"error":"Password does not meet the Password Policy requirements."}`
	const named = `{"code":142,"error":"Password cannot contain your username."}`
	a := apptest.New(t, func(o *apptest.Options) {
		valid, err := password.Pattern(`^(?=.*\d).{4,}$`)
		if err != nil {
			t.Fatal(err)
		}
		o.Write.PasswordPolicy.Valid = valid
		o.Write.PasswordPolicy.DoNotAllowUsername = true
	})
	a.Play(t, []apptest.Step{
		{Do: "POST /users", Body: `{"username":"ann","password":"abc1d","email":"bad"}`, Status: 400, Want: `{"code":125,"error":"Email address format is invalid."}`},
		{Do: "POST /users", Body: `{"username":"ann","password":"a1"}`, Status: 400, Want: weak},
		{Do: "POST /users", Body: `{"username":"ann","password":"abcdef","email":"bad"}`, Status: 400, Want: weak},
		{Do: "POST /users", Body: `{"username":"ann","password":"1annx"}`, Status: 400, Want: named},
		{Do: "POST /users", Body: `{"username":"ann","password":"pass1"}`, Want: `{"objectId":"<ann>","createdAt":"<ts>","sessionToken":"<tok>"}`},
		{Do: "POST /users", Body: `{"username":"ANN","password":"weak"}`, Status: 400, Want: weak},
		{Who: "<tok>", Do: "PUT /users/<ann>", Body: `{"password":"weak"}`, Status: 400, Want: weak},
		{Who: "master", Do: "PUT /users/<ann>", Body: `{"password":"weak"}`, Status: 400, Want: weak},
		{Who: "<tok>", Do: "PUT /users/<ann>", Body: `{"password":"ann12"}`, Status: 400, Want: named},
		{Who: "<tok>", Do: "PUT /users/<ann>", Body: `{"password":"bob12","username":"bob"}`, Status: 400, Want: named},
		{Who: "<tok>", Do: "PUT /users/<ann>", Body: `{"password":"ann12","username":"bob"}`, Want: `{"updatedAt":"<ts>","sessionToken":"<tok2>"}`},
		// Nobody learns of the policy by changing others.
		{Do: "PUT /users/<ann>", Body: `{"password":"weak"}`, Status: 400, Want: `{"code":206,"error":"Permission denied"}`},
		{Do: "POST /login", Body: `{"username":"bob","password":"ann12"}`, Want: `{"objectId":"<ann>",<any>}`},
	})
}

func TestPasswordPolicyWordsItsError(t *testing.T) {
	a := apptest.New(t, func(o *apptest.Options) {
		o.Write.PasswordPolicy.Valid = func(string) bool { return false }
		o.Write.PasswordPolicy.ValidationError = "100% no"
	})
	a.Play(t, []apptest.Step{{Do: "POST /users", Body: `{"username":"ann","password":"pw"}`, Status: 400, Want: `{"code":142,"error":"100% no"}`}})
}

func TestPasswordHistory(t *testing.T) {
	const again = `{"code":142,"error":"New password should not be the same as last 3 passwords."}`
	a := apptest.New(t, func(o *apptest.Options) { o.Write.PasswordPolicy.MaxHistory = 3 })
	change := func(to string, status int, want string) apptest.Step {
		return apptest.Step{Who: "master", Do: "PUT /users/<ann>", Body: `{"password":"` + to + `"}`, Status: status, Want: want}
	}
	done := `{"updatedAt":"<ts>"}`
	a.Play(t, []apptest.Step{
		signUp("ann"),
		change("pw", 400, again), change("p2", 200, done), change("pw", 400, again), change("p2", 400, again),
		change("p3", 200, done), change("pw", 400, again), change("p4", 200, done), change("p2", 400, again), change("pw", 200, done),
		{Who: "maintenance", Do: "GET /users/<ann>", Want: `{<any>"_password_history":["$2y$04$<any>","$2y$04$<any>"]<any>}`},
		// Comparing costs time, so it is done for those only who may change the user.
		{Do: "PUT /users/<ann>", Body: `{"password":"pw"}`, Status: 400, Want: `{"code":206,"error":"Permission denied"}`},
	})
}

// TestPasswordHistoryUnderConcurrency: whatever changes come first, the last three passwords are never taken again.
func TestPasswordHistoryUnderConcurrency(t *testing.T) {
	a := apptest.New(t, func(o *apptest.Options) { o.Write.PasswordPolicy.MaxHistory = 20 })
	a.Play(t, []apptest.Step{signUp("ann")})
	var mu sync.Mutex
	taken := map[string]int{}
	var group sync.WaitGroup
	for i := range 6 {
		group.Go(func() {
			to := fmt.Sprint("p", i%3)
			if a.Do("master", a.Fill("PUT /users/<ann>"), `{"password":"`+to+`"}`).Status == 200 {
				mu.Lock()
				taken[to]++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	for to, n := range taken {
		if n != 1 {
			t.Errorf("%s was taken %d times", to, n)
		}
	}
	if len(taken) != 3 {
		t.Errorf("taken: %v", taken)
	}
}

func TestPasswordAge(t *testing.T) {
	clock := apptest.NewClock()
	var age time.Duration
	for _, age = range []time.Duration{0, 10 * 24 * time.Hour} {
		a := apptest.New(t, func(o *apptest.Options) {
			o.Write.Now, o.Write.PasswordPolicy.MaxAge, o.Users.MaxPasswordAge = clock.Now, age, age
		})
		a.Play(t, []apptest.Step{signUp("ann")})
		logIn := apptest.Step{Do: "POST /login", Body: `{"username":"ann","password":"pw"}`, Want: `{"objectId":"<ann>",<any>}`}
		clock.Advance(9 * 24 * time.Hour)
		a.Play(t, []apptest.Step{logIn})
		clock.Advance(2 * 24 * time.Hour)
		if age == 0 {
			a.Play(t, []apptest.Step{logIn})
			continue
		}
		expired := logIn
		expired.Status, expired.Want = 404, `{"code":101,"error":"Your password has expired. Please reset your password."}`
		a.Play(t, []apptest.Step{
			expired,
			{Do: "POST /verifyPassword", Body: `{"username":"ann","password":"pw"}`, Want: `{"objectId":"<ann>",<any>}`},
			{Who: "master", Do: "PUT /users/<ann>", Body: `{"password":"pw"}`, Want: `{"updatedAt":"<ts>"}`},
			logIn,
			// A password from before the policy is new from now on.
			{Who: "maintenance", Do: "PUT /users/<ann>", Body: `{"_password_changed_at":{"__op":"Delete"}}`, Want: `{"updatedAt":"<ts>"}`},
			logIn,
			{Who: "maintenance", Do: "GET /users/<ann>", Want: `{<any>"_password_changed_at":{"__type":"Date","iso":"<ts>"}<any>}`},
		})
		clock.Advance(11 * 24 * time.Hour)
		a.Play(t, []apptest.Step{expired})
	}
}

func TestPattern(t *testing.T) {
	slow, err := password.Pattern(`^(a+)+$`)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if slow(strings.Repeat("a", 60) + "!") {
		t.Error("it matches")
	}
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("a match took %v", d)
	}
	if _, err := password.Pattern(`(`); err == nil {
		t.Error("( compiles")
	}
}
