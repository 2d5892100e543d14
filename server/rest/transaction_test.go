package rest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/cloud"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/identity"
)

// provider is an auth provider that takes the id for a proof.
type provider struct{ asked func() }

func (p provider) Validate(context.Context, *identity.Request) (identity.Outcome, error) {
	p.asked()
	return identity.Outcome{}, nil
}

func (p provider) Challenge(context.Context, any, *identity.Request) (any, error) {
	p.asked()
	return true, nil
}

// TestNothingSlowWithinTransactions: while a batch is one transaction others would wait, so nobody else is asked within it.
func TestNothingSlowWithinTransactions(t *testing.T) {
	var base atomic.Pointer[string]
	var probes atomic.Int64
	client := &http.Client{Timeout: 20 * time.Second}
	// probe writes by another connection, which a transaction would keep waiting.
	probe := func() {
		probes.Add(1)
		req, err := http.NewRequest("POST", *base.Load()+"/classes/Probe", strings.NewReader(`{}`))
		if err != nil {
			t.Error(err)
			return
		}
		req.Header.Set("X-Parse-Application-Id", "APP")
		res, err := client.Do(req)
		if err != nil {
			t.Errorf("somebody was asked while a transaction was open: %v", err)
			return
		}
		res.Body.Close()
		if res.StatusCode != 201 {
			t.Errorf("status %d", res.StatusCode)
		}
	}
	hook := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		probe()
		_, _ = io.WriteString(rw, `{}`)
	}))
	defer hook.Close()
	w := start(t, server.Environment{
		ValidPassword: func(string) bool { probe(); return true },
		AuthAdapters:  map[string]identity.Adapter{"mine": provider{probe}},
		Cloud: func(c *cloud.Cloud) error {
			return c.Define("f", func(context.Context, *cloud.Request) (any, error) { probe(); return true, nil }, cloud.Validator{})
		},
	}, func(o *config.Options) { o.PasswordPolicy = &config.PasswordPolicy{} })
	base.Store(&w.base)
	w.do("POST", "/classes/Probe", `{}`, app())
	if res := w.do("POST", "/hooks/functions", `{"functionName":"hooked","url":"`+hook.URL+`"}`, master()); res.status != 200 {
		t.Fatal(res.body)
	}
	batch := func(sub string) string {
		return `{"transaction":true,"requests":[{"method":"POST","path":"/parse/classes/Probe","body":{"n":1}},` + sub + `]}`
	}
	for _, test := range []struct {
		name, sub, want string
		status          int
		probes          int64
	}{
		{"a function", `{"method":"POST","path":"/parse/functions/f"}`, `{"code":108,"error":"Functions can't run within a transaction."}`, 400, 0},
		{"a function that is a webhook", `{"method":"POST","path":"/parse/functions/hooked"}`, `{"code":108,"error":"Functions can't run within a transaction."}`, 400, 0},
		{"a challenge", `{"method":"POST","path":"/parse/challenge","body":{"challengeData":{"mine":{}}}}`, `{"code":108,"error":"Challenges can't be made within a transaction."}`, 400, 0},
		{"a sign-up by password", `{"method":"POST","path":"/parse/users","body":{"username":"a","password":"p"}}`, `"sessionToken":"r:`, 200, 1},
		{"a sign-up by authData", `{"method":"POST","path":"/parse/classes/_User","body":{"authData":{"mine":{"id":"1"}}}}`, `"sessionToken":"r:`, 200, 1},
		{"a log-in by authData", `{"method":"POST","path":"/parse/users","body":{"authData":{"mine":{"id":"1"}}}}`, `"sessionToken":"r:`, 200, 1},
		{"what comes of a sign-up in it", `{"method":"POST","path":"/parse/users","body":{"username":"a","password":"p"}}`, `{"code":202,`, 400, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			probes.Store(0)
			res := w.do("POST", "/batch", batch(test.sub), app())
			if res.status != test.status || !strings.Contains(res.body, test.want) {
				t.Errorf("%d %s", res.status, res.body)
			}
			if n := probes.Load(); n != test.probes {
				t.Errorf("%d were asked, not %d", n, test.probes)
			}
		})
	}
	token := member(t, w.do("POST", "/login", `{"username":"a","password":"p"}`, app()).body, "sessionToken")
	me := member(t, w.do("GET", "/users/me", "", app("X-Parse-Session-Token", token)).body, "objectId")
	probes.Store(0)
	res := w.do("POST", "/batch", batch(`{"method":"PUT","path":"/parse/users/`+me+`","body":{"password":"q"}}`), app("X-Parse-Session-Token", token))
	if res.status != 200 || probes.Load() != 1 {
		t.Errorf("a change of password: %d %s, %d were asked", res.status, res.body, probes.Load())
	}
	if res := w.do("POST", "/login", `{"username":"a","password":"q"}`, app()); res.status != 200 {
		t.Errorf("the new password isn't taken: %d %s", res.status, res.body)
	}
}

// TestUntoldWritesWithinTransactions: a sub-request that writes by the way of another route isn't spared the triggers.
func TestUntoldWritesWithinTransactions(t *testing.T) {
	var c calls // none: within a transaction the trigger can't run
	w := start(t, server.Environment{Cloud: func(to *cloud.Cloud) error {
		return to.BeforeSave("_JobSchedule", c.note, cloud.Validator{})
	}}, nil)
	res := w.do("POST", "/batch", `{"transaction":true,"requests":[{"method":"POST","path":"/parse/cloud_code/jobs","body":{"job_schedule":{"description":"d"}}}]}`, master())
	if res.status != 400 || !strings.Contains(res.body, `"code":108`) {
		t.Errorf("%d %s", res.status, res.body)
	}
}
