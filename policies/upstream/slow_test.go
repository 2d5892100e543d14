package upstream

import (
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parsescale/parsescale/policies/balance"
	"github.com/parsescale/parsescale/policies/breaker"
)

// TestSlowShare simulates pools with breakers that open for slowness, at fifty requests a second for a minute: the one worker that
// is slow gets no requests, and workers that are slow together, or slow at what takes long anyway, all get theirs.
func TestSlowShare(t *testing.T) {
	const threshold = 200 * time.Millisecond
	since := func(begun time.Time, d time.Duration) bool { return time.Since(begun) >= d }
	for _, test := range []struct {
		name string
		took []func(begun time.Time) time.Duration // by the workers
		// open are those whose breakers are open at some time of the last half minute; nil: any.
		open []bool
		slow time.Duration
	}{
		{name: "one of three is slow", took: takes(time.Second, 10*time.Millisecond, 10*time.Millisecond), open: []bool{true, false, false}},
		{name: "one of two is slow", took: takes(time.Second, 10*time.Millisecond), open: []bool{true, false}},
		{name: "all are slow", took: takes(time.Second, time.Second, time.Second), open: []bool{false, false, false}},
		{name: "the only one is slow", took: takes(time.Second), open: []bool{false}},
		{name: "two of three are slow", took: takes(time.Second, time.Second, 10*time.Millisecond), open: []bool{false, false, false}},
		{name: "one of three is slow, then another one, too: they may take turns", took: []func(time.Time) time.Duration{
			func(time.Time) time.Duration { return time.Second },
			func(begun time.Time) time.Duration {
				if since(begun, 15*time.Second) {
					return time.Second
				}
				return 10 * time.Millisecond
			},
			func(time.Time) time.Duration { return 10 * time.Millisecond },
		}},
		{name: "three of four are slow", took: takes(time.Second, time.Second, time.Second, 10*time.Millisecond), open: []bool{false, false, false, false}},
		{name: "functions are slow", took: takes(time.Second, 10*time.Millisecond), open: []bool{false, false}, slow: -1},
		{name: "what is slow takes longer at others, too", took: takes(time.Second, 10*time.Millisecond), open: []bool{false, false}, slow: 2 * time.Second},
		{name: "it was slow, and isn't any more", open: []bool{false, false}, took: []func(time.Time) time.Duration{
			func(begun time.Time) time.Duration {
				if since(begun, 15*time.Second) {
					return 10 * time.Millisecond
				}
				return time.Second
			},
			func(time.Time) time.Duration { return 10 * time.Millisecond },
		}},
		{name: "one was slow first, then all are", open: []bool{false, false, false}, took: []func(time.Time) time.Duration{
			func(time.Time) time.Duration { return time.Second },
			func(begun time.Time) time.Duration {
				if since(begun, 15*time.Second) {
					return time.Second
				}
				return 10 * time.Millisecond
			},
			func(begun time.Time) time.Duration {
				if since(begun, 15*time.Second) {
					return time.Second
				}
				return 10 * time.Millisecond
			},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				var handlers []http.HandlerFunc
				for _, took := range test.took {
					handlers = append(handlers, func(w http.ResponseWriter, r *http.Request) {
						time.Sleep(took(begun))
						_, _ = io.WriteString(w, "{}")
					})
				}
				o := Options{Breaker: breaker.Options{SlowShare: 0.5, MaxOpenFor: 5 * time.Second}, Policy: balance.RoundRobin, Balance: balance.Options{SlowStart: -1, IntN: rand.IntN}}
				v := newVirtual(t, o, handlers...)
				defer v.end()
				slow := threshold
				if test.slow != 0 {
					slow = max(test.slow, 0)
				}
				var failed atomic.Int64
				least, opened := len(handlers), make([]bool, len(handlers))
				var wg sync.WaitGroup
				for i := range 60 * 50 {
					wg.Go(func() {
						if _, err := v.Do(t.Context(), &Request{Method: "GET", URI: "/x", Slow: slow}); err != nil {
							failed.Add(1)
						}
					})
					time.Sleep(20 * time.Millisecond)
					least = min(least, v.Available())
					for j, s := range v.Status() {
						opened[j] = opened[j] || s.Breaker == "open" && i > 30*50
					}
				}
				wg.Wait()
				if failed.Load() > 0 || least < (len(handlers)+1)/2 {
					t.Errorf("%d requests failed, and %d of %d workers could be asked at the worst", failed.Load(), least, len(handlers))
				}
				for j := range test.open {
					if opened[j] != test.open[j] {
						t.Errorf("the breaker of worker %d was open: %v, want %v", j, opened[j], test.open[j])
					}
				}
			})
		})
	}
}

// takes are workers that each take the same for everything.
func takes(d ...time.Duration) (all []func(time.Time) time.Duration) {
	for _, one := range d {
		all = append(all, func(time.Time) time.Duration { return one })
	}
	return all
}

// TestSlowAtOnce: of three workers of which two become slow in the same moment only one may be taken out.
func TestSlowAtOnce(t *testing.T) {
	const window = 20
	for range 3000 {
		p := New(Options{Breaker: breaker.Options{SlowShare: 0.5, MinRequests: window}})
		for _, name := range []string{"a", "b", "c"} {
			if err := p.Add(Target{Name: name, Address: "127.0.0.1:1"}); err != nil {
				t.Fatal(err)
			}
		}
		members := *p.members.Load()
		last := make([]*seat, 2)
		for i, w := range members {
			for n := range window {
				s := w.take(time.Now(), false)
				switch {
				case i < len(last) && n == window-1:
					last[i] = s // with it half of the worker's calls are slow
				case i < len(last) && n >= window/2:
					s.leave(outcome{breaker: breaker.Slow})
				default:
					s.leave(outcome{})
				}
			}
		}
		var wg sync.WaitGroup
		var ready atomic.Int32
		for _, s := range last {
			wg.Go(func() {
				for ready.Add(1); ready.Load() < int32(len(last)); { //nolint:revive // it spins, to be there at the same moment
				}
				s.leave(outcome{breaker: breaker.Slow})
			})
		}
		wg.Wait()
		if n := p.Available(); n != 2 {
			t.Fatalf("%d of 3 workers are left", n)
		}
		_ = p.Close()
	}
}
