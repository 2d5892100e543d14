package users_test

import (
	"context"
	"crypto/rand"
	"testing"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/trigger"
	"github.com/parsescale/parsescale/server/users"
	"github.com/parsescale/parsescale/server/users/apptest"
)

// listening is code that wants to know of log-ins.
type listening struct{ told []*trigger.Request }

func (*listening) Triggers(_ context.Context, class string) (trigger.Set, error) {
	if class != "_User" {
		return 0, nil
	}
	return trigger.Of(trigger.AfterLogin), nil
}

func (*listening) Finding(context.Context) (bool, error) { return false, nil }

func (l *listening) Run(_ context.Context, r *trigger.Request) error {
	l.told = append(l.told, r)
	return nil
}

// random calls drawn whenever something random is drawn, as is the token of a new session.
type random struct{ drawn func() }

func (r *random) Read(p []byte) (int, error) {
	if r.drawn != nil {
		r.drawn()
	}
	return rand.Read(p)
}

// TestAfterLogInOfWhoHasGone: code learns of a log-in that is done, also when the client is gone meanwhile.
func TestAfterLogInOfWhoHasGone(t *testing.T) {
	code, r := &listening{}, &random{}
	a := apptest.New(t, func(o *apptest.Options) { o.Users.Code, o.Write.Random = code, r })
	a.Play(t, []apptest.Step{signUp("ann")})
	ctx, cancel := context.WithCancel(t.Context())
	r.drawn = cancel
	res, err := a.Users.LogIn(ctx, auth.Caller{}, users.LogIn{Username: "ann", Password: "pw"}, "")
	if err != nil || ctx.Err() == nil {
		t.Fatal(res, err, ctx.Err())
	}
	if len(code.told) != 1 || code.told[0].Object.Get("username") != "ann" || code.told[0].User["sessionToken"] == "" {
		t.Errorf("the code was told %v", code.told)
	}
}
