package upstream

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parsescale/parsescale/policies/balance"
	"github.com/parsescale/parsescale/policies/breaker"
	"github.com/parsescale/parsescale/policies/health"
)

// TestHedge: a read that takes longer than the delay is asked of a second worker; the first answer counts.
func TestHedge(t *testing.T) {
	const delay = 20 * time.Millisecond
	read := Request{Method: "POST", URI: "/x", Body: []byte("{}"), Hedge: true}
	slow, slower, quick := after(time.Second, "slow"), after(2*time.Second, "slower"), after(10*time.Millisecond, "quick")
	with := func(change func(*Request)) Request { r := read; change(&r); return r }
	for _, test := range []struct {
		name     string
		o        Options
		r        Request
		before   func(v *virtual)
		handlers []http.HandlerFunc
		body     string
		asked    string
		took     time.Duration
		hedges   Hedges
		failures []uint64
	}{
		{name: "the second is quicker", handlers: []http.HandlerFunc{slow, quick}, body: "quick", asked: "[a b]", took: delay + 10*time.Millisecond, hedges: Hedges{Won: 1}},
		{name: "the first is quicker", handlers: []http.HandlerFunc{slow, slower}, body: "slow", asked: "[a b]", took: time.Second, hedges: Hedges{Lost: 1}},
		{name: "it is quick enough", handlers: []http.HandlerFunc{quick, slow}, body: "quick", asked: "[a]", took: 10 * time.Millisecond},
		{name: "the second fails", handlers: []http.HandlerFunc{slow, abort}, body: "slow", asked: "[a b]", took: time.Second, hedges: Hedges{Lost: 1}, failures: []uint64{0, 1}},
		{name: "the second refuses", handlers: []http.HandlerFunc{slow, status(503)}, body: "slow", asked: "[a b]", took: time.Second, hedges: Hedges{Lost: 1}, failures: []uint64{0, 1}},
		{name: "the first fails while the second is asked", handlers: []http.HandlerFunc{later(100*time.Millisecond, abort), slow}, body: "slow", asked: "[a b]", took: delay + time.Second, hedges: Hedges{Won: 1}, failures: []uint64{1, 0}},
		{name: "both fail", handlers: []http.HandlerFunc{later(100*time.Millisecond, abort), later(200*time.Millisecond, abort), quick}, body: "quick", asked: "[a b c]", took: delay + 210*time.Millisecond, hedges: Hedges{Failed: 1}, failures: []uint64{1, 1, 0}},
		{name: "there is one worker", handlers: []http.HandlerFunc{slow}, body: "slow", asked: "[a]", took: time.Second, hedges: Hedges{Alone: 1}},
		{name: "the other worker is half open", handlers: []http.HandlerFunc{slow, quick}, before: func(v *virtual) {
			w := v.member("b")
			for range 5 {
				w.blame()
			}
			time.Sleep(time.Minute)
		}, body: "slow", asked: "[a]", took: time.Second, hedges: Hedges{Alone: 1}},
		{name: "there is no room", o: Options{Hedge: Hedge{Spare: func() bool { return false }}}, handlers: []http.HandlerFunc{slow, quick}, body: "slow", asked: "[a]", took: time.Second, hedges: Hedges{Capped: 1}},
		{name: "the retry budget is spent", o: Options{RetryShare: 1e-9, RetryPerSecond: 1e-9}, handlers: []http.HandlerFunc{slow, quick}, body: "slow", asked: "[a]", took: time.Second, hedges: Hedges{Capped: 1}},
		{name: "a write", r: with(func(r *Request) { r.Write = true }), handlers: []http.HandlerFunc{slow, quick}, body: "slow", asked: "[a]", took: time.Second},
		{name: "a read that isn't to be", r: with(func(r *Request) { r.Hedge = false }), handlers: []http.HandlerFunc{slow, quick}, body: "slow", asked: "[a]", took: time.Second},
		{name: "a stream", r: with(func(r *Request) { r.Body, r.Stream, r.StreamLength = nil, strings.NewReader("{}"), 2 }), handlers: []http.HandlerFunc{slow, quick}, body: "slow", asked: "[a]", took: time.Second},
		{name: "no time is known", o: Options{Hedge: Hedge{Delay: -1}}, handlers: []http.HandlerFunc{slow, quick}, body: "slow", asked: "[a]", took: time.Second},
		{name: "with a time for each attempt", r: with(func(r *Request) { r.TryTimeout = 100 * time.Millisecond }), handlers: []http.HandlerFunc{slow, slower, quick}, body: "slow", asked: "[a b]", took: time.Second, hedges: Hedges{Lost: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.o.Hedge.Share = MaxHedgeShare
				if test.o.Hedge.Delay == 0 {
					test.o.Hedge.Delay = delay
				}
				if test.o.Health.Failures == 0 {
					test.o.Health = health.Options{Failures: -1}
				}
				v := newVirtual(t, test.o, test.handlers...)
				defer v.end()
				for range 20 { // one of twenty is allowed
					v.hedging.budget.request()
				}
				if test.before != nil {
					test.before(v)
				}
				r := test.r
				if r.Method == "" {
					r = read
				}
				blamed := make([]uint64, len(test.handlers))
				for i, s := range v.Status() {
					blamed[i] = s.Failures
				}
				v.wants(t, &r, test.body, test.asked, test.took)
				if got := v.Hedges(); got != test.hedges {
					t.Errorf("%+v, want %+v", got, test.hedges)
				}
				if test.failures == nil {
					test.failures = make([]uint64, len(test.handlers))
				}
				for i, s := range v.Status() {
					if got := s.Failures - blamed[i]; got != test.failures[i] || s.InFlight != 0 {
						t.Errorf("worker %s has %d failures, %d under way, want %d and none", s.Name, got, s.InFlight, test.failures[i])
					}
				}
			})
		})
	}
}

// TestHedgeEnds: the attempt that isn't needed ends at its worker, also when it is the whole request that ends, and of two
// answers that are streamed one is closed.
func TestHedgeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		ended := map[string]int{}
		until := func(name string, d time.Duration, body string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				select {
				case <-time.After(d):
					_, _ = io.WriteString(w, body)
				case <-r.Context().Done():
					mu.Lock()
					defer mu.Unlock()
					ended[name]++
				}
			}
		}
		v := newVirtual(t, Options{Hedge: Hedge{Share: MaxHedgeShare, Delay: 20 * time.Millisecond}, BufferLimit: 10, Breaker: breaker.Options{Failures: 1}},
			until("a", time.Minute, ""), until("b", 10*time.Millisecond, strings.Repeat("b", 5000)))
		defer v.end()
		for range 100 {
			v.hedging.budget.request()
		}
		r := Request{Method: "POST", URI: "/x", Body: []byte("{}"), Hedge: true}
		res, err := v.Do(t.Context(), &r)
		if err != nil || res.Stream == nil || res.Worker != "b" || res.Attempts != 2 {
			t.Fatalf("%+v, %v", res, err)
		}
		if body, err := io.ReadAll(res.Stream); err != nil || len(body) != 5000 {
			t.Errorf("%d bytes, %v", len(body), err)
		}
		res.Stream.Close()
		synctest.Wait()
		mu.Lock()
		if ended["a"] != 1 || ended["b"] != 0 {
			t.Errorf("ended %v", ended)
		}
		mu.Unlock()
		v.blamesNobody(t)
		if s := v.Status()[0]; s.LatencyMS < 29 {
			t.Errorf("the slower worker looks as if it took %v ms", s.LatencyMS)
		}
		// The client leaves while both are asked.
		w := newVirtual(t, Options{Hedge: Hedge{Share: MaxHedgeShare, Delay: 20 * time.Millisecond}}, until("c", time.Minute, ""), until("d", time.Minute, ""))
		defer w.end()
		for range 100 {
			w.hedging.budget.request()
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(25*time.Millisecond, cancel)
		if _, err := w.Do(ctx, &r); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if ended["c"] != 1 || ended["d"] != 1 {
			t.Errorf("ended %v", ended)
		}
	})
}

// TestHedgeGain simulates three workers that are asked in turn, of which one stalls at some of its reads: with hedging the slowest reads
// of all are quicker, and no more reads are asked twice than allowed.
func TestHedgeGain(t *testing.T) {
	const reads, stall = 6000, 500 * time.Millisecond
	run := func(t *testing.T, hedge Hedge, stalls ...float64) (took []time.Duration, h Hedges, asked int) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			var mu sync.Mutex
			handler := func(share float64) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					mu.Lock()
					d := 5*time.Millisecond + time.Duration(random.ExpFloat64()*float64(time.Millisecond))
					if random.Float64() < share {
						d = stall
					}
					mu.Unlock()
					after(d, "{}")(w, r)
				}
			}
			var handlers []http.HandlerFunc
			for _, share := range stalls {
				handlers = append(handlers, handler(share))
			}
			v := newVirtual(t, Options{Hedge: hedge, Policy: balance.RoundRobin, Balance: balance.Options{SlowStart: -1, IntN: rand.IntN}}, handlers...)
			defer v.end()
			var wg sync.WaitGroup
			for range reads {
				time.Sleep(5 * time.Millisecond)
				wg.Go(func() {
					begun := time.Now()
					if _, err := v.Do(t.Context(), &Request{Method: "GET", URI: "/x", Hedge: true, Sort: 1}); err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					took = append(took, time.Since(begun))
				})
			}
			wg.Wait()
			h, asked = v.Hedges(), len(v.asked)
		})
		slices.Sort(took)
		return took, h, asked
	}
	at := func(took []time.Duration, q float64) time.Duration { return took[int(q*float64(len(took)))] }
	for _, test := range []struct {
		name   string
		stalls float64
		q      float64 // whose gain is asked for
	}{
		{"one of three stalls at 1% of its reads", 0.01, 0.998},
		{"one of three stalls at 4% of its reads", 0.04, 0.99},
	} {
		t.Run(test.name, func(t *testing.T) {
			without, _, _ := run(t, Hedge{}, test.stalls, 0, 0)
			with, h, asked := run(t, Hedge{Share: MaxHedgeShare}, test.stalls, 0, 0)
			t.Logf("p50 %s, then %s; p99 %s, then %s; p%g %s, then %s; %d requests for %d reads; %+v", at(without, .5), at(with, .5),
				at(without, .99), at(with, .99), 100*test.q, at(without, test.q), at(with, test.q), asked, reads, h)
			if at(without, test.q) < stall || at(with, test.q) > 50*time.Millisecond {
				t.Errorf("p%g is %s, then %s", 100*test.q, at(without, test.q), at(with, test.q))
			}
			if extra := asked - reads; float64(extra) > MaxHedgeShare*reads || uint64(extra) != h.Won+h.Lost+h.Failed || h.Won == 0 {
				t.Errorf("%d reads of %d were asked twice: %+v", extra, reads, h)
			}
		})
	}
	t.Run("the cap holds when all are slow", func(t *testing.T) {
		_, h, asked := run(t, Hedge{Share: 0.02, Delay: 20 * time.Millisecond}, 1, 1)
		if extra := asked - reads; float64(extra) > 0.02*reads || h.Capped == 0 {
			t.Errorf("%d reads of %d were asked twice: %+v", extra, reads, h)
		}
	})
}

// TestQuantile: the delay follows what requests took lately, a little from above.
func TestQuantile(t *testing.T) {
	var l latencies
	now := time.Unix(1e6, 0)
	for i := range 99 {
		l.record(time.Duration(i)*time.Millisecond, now)
	}
	if got := l.p95.Load(); got != 0 {
		t.Errorf("%d is known of 99", got)
	}
	for i := range 901 {
		l.record(time.Duration(i%100)*time.Millisecond, now)
	}
	within := func(want time.Duration) {
		t.Helper()
		if got := time.Duration(l.p95.Load()); got < want || got > want*5/4 {
			t.Errorf("p95 %s, want %s or a little more", got, want)
		}
	}
	within(95 * time.Millisecond)
	now = now.Add(latencySpan)
	for range 32 { // what was before still counts
		l.record(time.Second, now)
	}
	within(95 * time.Millisecond)
	now = now.Add(2 * latencySpan)
	for range 128 {
		l.record(time.Second, now)
	}
	within(time.Second)
	for _, d := range []time.Duration{0, 1, time.Microsecond, 5 * time.Microsecond, 7 * time.Microsecond, time.Millisecond, 999 * time.Millisecond, time.Minute, 100 * time.Hour} {
		b := bucketOf(d)
		if b < 0 || b >= latencyBuckets || d < 3*time.Minute && (limitOf(b) <= d || d > 5*time.Microsecond && limitOf(b) > d*5/4+time.Microsecond) {
			t.Errorf("%s is in bucket %d, below %s", d, b, limitOf(b))
		}
	}
}
