package users_test

import (
	"context"
	"testing"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/users"
	"github.com/parsescale/parsescale/server/users/apptest"
	"github.com/parsescale/parsescale/server/users/password"
)

// comparer counts comparisons, and can be busy.
type comparer struct {
	*password.Pool
	compared int
	busy     bool
}

func (c *comparer) Compare(ctx context.Context, hash, plain string) (bool, error) {
	c.compared++
	if c.busy {
		return false, password.ErrBusy
	}
	return c.Pool.Compare(ctx, hash, plain)
}

// TestEveryRefusalTakesOneComparison: who guesses learns nothing of who has an account, not even from the time it takes.
func TestEveryRefusalTakesOneComparison(t *testing.T) {
	a := apptest.New(t, nil)
	a.Play(t, []apptest.Step{
		signUp("ann"), signUp("bob"),
		{Do: "POST /users", Body: `{"authData":{"anonymous":{"id":"x"}}}`, Want: `{"objectId":"<anon>","createdAt":"<ts>","username":"<any>","sessionToken":"<tok1>","authDataResponse":{}}`},
		{Who: "master", Do: "PUT /users/<anon>", Body: `{"username":"anon"}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "master", Do: "PUT /users/<bob>", Body: `{"ACL":{}}`, Want: `{"updatedAt":"<ts>"}`},
	})
	count := &comparer{Pool: password.New(1, 1)}
	u := users.New(a.Store, a.Reads, a.Writes, count, users.DefaultOptions())
	for _, tt := range []struct {
		name string
		in   users.LogIn
	}{
		{"wrong password", users.LogIn{Username: "ann", Password: "no"}},
		{"unknown name", users.LogIn{Username: "nobody", Password: "pw"}},
		{"unknown address", users.LogIn{Email: "no@x.io", Password: "pw"}},
		{"name and another address", users.LogIn{Username: "ann", Email: "no@x.io", Password: "pw"}},
		{"a user without a password", users.LogIn{Username: "anon", Password: "pw"}},
		{"a user who is locked out", users.LogIn{Username: "bob", Password: "pw"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, try := range []func() error{
				func() error { _, err := u.LogIn(t.Context(), apptest.Caller(""), tt.in, ""); return err },
				func() error { _, err := u.VerifyPassword(t.Context(), apptest.Caller(""), tt.in); return err },
			} {
				count.compared = 0
				err := try()
				if e := parseerror.From(err); e == nil || e.Code != 101 || e.Message != "Invalid username/password." || e.HTTPStatus() != 404 {
					t.Errorf("%v", err)
				}
				if count.compared != 1 {
					t.Errorf("%d comparisons", count.compared)
				}
			}
		})
	}
}

func TestLogInIsRefusedWhenTooManyWait(t *testing.T) {
	a := apptest.New(t, nil)
	a.Play(t, []apptest.Step{signUp("ann")})
	u := users.New(a.Store, a.Reads, a.Writes, &comparer{busy: true}, users.DefaultOptions())
	_, err := u.LogIn(t.Context(), apptest.Caller(""), users.LogIn{Username: "ann", Password: "pw"}, "")
	if e := parseerror.From(err); e == nil || e.HTTPStatus() != 429 {
		t.Errorf("%v", err)
	}
}
