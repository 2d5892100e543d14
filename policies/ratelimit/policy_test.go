package ratelimit

import (
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for s, want := range map[string]Policy{
		"20/10s":            {Quota: 20, Window: 10 * time.Second},
		"20/10s burst 40":   {Quota: 20, Window: 10 * time.Second, Burst: 40},
		"1000/1m  burst  1": {Quota: 1000, Window: time.Minute, Burst: 1},
		"5/s":               {Quota: 5, Window: time.Second},
		"5/1h30m":           {Quota: 5, Window: 90 * time.Minute},
		"3/500ms":           {Quota: 3, Window: 500 * time.Millisecond},
	} {
		got, err := Parse(s)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "20", "/10s", "20/", "20/10", "x/10s", "20/10s burst", "20/10s burst x",
		"20/10s burst 0", "20/10s burst -1", "20/10s 40", "0/10s", "-1/10s", "20/-10s", "20/0s", "20/10s burst 5 6",
		"99999999999999999999/1s", "1/1s burst 99999999999999"} {
		if p, err := Parse(s); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", s, p)
		} else if !strings.HasPrefix(err.Error(), "cannot parse rate") {
			t.Errorf("Parse(%q): error %q", s, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"20/10s", "20/10s burst 40", "5/s", "1/1h1m", "9223372036854775807/2562047h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(p.String())
		if err != nil || again != p {
			t.Fatalf("%q: %+v, but its text %q gives %+v, %v", s, p, p.String(), again, err)
		}
		l, err := New([]Policy{p}, Options{MaxKeys: 1})
		if err != nil {
			t.Fatalf("%q is parsed but refused: %v", s, err)
		}
		if d := l.Take("k", 1); !d.OK {
			t.Fatalf("%q: the first request is refused: %+v", s, d)
		}
	})
}

func TestPolicyHeader(t *testing.T) {
	for _, test := range []struct {
		name     string
		policies []Policy
		want     string
	}{
		{"seconds", []Policy{{Quota: 20, Window: 10 * time.Second}}, `"default";q=20;w=10`},
		{"two", []Policy{{Name: "burst", Quota: 10, Window: time.Second}, {Name: "daily", Quota: 5000, Window: 24 * time.Hour}},
			`"burst";q=10;w=1, "daily";q=5000;w=86400`},
		{"half a second", []Policy{{Quota: 20, Window: 500 * time.Millisecond}}, `"default";q=40;w=1`},
		{"one second and a half", []Policy{{Quota: 3, Window: 1500 * time.Millisecond}}, `"default";q=4;w=2`},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, err := New(test.policies, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := l.PolicyHeader(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestDecisionHeaders(t *testing.T) {
	for _, test := range []struct {
		name  string
		d     Decision
		limit string
		retry int64
	}{
		{"passed", Decision{OK: true, Policy: "default", Remaining: 5, ResetAfter: 1200 * time.Millisecond}, `"default";r=5;t=2`, 0},
		{"full", Decision{OK: true, Policy: "default", Remaining: 5}, `"default";r=5;t=0`, 0},
		{"refused for a moment", Decision{Policy: "d", ResetAfter: time.Second, RetryAfter: time.Nanosecond}, `"d";r=0;t=1`, 1},
		{"refused", Decision{Policy: "d", ResetAfter: 10 * time.Second, RetryAfter: 2001 * time.Millisecond}, `"d";r=0;t=10`, 3},
		{"never", Decision{Never: true, Policy: "d", Remaining: 3}, `"d";r=3;t=0`, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.d.Header(); got != test.limit {
				t.Errorf("RateLimit: %s, want %s", got, test.limit)
			}
			if got := test.d.RetryAfterSeconds(); got != test.retry {
				t.Errorf("Retry-After: %d, want %d", got, test.retry)
			}
		})
	}
}
