package rest_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/cloud"
)

// TestOvertakenSignUps: a sign-up by authData that becomes a log-in while the app's code is asked about it, or the other way round,
// isn't done before the code was asked about what it is then.
func TestOvertakenSignUps(t *testing.T) {
	var c calls
	var meanwhile atomic.Pointer[func()] // is done by the next trigger
	note := func(ctx context.Context, r *cloud.TriggerRequest) error {
		err := c.note(ctx, r)
		if do := meanwhile.Swap(nil); do != nil {
			(*do)()
		}
		return err
	}
	w := start(t, server.Environment{Cloud: func(to *cloud.Cloud) error {
		return errors.Join(to.BeforeLogin(note), to.BeforeSave("_User", note, cloud.Validator{}))
	}}, nil)
	anonymous := func(id string) string { return `{"authData":{"anonymous":{"id":"` + id + `"}}}` }
	send := func(method, path, body string) func() {
		return func() {
			req, err := http.NewRequest(method, w.base+path, strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			for name, v := range master("X-Parse-Installation-Id", "other") {
				req.Header.Set(name, v)
			}
			res, err := w.c.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
			if res.StatusCode/100 != 2 {
				t.Errorf("meanwhile: status %d", res.StatusCode)
			}
		}
	}
	id := member(t, w.do("POST", "/users", anonymous("a"), app()).body, "objectId")
	c.taken()
	gone := send("DELETE", "/users/"+id, "")
	meanwhile.Store(&gone)
	if res := w.do("POST", "/users", anonymous("a"), app()); res.status != 201 || member(t, res.body, "objectId") == id {
		t.Errorf("%d %s", res.status, res.body)
	}
	if got, want := c.taken(), "beforeLogin _User, beforeSave _User"; got != want {
		t.Errorf("%q were called, want %q", got, want)
	}
	came := send("POST", "/users", anonymous("b"))
	meanwhile.Store(&came)
	if res := w.do("POST", "/users", anonymous("b"), app()); res.status != 200 || !strings.Contains(res.body, `"sessionToken":"r:`) {
		t.Errorf("%d %s", res.status, res.body)
	}
	if got, want := c.taken(), "beforeSave _User, beforeSave _User, beforeLogin _User"; got != want {
		t.Errorf("%q were called, want %q", got, want)
	}
}
