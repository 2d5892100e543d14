package rest_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/cloud"
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

// TestFieldNamesWithTriggers: a name that isn't valid is refused where there is a trigger as where there is none.
func TestFieldNamesWithTriggers(t *testing.T) {
	var c calls
	w := start(t, server.Environment{Cloud: c.everything}, nil)
	id := member(t, w.do("POST", "/classes/A", `{}`, app()).body, "objectId")
	for _, class := range []string{"A", "Other"} {
		for _, name := range []string{"", ".", ".a", "a..b", "1", "_x"} {
			if res := w.do("POST", "/classes/"+class, `{"`+name+`":1}`, app()); res.status != 400 || !strings.Contains(res.body, `"code":105`) {
				t.Errorf("a new %s with the field %q: %d %s", class, name, res.status, res.body)
			}
		}
	}
	if res := w.do("PUT", "/classes/A/"+id, `{"":1}`, app()); res.status != 400 || !strings.Contains(res.body, `"code":105`) {
		t.Errorf("an update: %d %s", res.status, res.body)
	}
}

// TestNoObjectIDWithTriggers: an objectId that is null is none, whichever triggers there are.
func TestNoObjectIDWithTriggers(t *testing.T) {
	nothing := func(context.Context, *cloud.TriggerRequest) error { return nil }
	w := start(t, server.Environment{Cloud: func(c *cloud.Cloud) error {
		return errors.Join(c.AfterSave("After", nothing, cloud.Validator{}), c.BeforeSave("Before", nothing, cloud.Validator{}))
	}}, nil)
	for _, class := range []string{"After", "Before", "None"} {
		if res := w.do("POST", "/classes/"+class, `{"objectId":null,"a":1}`, app()); res.status != 201 {
			t.Errorf("%s: %d %s", class, res.status, res.body)
		}
	}
}
