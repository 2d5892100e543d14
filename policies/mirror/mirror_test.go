package mirror

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func says(status int, body string) Ask {
	return func(context.Context) (Answer, error) { return Answer{status, []byte(body)}, nil }
}

func nobody(Outcome, string) {}

func TestCompare(t *testing.T) {
	down := func(context.Context) (Answer, error) { return Answer{}, errors.New("no worker is available") }
	const one, two = `{"objectId":"a","n":1}`, `{"objectId":"b","n":2}`
	results := func(all ...string) string { return `{"results":[` + strings.Join(all, ",") + `]}` }
	for _, test := range []struct {
		name       string
		first      string
		ordered    bool
		again      Ask // nil: as first
		second     Ask
		want       Outcome
		difference string
	}{
		{name: "the same bytes", first: results(one, two), second: says(200, results(one, two)), want: Same},
		{name: "the same values", first: one, second: says(200, `{"n":1.0, "objectId":"a"}`), want: Same},
		{name: "another status", first: one, second: says(404, one), want: Different, difference: "status 404 instead of 200"},
		{name: "another value", first: one, second: says(200, `{"objectId":"a","n":9}`), want: Different, difference: "the body.n: another number"},
		{name: "another kind", first: one, second: says(200, `{"objectId":"a","n":"1"}`), want: Different, difference: "the body.n: text instead of number"},
		{name: "a field is missing", first: one, second: says(200, `{"objectId":"a"}`), want: Different, difference: "the body.n: missing"},
		{name: "a field too many", first: one, second: says(200, `{"objectId":"a","n":1,"m":1}`), want: Different, difference: "the body.m: not expected"},
		{name: "an object is missing", first: results(one, two), second: says(200, results(one)), want: Different, difference: "the body.results: 1 elements instead of 2"},
		{name: "a field of an object", first: results(one, two), second: says(200, results(one, `{"objectId":"b","n":null}`)), want: Different, difference: "the body.results[].n: null instead of number"},
		{name: "data within a field isn't told", first: `{"results":[{"map":{"secret name":1}}]}`, second: says(200, `{"results":[{"map":{"secret name":2}}]}`), want: Different, difference: "the body.results[].map: another number"},
		{name: "another order, where none was asked for", first: results(one, two), second: says(200, results(two, one)), want: Order},
		{name: "another order", first: results(one, two), ordered: true, second: says(200, results(two, one)), want: Different, difference: "the body.results[].n: another number"},
		{name: "another order and another value", first: results(one, two), second: says(200, results(two, `{"objectId":"a","n":3}`)), want: Different, difference: "the body.results[].n: another number"},
		{name: "no JSON", first: "ok", second: says(200, "nope"), want: Different, difference: "4 bytes that are no JSON instead of 2"},
		{name: "no JSON in place of it", first: one, second: says(200, "<html>"), want: Different, difference: "something else instead of JSON"},
		{name: "the data changed meanwhile", first: one, again: says(200, two), second: says(200, two), want: Changed},
		{name: "the first pool has gone meanwhile", first: one, again: down, second: says(200, two), want: Changed},
		{name: "the second pool doesn't answer", first: one, second: down, want: Failed, difference: "no worker is available"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var told string
			report := func(o Outcome, difference string) { told = o.String() + ": " + difference }
			m := New(Options{Share: 1})
			if !m.Draw() {
				t.Fatal("not drawn")
			}
			again := test.again
			if again == nil {
				again = says(200, test.first)
			}
			m.Compare(Answer{200, []byte(test.first)}, test.ordered, again, test.second, report)
			m.running.Wait()
			m.Close()
			if n := m.Counts(); n[test.want] != 1 {
				t.Errorf("outcomes %v, want one that is %s", n, test.want)
			}
			want := ""
			if test.difference != "" {
				want = test.want.String() + ": " + test.difference
			}
			if told != want {
				t.Errorf("reported %q, want %q", told, want)
			}
		})
	}
}

// TestBounds: comparisons take neither more than their number nor more than their time, and wait for nobody.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{Share: 1, Limit: 2, Timeout: time.Second})
		hangs := func(ctx context.Context) (Answer, error) { <-ctx.Done(); return Answer{}, ctx.Err() }
		begun := time.Now()
		for range 5 {
			m.Compare(Answer{200, nil}, false, hangs, hangs, nobody)
		}
		if time.Since(begun) > 0 {
			t.Error("a request waits for its comparison")
		}
		m.running.Wait()
		if n := m.Counts(); n[Failed] != 2 || n[Skipped] != 3 || time.Since(begun) != time.Second {
			t.Errorf("%v after %v", n, time.Since(begun))
		}
		m.Compare(Answer{200, nil}, false, hangs, hangs, nobody)
		m.Close()
		m.Compare(Answer{200, nil}, false, hangs, hangs, nobody)
		if n := m.Counts(); n[Failed] != 2 {
			t.Errorf("what was under way at the end counts: %v", n)
		}
	})
}

func TestShare(t *testing.T) {
	for _, test := range []struct {
		share, drawn float64
		want         bool
	}{{0, 0, false}, {0.1, 0.09, true}, {0.1, 0.1, false}, {1, 0.999, true}} {
		m := New(Options{Share: test.share, Float64: func() float64 { return test.drawn }})
		if got := m.Draw(); got != test.want {
			t.Errorf("share %v, drawn %v: %v", test.share, test.drawn, got)
		}
		m.Close()
	}
}

func TestConcurrentClose(t *testing.T) {
	m := New(Options{Share: 1})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for range 100 {
				m.Compare(Answer{200, []byte("{}")}, false, says(200, "{}"), says(200, "{}"), nobody)
			}
		})
	}
	m.Close()
	clients.Wait()
}

func FuzzDifference(f *testing.F) {
	f.Add([]byte(`{"results":[{"a":1}]}`), []byte(`{"results":[{"a":2}]}`))
	f.Add([]byte(`[1,null,"x"]`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		ab, ba := difference(a, b), difference(b, a)
		if (ab == "") != (ba == "") {
			t.Errorf("%q one way, %q the other", ab, ba)
		}
		if v, err := decode(a); err == nil && difference(a, a) != "" {
			t.Errorf("%v differs from itself", v)
		}
		sameResults(a, b)
	})
}
