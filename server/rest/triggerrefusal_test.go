package rest_test

import (
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/mail"
)

// TestTriggersOfRefusedSignUps: a user who is kept, but told to verify the address first, was saved.
func TestTriggersOfRefusedSignUps(t *testing.T) {
	var c calls
	w := start(t, server.Environment{Cloud: c.everything, MailAdapter: inbox{make(chan mail.Message, 10)}}, func(o *config.Options) {
		o.AppName, o.PublicServerURL, o.MailAdapterInCode = "probe", o.ServerURL, true
		o.VerifyUserEmails, o.PreventLoginWithUnverifiedEmail, o.PreventSignupWithUnverifiedEmail = true, true, true
	})
	for _, want := range []struct{ body, answer, ran string }{
		{`{"username":"u","password":"p","email":"u@example.com"}`, `{"code":205,"error":"User email is not verified."}`, "beforeSave _User, afterSave _User"},
		{`{"username":"u","password":"p","email":"v@example.com"}`, `{"code":202,"error":"Account already exists for this username."}`, "beforeSave _User"},
	} {
		if res := w.do("POST", "/users", want.body, app()); res.body != want.answer {
			t.Errorf("%d %s", res.status, res.body)
		}
		if got := c.taken(); got != want.ran {
			t.Errorf("%s: %q were called, want %q", want.body, got, want.ran)
		}
	}
}
