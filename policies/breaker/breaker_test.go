package breaker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// steady has no jitter.
func steady(o Options) Options {
	o.Jitter = -1
	return o
}

// send lets a request pass and end at once.
func send(t *testing.T, b *Breaker, o Outcome) {
	t.Helper()
	done, err := b.Allow()
	if err != nil {
		t.Fatalf("refused: %v (%+v)", err, b.Status())
	}
	done(o)
}

func sendMany(t *testing.T, b *Breaker, n int, o Outcome) {
	t.Helper()
	for range n {
		send(t, b, o)
	}
}

func wantState(t *testing.T, b *Breaker, want State) {
	t.Helper()
	if got := b.State(); got != want {
		t.Fatalf("state %v, want %v (%+v)", got, want, b.Status())
	}
}

func wantRefused(t *testing.T, b *Breaker, want error) {
	t.Helper()
	done, err := b.Allow()
	if !errors.Is(err, want) || done != nil {
		t.Fatalf("Allow: %v, want %v", err, want)
	}
}

func TestOpensAndCloses(t *testing.T) {
	for _, test := range []struct {
		name string
		o    Options
		run  func(t *testing.T, b *Breaker)
		want State
	}{
		{"consecutive failures", Options{}, func(t *testing.T, b *Breaker) { sendMany(t, b, 5, Failure) }, Open},
		{"one fewer", Options{}, func(t *testing.T, b *Breaker) { sendMany(t, b, 4, Failure) }, Closed},
		{"a success in between", Options{}, func(t *testing.T, b *Breaker) {
			sendMany(t, b, 4, Failure)
			send(t, b, Success)
			sendMany(t, b, 4, Failure)
		}, Closed},
		{"an ignored one in between doesn't help", Options{}, func(t *testing.T, b *Breaker) {
			sendMany(t, b, 4, Failure)
			sendMany(t, b, 100, Ignored)
			send(t, b, Failure)
		}, Open},
		{"ignored ones alone", Options{}, func(t *testing.T, b *Breaker) { sendMany(t, b, 1000, Ignored) }, Closed},
		{"half of them fail", Options{}, func(t *testing.T, b *Breaker) {
			for range 10 {
				send(t, b, Success)
				send(t, b, Failure)
			}
		}, Open},
		{"half of too few fail", Options{}, func(t *testing.T, b *Breaker) {
			for range 9 {
				send(t, b, Success)
				send(t, b, Failure)
			}
		}, Closed},
		{"a third fails", Options{}, func(t *testing.T, b *Breaker) {
			for range 100 {
				sendMany(t, b, 2, Success)
				send(t, b, Failure)
			}
		}, Closed},
		{"a share of its own", Options{Share: 0.3}, func(t *testing.T, b *Breaker) {
			for range 7 {
				sendMany(t, b, 2, Success)
				send(t, b, Failure)
			}
		}, Open},
		{"failures older than the window", Options{}, func(t *testing.T, b *Breaker) {
			for range 9 {
				send(t, b, Success)
				send(t, b, Failure)
			}
			time.Sleep(11 * time.Second)
			send(t, b, Success)
			send(t, b, Failure)
		}, Closed},
		{"requests that take longer than the window", Options{}, func(t *testing.T, b *Breaker) {
			for range 5 {
				done, err := b.Allow()
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				done(Failure)
			}
		}, Closed}, // more than a window apart: not in a row within one
		{"many requests that time out together", Options{}, func(t *testing.T, b *Breaker) {
			var all []Done
			for range 5 {
				done, err := b.Allow()
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, done)
			}
			time.Sleep(time.Minute)
			for _, done := range all {
				done(Failure)
			}
		}, Open},
		{"requests under way don't dilute the share", Options{Failures: 1000}, func(t *testing.T, b *Breaker) {
			for range 1000 {
				if _, err := b.Allow(); err != nil {
					t.Fatal(err)
				}
			}
			sendMany(t, b, 20, Failure)
		}, Open},
		{"probes succeed", Options{}, func(t *testing.T, b *Breaker) {
			sendMany(t, b, 5, Failure)
			time.Sleep(5 * time.Second)
			sendMany(t, b, 3, Success)
		}, Closed},
		{"probes succeed so far", Options{}, func(t *testing.T, b *Breaker) {
			sendMany(t, b, 5, Failure)
			time.Sleep(5 * time.Second)
			sendMany(t, b, 2, Success)
		}, HalfOpen},
		{"a probe fails", Options{}, func(t *testing.T, b *Breaker) {
			sendMany(t, b, 5, Failure)
			time.Sleep(5 * time.Second)
			sendMany(t, b, 2, Success)
			send(t, b, Failure)
		}, Open},
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

func TestOpenRefusesUntilItsTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(steady(Options{}))
		opened := time.Now()
		sendMany(t, b, 5, Failure)
		if at := b.Status().RetryAt; !at.Equal(opened.Add(5 * time.Second)) {
			t.Errorf("RetryAt is %v after it opened, want 5s", at.Sub(opened))
		}
		time.Sleep(5*time.Second - time.Millisecond)
		wantRefused(t, b, ErrOpen)
		if b.Ready() {
			t.Error("ready while open")
		}
		time.Sleep(time.Millisecond)
		if !b.Ready() {
			t.Error("not ready after its time")
		}
		send(t, b, Success)
		wantState(t, b, HalfOpen)
	})
}

// openTime measures how long an open breaker refuses.
func openTime(t *testing.T, b *Breaker) time.Duration {
	t.Helper()
	wantState(t, b, Open)
	start := time.Now()
	for !b.Ready() {
		time.Sleep(100 * time.Millisecond)
	}
	return time.Since(start)
}

func TestOpenTimeGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(steady(Options{Probes: 1}))
		sendMany(t, b, 5, Failure)
		for _, want := range []time.Duration{5, 10, 20, 40, 60, 60} {
			if got := openTime(t, b); got != want*time.Second {
				t.Fatalf("open for %v, want %ds", got, want)
			}
			send(t, b, Failure)
		}
		openTime(t, b)
		send(t, b, Success)
		wantState(t, b, Closed)
		// It fails again at once: no fresh start.
		sendMany(t, b, 5, Failure)
		if got := openTime(t, b); got != 60*time.Second {
			t.Fatalf("open for %v after a short recovery, want 60s", got)
		}
		send(t, b, Success)
		time.Sleep(10 * time.Second)
		sendMany(t, b, 5, Failure)
		if got := openTime(t, b); got != 5*time.Second {
			t.Fatalf("open for %v after a whole window closed, want 5s", got)
		}
	})
}

func TestOpenTimeIsJittered(t *testing.T) {
	for _, test := range []struct {
		rand float64
		want time.Duration
	}{{0, 4 * time.Second}, {0.5, 5 * time.Second}, {0.999999, 6 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			b := New(Options{Jitter: 0.2, Rand: func() float64 { return test.rand }})
			sendMany(t, b, 5, Failure)
			if got := openTime(t, b); got != test.want {
				t.Errorf("open for %v, want %v", got, test.want)
			}
			send(t, b, Success) // gobreaker is ready as well
			wantState(t, b, HalfOpen)
		})
	}
}

func TestProbesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(steady(Options{Probes: 2}))
		sendMany(t, b, 5, Failure)
		time.Sleep(5 * time.Second)
		first, err := b.Allow()
		if err != nil {
			t.Fatal(err)
		}
		if _, err = b.Allow(); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, b, ErrTooManyProbes)
		first(Ignored) // gives its place back
		if _, err = b.Allow(); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, b, ErrTooManyProbes)
	})
}

func TestLostProbesGiveTheirPlacesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(steady(Options{Probes: 2}))
		sendMany(t, b, 5, Failure)
		time.Sleep(5 * time.Second)
		lost, err := b.Allow()
		if err != nil {
			t.Fatal(err)
		}
		for round := range 5 { // both places are lost again and again
			for {
				if _, err := b.Allow(); err != nil {
					break
				}
			}
			time.Sleep(29 * time.Second)
			wantRefused(t, b, ErrTooManyProbes)
			time.Sleep(time.Second)
			if n := len(b.probes); n > 2 {
				t.Fatalf("round %d: remembers %d probes", round, n)
			}
		}
		lost(Failure) // far too late to count
		sendMany(t, b, 2, Success)
		wantState(t, b, Closed)
	})
}

func TestDoneCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(steady(Options{}))
		done, err := b.Allow()
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			done(Failure)
		}
		wantState(t, b, Closed)
		if s := b.Status(); s.Failures != 1 {
			t.Errorf("%d failures, want 1", s.Failures)
		}
	})
}

// What began before the breaker opened says nothing about the time after.
func TestLateOutcomesDontCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(steady(Options{Probes: 1}))
		var late []Done
		for range 20 {
			done, err := b.Allow()
			if err != nil {
				t.Fatal(err)
			}
			late = append(late, done)
		}
		sendMany(t, b, 5, Failure)
		late[0](Success)
		wantState(t, b, Open)
		time.Sleep(5 * time.Second)
		probe, err := b.Allow()
		if err != nil {
			t.Fatal(err)
		}
		late[1](Failure)
		wantState(t, b, HalfOpen)
		probe(Success)
		wantState(t, b, Closed)
		for _, done := range late {
			done(Failure)
		}
		wantState(t, b, Closed)
	})
}

func TestOnChangeIsCalledInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		var b *Breaker
		b = New(steady(Options{Probes: 1, OnChange: func(from, to State) {
			got = append(got, from.String()+">"+to.String())
			b.Status() // may be read from here
		}}))
		sendMany(t, b, 5, Failure)
		time.Sleep(5 * time.Second)
		send(t, b, Failure)
		time.Sleep(10 * time.Second)
		send(t, b, Success)
		want := "[closed>open open>half-open half-open>open open>half-open half-open>closed]"
		if s := fmt.Sprint(got); s != want {
			t.Errorf("got %s, want %s", s, want)
		}
	})
}

// A worker that fails half of the time, with many requests at once: never more probes than allowed, never wedged.
func TestConcurrentUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes atomic.Int64
		b := New(Options{Probes: 2, OnChange: func(from, to State) { changes.Add(1) }})
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(i), 1))
				for range 2000 { // open times double, so it takes long until there are some changes
					time.Sleep(time.Duration(r.IntN(500)) * time.Millisecond)
					done, err := b.Allow()
					if err != nil {
						continue
					}
					time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
					switch r.IntN(10) {
					case 0: // forgotten
					case 1:
						done(Ignored)
					case 2, 3, 4, 5:
						done(Failure)
					default:
						done(Success)
						done(Failure)
					}
				}
			})
		}
		wg.Wait()
		if changes.Load() < 4 {
			t.Errorf("only %d changes of state: the test tests nothing", changes.Load())
		}
		// However it ended, a healthy worker comes back.
		deadline := time.Now().Add(5 * time.Minute)
		for b.State() != Closed && time.Now().Before(deadline) {
			if done, err := b.Allow(); err == nil {
				done(Success)
			}
			time.Sleep(time.Second)
		}
		wantState(t, b, Closed)
	})
}
