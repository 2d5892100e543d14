package users_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/users/apptest"
)

// guarded signs mia up, who has a provider and a second factor, and returns her two recovery codes.
func guarded(t *testing.T) (a *apptest.App, first, last string) {
	t.Helper()
	a, second := withOwn(t, nil)
	tok, err := second.Token(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	a.Play(t, []apptest.Step{
		signUp("mia"),
		{Who: "<tokmia>", Do: "PUT /users/<mia>", Body: `{"authData":{"mine":{"id":"m","token":"ok"}}}`, Want: `<any>`},
	})
	got := a.Do(a.Fill("<tokmia>"), a.Fill("PUT /users/<mia>"), `{"authData":{"mfa":{"secret":"`+secret+`","token":"`+tok+`"}}}`)
	_, codes, _ := strings.Cut(got.Body, `"recovery":"`)
	first, rest, _ := strings.Cut(codes, ", ")
	last, _, _ = strings.Cut(rest, `"`)
	return a, first, last
}

// oneLogsIn: of 20 log-ins of mia with a code at the same time, by those doors in turn, one succeeds.
func oneLogsIn(t *testing.T, a *apptest.App, code string, doors ...func(code string) (do, body string)) {
	t.Helper()
	var in atomic.Int64
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			do, body := doors[i%len(doors)](code)
			switch got := a.Do("", do, body); {
			case got.Status == 200:
				in.Add(1)
			case got.Status != 400 || !strings.Contains(got.Body, `"code":141`):
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
	wg.Wait()
	if in.Load() != 1 {
		t.Errorf("%d log-ins succeeded with one code", in.Load())
	}
}

func byPassword(code string) (do, body string) {
	return "POST /login", `{"username":"mia","password":"pw","authData":{"mfa":{"token":"` + code + `"}}}`
}

func byProvider(code string) (do, body string) {
	return "POST /users", `{"authData":{"mine":{"id":"m","token":"ok"},"mfa":{"token":"` + code + `"}}}`
}

// TestOneTimeCodesAtOnce is GHSA-2299-ghjr-6vjp: of many log-ins with one recovery code at the same time one succeeds.
func TestOneTimeCodesAtOnce(t *testing.T) {
	a, first, last := guarded(t)
	oneLogsIn(t, a, first, byPassword)
	oneLogsIn(t, a, last, byProvider)
}

// TestDoorsAtOnce is GHSA-w73w-g5xw-rwhf: a code that two doors are shown at the same time opens one of them.
func TestDoorsAtOnce(t *testing.T) {
	a, first, last := guarded(t)
	oneLogsIn(t, a, first, byPassword, byProvider)
	oneLogsIn(t, a, last, byProvider, byPassword)
}

// TestSecondFactorStays is GHSA-mw9v-j7v7-vh97: an update of authData that began before the second factor was set up doesn't
// take it away. One of them is refused.
func TestSecondFactorStays(t *testing.T) {
	a, second := withOwn(t, nil)
	tok, err := second.Token(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		name := fmt.Sprint("mia", i)
		a.Play(t, []apptest.Step{signUp(name)})
		who, do := a.Fill("<tok"+name+">"), a.Fill("PUT /users/<"+name+">")
		updates := map[string]string{
			`"mfa":{"status":"enabled"}`:   `{"mfa":{"secret":"` + secret + `","token":"` + tok + `"}}`,
			`"mine":{"id":"` + name + `"`:  `{"mine":{"id":"` + name + `","token":"ok"}}`,
			`"other":{"id":"` + name + `"`: `{"other":{"id":"` + name + `","token":"ok"}}`,
		}
		var mu sync.Mutex
		done := maps.Clone(updates)
		var wg sync.WaitGroup
		for shown, authData := range updates {
			wg.Go(func() {
				got := a.Do(who, do, `{"authData":`+authData+`}`)
				mu.Lock()
				defer mu.Unlock()
				if got.Status != 200 {
					delete(done, shown)
					if !strings.Contains(got.Body, `"code":141`) { // it was overtaken
						t.Errorf("%s: %d %s", authData, got.Status, got.Body)
					}
				}
			})
		}
		wg.Wait()
		if len(done) == 0 {
			t.Error("none of the updates was done")
		}
		me := a.Do(who, a.Fill("GET /users/me"), "")
		for shown := range done {
			if !strings.Contains(me.Body, shown) {
				t.Errorf("%s was acknowledged, and is gone: %s", shown, me.Body)
			}
		}
	}
}

// TestSignUpsAtOnce: two sign-ups with one id at the same time give one user, whose other one is a log-in; two links of
// one id give one link.
func TestSignUpsAtOnce(t *testing.T) {
	a, _ := withOwn(t, nil)
	var wg sync.WaitGroup
	var made, in atomic.Int64
	for range 20 {
		wg.Go(func() {
			switch got := a.Do("", "POST /users", `{"authData":{"mine":{"id":"one","token":"ok"}}}`); got.Status {
			case 201:
				made.Add(1)
			case 200:
				in.Add(1)
			default:
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 || in.Load() != 19 {
		t.Errorf("%d users were made, %d log-ins", made.Load(), in.Load())
	}
	var steps []apptest.Step
	for i := range 10 {
		steps = append(steps, signUp(fmt.Sprint("user", i)))
	}
	a.Play(t, steps)
	var linked atomic.Int64
	for i := range 10 {
		who, do := a.Fill(fmt.Sprintf("<tokuser%d>", i)), a.Fill(fmt.Sprintf("PUT /users/<user%d>", i))
		wg.Go(func() {
			switch got := a.Do(who, do, `{"authData":{"other":{"id":"two","token":"ok"}}}`); {
			case got.Status == 200:
				linked.Add(1)
			case !strings.Contains(got.Body, `"code":208`):
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
	wg.Wait()
	if linked.Load() != 1 {
		t.Errorf("%d users have the id", linked.Load())
	}
}

// TestProvidersAreAskedOutside: a provider that takes long holds no other write up.
func TestProvidersAreAskedOutside(t *testing.T) {
	asked, proceed := make(chan struct{}), make(chan struct{})
	p := providers(t, map[string]identity.Adapter{"slow": identity.Functions{ValidateAuthData: func(context.Context, *identity.Request) (identity.Outcome, error) {
		close(asked)
		<-proceed
		return identity.Outcome{}, nil
	}}})
	a := apptest.New(t, func(o *apptest.Options) { o.Write.Providers = p })
	done := make(chan apptest.Answer)
	go func() { done <- a.Do("", "POST /users", `{"authData":{"slow":{"id":"1"}}}`) }()
	<-asked
	a.Play(t, []apptest.Step{signUp("ann")})
	close(proceed)
	if got := <-done; got.Status != 201 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}

// TestRepeatedLogIns: a write that is sent again under its id gets the first answer, though its code is used up.
func TestRepeatedLogIns(t *testing.T) {
	a, _ := withOwn(t, nil)
	a.Play(t, []apptest.Step{signUp("ann")})
	for i, tt := range []struct{ who, do, body string }{
		{"", "POST /users", `{"authData":{"code":{"code":"code-of-new"}}}`},
		{"", "POST /users", `{"authData":{"code":{"code":"code-of-new#2"}}}`},
		{"", "POST /login", `{"username":"ann","password":"pw","authData":{"code":{"code":"code-of-ann"}}}`},
		{"<tokann>", "PUT /users/<ann>", `{"authData":{"code":{"code":"code-of-ann#2"}}}`},
	} {
		id := fmt.Sprint("w", i)
		first := a.DoID(a.Fill(tt.who), a.Fill(tt.do), tt.body, id)
		second := a.DoID(a.Fill(tt.who), a.Fill(tt.do), tt.body, id)
		if first.Status > 201 || first != second {
			t.Errorf("%s:\n%+v, and again\n%+v", tt.do, first, second)
		}
		if strings.Contains(tt.do, "<") {
			continue // what is stored already needs no code
		}
		if again := a.DoID(a.Fill(tt.who), a.Fill(tt.do), tt.body, ""); again.Status != 400 {
			t.Errorf("a code was good twice: %+v", again)
		}
	}
}

// TestSessionsAgainstPassword: of the sessions that are opened while the password changes none is left.
func TestSessionsAgainstPassword(t *testing.T) {
	a := apptest.New(t, nil)
	for i := range 10 {
		name := fmt.Sprint("nia", i)
		a.Play(t, []apptest.Step{signUp(name)})
		token := a.Fill("<tok" + name + ">")
		var wg sync.WaitGroup
		for _, do := range []string{"POST /sessions", "POST /upgradeToRevocableSession", "POST /sessions"} {
			wg.Go(func() {
				if got := a.Do(token, do, `{}`); got.Status != 201 && got.Status != 200 && !strings.Contains(got.Body, `"code":209`) {
					t.Errorf("%s: %d %s", do, got.Status, got.Body)
				}
			})
		}
		wg.Go(func() {
			if got := a.Do("master", a.Fill("PUT /users/<"+name+">"), `{"password":"new"}`); got.Status != 200 {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
		wg.Wait()
		a.Play(t, []apptest.Step{{
			Who: "master", Do: `GET /sessions?count=1&limit=0&where={"user":{"__type":"Pointer","className":"_User","objectId":"<` + name + `>"}}`,
			Want: `{"results":[],"count":0}`,
		}})
	}
}
