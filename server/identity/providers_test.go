package identity_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/parseerror"
)

// policy is an adapter that accepts everything.
type policy identity.Policy

func (policy) Validate(context.Context, *identity.Request) (identity.Outcome, error) {
	return identity.Outcome{}, nil
}
func (p policy) Policy(*identity.Request) identity.Policy { return identity.Policy(p) }

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func providers(t *testing.T, o identity.Options) *identity.Providers {
	t.Helper()
	o.Logger = quiet()
	p, err := identity.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCheckLogIn(t *testing.T) {
	p := providers(t, identity.Options{
		Adapters: map[string]identity.Adapter{
			"plain": policy(identity.Default), "mfa": policy(identity.Additional), "extra": policy(identity.Additional), "solo": policy(identity.Solo),
		},
		Reserved: map[string]identity.Adapter{"gone": policy(identity.Additional)},
	})
	data := map[string]any{"id": "x"}
	set := func(names string) map[string]any {
		m := map[string]any{}
		for _, n := range strings.Fields(names) {
			m[n] = data
		}
		return m
	}
	for _, tt := range []struct{ name, stored, sent, want string }{
		{"nothing", "", "", ""},
		{"no additional one", "plain", "", ""},
		{"an additional one is missing", "plain mfa", "plain", "Missing additional authData mfa"},
		{"it is there", "plain mfa", "plain mfa", ""},
		{"one of two is enough", "mfa extra", "extra", ""},
		{"both are missing", "extra mfa", "", "Missing additional authData mfa,extra"},
		{"one that isn't linked doesn't count", "mfa", "extra", "Missing additional authData mfa"},
		{"a solo one is enough", "mfa solo", "solo", ""},
		{"a solo one that isn't sent is not", "mfa solo", "", "Missing additional authData mfa"},
		{"a solo one that isn't linked is not", "mfa", "solo", "Missing additional authData mfa"},
		{"a provider that was taken out of the configuration", "gone", "", "Missing additional authData gone"},
		{"an unknown one", "other", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := p.CheckLogIn(set(tt.sent), set(tt.stored), identity.Request{})
			if got := message(err); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if e := parseerror.From(err); e != nil && e.Code != parseerror.OtherCause {
				t.Errorf("code %d", e.Code)
			}
		})
	}
	if err := p.CheckLogIn(map[string]any{"mfa": nil}, set("mfa"), identity.Request{}); err == nil {
		t.Error("null counts as additional authData")
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return parseerror.From(err).Message
}

func TestErrorsOfAdapters(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		code int
		want string
	}{
		{"a Parse error", parseerror.New(101, "who are you?"), 101, "who are you?"},
		{"a refusal", identity.Refuse("bad token %s"), 141, "bad token %s"},
		{"a wrapped refusal", errors.Join(errors.New("x"), identity.Refuse("bad token")), 141, "bad token"},
		{"a failure with an answer", &identity.Failure{Answer: parseerror.New(101, "later"), Cause: errors.New("dial tcp 10.0.0.1:389")}, 101, "later"},
		{"anything else stays in the log", errors.New("dial tcp 10.0.0.1:389: connection refused"), 141, "Auth failed. Unknown error."},
		{"a time-out", context.DeadlineExceeded, 141, "Auth failed. Unknown error."},
		{"an internal error", parseerror.New(1, "secret"), 141, "Auth failed. Unknown error."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := providers(t, identity.Options{Adapters: map[string]identity.Adapter{"x": identity.Functions{
				ValidateAuthData: func(context.Context, *identity.Request) (identity.Outcome, error) { return identity.Outcome{}, tt.err },
			}}})
			_, err := p.Validate(t.Context(), &identity.Request{Provider: "x"})
			if e := parseerror.From(err); e == nil || e.Code != tt.code || e.Message != tt.want {
				t.Errorf("got %v", err)
			}
		})
	}
	p := providers(t, identity.Options{})
	for _, name := range []string{"", "x", "constructor", "__proto__", "toString"} {
		if _, err := p.Validate(t.Context(), &identity.Request{Provider: name}); message(err) != "This authentication method is unsupported." {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, a := range map[string]identity.Adapter{
		"": policy(0), "a-b": policy(0), "a.b": policy(0), "__proto__": policy(0), "1a": policy(0), "a'b": policy(0), "a b": policy(0), strings.Repeat("a", 51): policy(0),
		"none": nil, "empty": identity.Functions{}, "half": identity.Functions{ValidateSetUp: func(context.Context, *identity.Request) (identity.Outcome, error) { return identity.Outcome{}, nil }},
	} {
		if _, err := identity.New(identity.Options{Adapters: map[string]identity.Adapter{name: a}}); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestFunctionsByStage(t *testing.T) {
	var called []string
	stage := func(name string) func(context.Context, *identity.Request) (identity.Outcome, error) {
		return func(context.Context, *identity.Request) (identity.Outcome, error) {
			called = append(called, name)
			return identity.Outcome{}, nil
		}
	}
	p := providers(t, identity.Options{Adapters: map[string]identity.Adapter{"x": identity.Functions{
		ValidateAppID: func(context.Context, *identity.Request) error { called = append(called, "app"); return nil },
		ValidateSetUp: stage("setup"), ValidateLogin: stage("login"), ValidateUpdate: stage("update"),
	}}})
	for _, s := range []identity.Stage{identity.SetUp, identity.LogIn, identity.Update} {
		if _, err := p.Validate(t.Context(), &identity.Request{Provider: "x", Stage: s}); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(called, " "); got != "app setup app login app update" {
		t.Error(got)
	}
	if _, ok, err := p.Challenge(t.Context(), nil, &identity.Request{Provider: "x"}); ok || err != nil {
		t.Error("an adapter without a challenge challenges")
	}
}

func TestShow(t *testing.T) {
	type m = map[string]any
	p := providers(t, identity.Options{
		Adapters: m2a{"plain": policy(0), "f": identity.Functions{ValidateAuthData: policy(0).Validate}, "id": identity.Functions{
			ValidateAuthData: policy(0).Validate,
			Shown: func(stored map[string]any, v identity.Viewer) map[string]any {
				if v.Master {
					return stored
				}
				return m{"id": stored["id"]}
			},
		}},
		Reserved: m2a{"gone": identity.Functions{Shown: func(map[string]any, identity.Viewer) map[string]any { return m{} }}},
	})
	for _, tt := range []struct {
		name         string
		master       bool
		stored, want m
		changed      bool
	}{
		{"as it is", false, m{"plain": m{"id": "1", "t": "x"}, "f": m{"id": "1"}, "unknown": m{"id": "2"}}, m{"plain": m{"id": "1", "t": "x"}, "f": m{"id": "1"}, "unknown": m{"id": "2"}}, false},
		{"less", false, m{"id": m{"id": "1", "t": "x"}, "plain": m{}}, m{"id": m{"id": "1"}, "plain": m{}}, true},
		{"all to the master key", true, m{"id": m{"id": "1", "t": "x"}}, m{"id": m{"id": "1", "t": "x"}}, true},
		{"of a provider that is no more", false, m{"gone": m{"secret": "x"}}, m{"gone": m{}}, true},
		{"without what was unlinked", false, m{"plain": nil, "f": m{"id": "1"}}, m{"f": m{"id": "1"}}, true},
		{"what is no object", false, m{"id": "x"}, m{"id": "x"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := fmt.Sprint(tt.stored)
			got, changed := p.Show(tt.stored, identity.Viewer{Master: tt.master})
			if !reflect.DeepEqual(got, tt.want) || changed != tt.changed || fmt.Sprint(tt.stored) != before {
				t.Errorf("got %v, %v", got, changed)
			}
		})
	}
}

type m2a = map[string]identity.Adapter

// TestCallsAreBounded asks more than may be asked at a time of an adapter that doesn't answer.
func TestCallsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most, ran atomic.Int64
		p, err := identity.New(identity.Options{
			MaxCalls: 3, Timeout: time.Second, Logger: quiet(),
			Adapters: map[string]identity.Adapter{"slow": identity.Functions{
				ValidateAuthData: func(ctx context.Context, _ *identity.Request) (identity.Outcome, error) {
					most.Store(max(most.Load(), running.Add(1)))
					defer running.Add(-1)
					ran.Add(1)
					<-ctx.Done()
					return identity.Outcome{}, ctx.Err()
				},
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var busy atomic.Int64
		for range 20 {
			wg.Go(func() {
				_, err := p.Validate(t.Context(), &identity.Request{Provider: "slow"})
				if e := parseerror.From(err); e != nil && e.Status == 429 {
					busy.Add(1)
				} else if err == nil {
					t.Error("an adapter that doesn't answer is taken for one that agrees")
				}
			})
		}
		wg.Wait()
		if most.Load() != 3 || busy.Load() == 0 || ran.Load()+busy.Load() != 20 {
			t.Errorf("%d at a time, %d asked, %d refused", most.Load(), ran.Load(), busy.Load())
		}
	})
}
