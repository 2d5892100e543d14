package breaker

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestSlowShare: a breaker opens by the share of slow calls, in a window, with a minimum of calls, if it may.
func TestSlowShare(t *testing.T) {
	slow := Options{SlowShare: 0.5}
	for _, test := range []struct {
		name string
		o    Options
		run  func(t *testing.T, b *Breaker)
		want State
	}{
		{"off", Options{}, func(t *testing.T, b *Breaker) { sendMany(t, b, 1000, Slow) }, Closed},
		{"all slow", slow, func(t *testing.T, b *Breaker) { sendMany(t, b, 20, Slow) }, Open},
		{"too few", slow, func(t *testing.T, b *Breaker) { sendMany(t, b, 19, Slow) }, Closed},
		{"half of them", slow, func(t *testing.T, b *Breaker) {
			for range 10 {
				send(t, b, Success)
				send(t, b, Slow)
			}
		}, Open},
		{"a third", slow, func(t *testing.T, b *Breaker) {
			for range 50 {
				sendMany(t, b, 2, Success)
				send(t, b, Slow)
			}
		}, Closed},
		{"given up when it was slow already", slow, func(t *testing.T, b *Breaker) { sendMany(t, b, 20, GivenUp) }, Open},
		{"given up with slowness off", Options{}, func(t *testing.T, b *Breaker) { sendMany(t, b, 20, GivenUp) }, Closed},
		{"what says nothing", slow, func(t *testing.T, b *Breaker) {
			sendMany(t, b, 19, Slow)
			sendMany(t, b, 100, Ignored)
		}, Closed},
		{"failures are no calls that were slow", slow, func(t *testing.T, b *Breaker) {
			for range 9 {
				send(t, b, Slow)
				send(t, b, Failure)
			}
		}, Closed},
		{"a slow one ends a row of failures", slow, func(t *testing.T, b *Breaker) {
			sendMany(t, b, 4, Failure)
			send(t, b, Slow)
			sendMany(t, b, 4, Failure)
		}, Closed},
		{"one given up doesn't", slow, func(t *testing.T, b *Breaker) {
			sendMany(t, b, 4, Failure)
			send(t, b, GivenUp)
			send(t, b, Failure)
		}, Open},
		{"older than the window", slow, func(t *testing.T, b *Breaker) {
			sendMany(t, b, 19, Slow)
			time.Sleep(11 * time.Second)
			send(t, b, Slow)
		}, Closed},
		{"it may not", Options{SlowShare: 0.5, OpensSlow: func(share float64, least uint32) bool { return share != 0.5 || least != 20 }},
			func(t *testing.T, b *Breaker) { sendMany(t, b, 1000, Slow) }, Closed},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := New(steady(test.o))
				test.run(t, b)
				wantState(t, b, test.want)
			})
		})
	}
}

// TestSlowProbes: a breaker that opened for slowness closes when its probes are quick, or when it is no longer alone with it.
func TestSlowProbes(t *testing.T) {
	for _, test := range []struct {
		name  string
		opens Outcome // what it opened for
		alone bool    // when it is probed
		probe Outcome
		want  State
	}{
		{"quick again", Slow, true, Success, Closed},
		{"still slow", Slow, true, Slow, Open},
		{"still too slow to wait for", Slow, true, GivenUp, Open},
		{"all are slow by now", Slow, false, Slow, Closed},
		{"failing", Slow, true, Failure, Open},
		{"no failure any more, but slow", Failure, true, Slow, Closed},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				alone := true
				b := New(steady(Options{SlowShare: 0.5, OpensSlow: func(float64, uint32) bool { return alone }}))
				for b.State() == Closed {
					send(t, b, test.opens)
				}
				wantRefused(t, b, ErrOpen)
				time.Sleep(5 * time.Second)
				alone = test.alone
				for range 3 {
					if done, err := b.Allow(); err == nil {
						done(test.probe)
					}
				}
				wantState(t, b, test.want)
				if c := b.Calls(); c != (Calls{}) {
					t.Errorf("%+v is remembered", c)
				}
				if test.want == Open && b.Status().Opens != 2 {
					t.Errorf("%+v, want it to have opened twice", b.Status())
				}
			})
		})
	}
}
