package ratelimit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// clock is a virtual clock.
type clock struct{ nanos atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Unix(1_700_000_000, c.nanos.Load()) }
func (c *clock) Advance(d time.Duration) { c.nanos.Add(int64(d)) }

func limiter(t testing.TB, c *clock, maxKeys int, rates ...string) *Limiter {
	t.Helper()
	var ps []Policy
	for i, r := range rates {
		p, err := Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			p.Name = "p" + strconv.Itoa(i)
		}
		ps = append(ps, p)
	}
	l, err := New(ps, Options{MaxKeys: maxKeys, Now: c.Now, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTakeStepByStep(t *testing.T) {
	type step struct {
		wait time.Duration
		cost int64
		want Decision
	}
	ok := func(limit, remaining int64, reset time.Duration) Decision {
		return Decision{OK: true, Policy: "default", Limit: limit, Remaining: remaining, ResetAfter: reset}
	}
	no := func(limit, remaining int64, reset, retry time.Duration) Decision {
		return Decision{Policy: "default", Limit: limit, Remaining: remaining, ResetAfter: reset, RetryAfter: retry}
	}
	for _, test := range []struct {
		name, rate string
		steps      []step
	}{
		{"burst, then one per interval", "2/1s", []step{
			{0, 1, ok(2, 1, 500*time.Millisecond)},
			{0, 1, ok(2, 0, time.Second)},
			{0, 1, no(2, 0, time.Second, 500*time.Millisecond)},
			{499 * time.Millisecond, 1, no(2, 0, 501*time.Millisecond, time.Millisecond)},
			{time.Millisecond, 1, ok(2, 0, time.Second)},
			{0, 1, no(2, 0, time.Second, 500*time.Millisecond)},
		}},
		{"burst of its own", "1/1s burst 3", []step{
			{0, 3, ok(3, 0, 3*time.Second)},
			{time.Second, 1, ok(3, 0, 3*time.Second)},
			{10 * time.Second, 1, ok(3, 2, time.Second)},
		}},
		{"a refused request is not charged", "10/10s", []step{
			{0, 8, ok(10, 2, 8*time.Second)},
			{0, 3, no(10, 2, 8*time.Second, time.Second)},
			{0, 2, ok(10, 0, 10*time.Second)},
		}},
		{"more than the burst never passes", "10/10s burst 5", []step{
			{0, 6, Decision{Never: true, Policy: "default", Limit: 5, Remaining: 5}},
			{time.Hour, 6, Decision{Never: true, Policy: "default", Limit: 5, Remaining: 5}},
			{0, 5, ok(5, 0, 5*time.Second)},
		}},
		{"an enormous cost doesn't overflow", "10/10s", []step{
			{0, 1 << 62, Decision{Never: true, Policy: "default", Limit: 10, Remaining: 10}},
		}},
		{"a cost below one is one", "1/1s", []step{
			{0, 0, ok(1, 0, time.Second)},
			{0, -5, no(1, 0, time.Second, time.Second)},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var c clock
			l := limiter(t, &c, 0, test.rate)
			for i, s := range test.steps {
				c.Advance(s.wait)
				if got := l.Take("k", s.cost); got != s.want {
					t.Fatalf("step %d: got %+v, want %+v", i, got, s.want)
				}
			}
		})
	}
}

func TestKeysAreIndependent(t *testing.T) {
	var c clock
	l := limiter(t, &c, 0, "1/1m")
	for _, k := range []string{"", "a", "b", "a\x00", string(make([]byte, 4096))} {
		if !l.Take(k, 1).OK || l.Take(k, 1).OK {
			t.Errorf("key %.10q: want exactly one", k)
		}
	}
}

// For any arrivals, what is admitted equals an exact model of the bucket in whole numbers, and a refused request that
// waits RetryAfter passes.
func TestTakeIsExact(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		quota := rapid.Int64Range(1, 50).Draw(r, "quota")
		interval := rapid.Int64Range(1, 1e9).Draw(r, "interval")
		burst := rapid.Int64Range(1, 60).Draw(r, "burst")
		var c clock
		l, err := New([]Policy{{Quota: quota, Window: time.Duration(quota * interval), Burst: burst}}, Options{Now: c.Now, Seed: 1})
		if err != nil {
			r.Fatal(err)
		}
		tokens := burst * interval // the bucket, in nanoseconds of earning
		for range rapid.IntRange(1, 60).Draw(r, "n") {
			wait := rapid.Int64Range(0, 3*interval).Draw(r, "wait")
			cost := rapid.Int64Range(1, burst).Draw(r, "cost")
			c.Advance(time.Duration(wait))
			tokens = min(burst*interval, tokens+wait)
			d := l.Take("k", cost)
			if want := tokens >= cost*interval; d.OK != want {
				r.Fatalf("OK %v, want %v", d.OK, want)
			}
			if d.OK {
				tokens -= cost * interval
			} else {
				if want := cost*interval - tokens; int64(d.RetryAfter) != want {
					r.Fatalf("RetryAfter %d, want %d", d.RetryAfter, want)
				}
			}
			if d.Remaining != tokens/interval {
				r.Fatalf("Remaining %d, want %d", d.Remaining, tokens/interval)
			}
			if int64(d.ResetAfter) != burst*interval-tokens {
				r.Fatalf("ResetAfter %d, want %d", d.ResetAfter, burst*interval-tokens)
			}
		}
	})
}

// A window that its quota doesn't divide is never exceeded.
func TestIntervalIsRoundedUp(t *testing.T) {
	var c clock
	l := limiter(t, &c, 0, "3/10s burst 1")
	admitted := 0
	for c.nanos.Load() < int64(1000*time.Second) {
		d := l.Take("k", 1)
		if d.OK {
			admitted++
			c.Advance(d.ResetAfter)
		} else {
			c.Advance(d.RetryAfter)
		}
	}
	if admitted != 300 {
		t.Errorf("admitted %d in 1000 s, want 300", admitted)
	}
}

func TestSeveralPolicies(t *testing.T) {
	var c clock
	l := limiter(t, &c, 0, "2/1s", "3/1m")
	for i, want := range []struct {
		wait   time.Duration
		ok     bool
		policy string
	}{
		{0, true, "default"}, {0, true, "default"}, {0, false, "default"},
		{time.Second, true, "p1"}, {0, false, "p1"}, {19 * time.Second, true, "p1"},
	} {
		c.Advance(want.wait)
		d := l.Take("k", 1)
		if d.OK != want.ok || d.Policy != want.policy {
			t.Fatalf("step %d: got %+v, want %+v", i, d, want)
		}
	}
}

// What the second policy refuses must not drain the first.
func TestRefusalChargesNoPolicy(t *testing.T) {
	var c clock
	l := limiter(t, &c, 0, "10/10h", "1/1s")
	for range 1000 {
		l.Take("k", 1) // the second policy lets one through
	}
	admitted := 1
	for range 20 {
		c.Advance(time.Second)
		if l.Take("k", 1).OK {
			admitted++
		}
	}
	if admitted != 10 {
		t.Errorf("admitted %d, want the first policy's 10", admitted)
	}
}

func TestConcurrentTakesNeverExceed(t *testing.T) {
	for _, rates := range [][]string{{"100/1s burst 500"}, {"100/1s burst 500", "500/1m"}} {
		t.Run(fmt.Sprint(len(rates), " policies"), func(t *testing.T) {
			var c clock
			l := limiter(t, &c, 0, rates...)
			run := func() int64 {
				var admitted atomic.Int64
				var wg sync.WaitGroup
				for range 16 {
					wg.Go(func() {
						for range 200 {
							if l.Take("k", 1).OK {
								admitted.Add(1)
							}
						}
					})
				}
				wg.Wait()
				return admitted.Load()
			}
			// Of several policies one may be charged in vain by a race; the bound holds all the same.
			if n := run(); n > 500 || (len(rates) == 1 && n != 500) {
				t.Fatalf("admitted %d, want 500", n)
			}
			c.Advance(time.Second)
			if n := run(); n > 100 || (len(rates) == 1 && n != 100) {
				t.Fatalf("a second later admitted %d, want 100", n)
			}
		})
	}
}

// Time passes while requests come from all sides: what is admitted never exceeds burst plus what was earned.
func TestConcurrentTakesWithMovingClock(t *testing.T) {
	var c clock
	l := limiter(t, &c, 0, "1000/1s burst 50")
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 2))
			for range 2000 {
				cost := r.Int64N(3) + 1
				if l.Take("k", cost).OK {
					admitted.Add(cost)
				}
				c.Advance(time.Duration(r.Int64N(100_000)))
			}
		})
	}
	wg.Wait()
	if limit := 50 + c.nanos.Load()/int64(time.Millisecond); admitted.Load() > limit {
		t.Errorf("admitted %d, more than %d", admitted.Load(), limit)
	}
}

func TestMillionKeysTakeBoundedMemory(t *testing.T) {
	var c clock
	const keys = 10_000
	l := limiter(t, &c, keys, "5/1s")
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	fill := func(from, to int) {
		for i := from; i < to; i++ {
			l.Take("key "+strconv.Itoa(i), 1)
		}
	}
	fill(0, 100_000)
	before := heap()
	fill(100_000, 1_100_000)
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("a million more keys took %d more bytes", grown)
	}
	st := l.Stats()
	if st.Keys > keys || st.Keys < keys*9/10 {
		t.Errorf("holds %d keys, want about %d and no more", st.Keys, keys)
	}
	if st.Evicted+uint64(st.Keys) != 1_100_000 {
		t.Errorf("evicted %d and holds %d of 1100000", st.Evicted, st.Keys)
	}
}

func TestLeastRecentlyUsedIsDropped(t *testing.T) {
	var c clock
	l := limiter(t, &c, 4, "1/1h")
	l.Take("busy", 1)
	for i := range 1000 {
		l.Take(strconv.Itoa(i), 1)
		if l.Take("busy", 1).OK {
			t.Fatal("a key in use was forgotten")
		}
	}
}

func TestNewRefuses(t *testing.T) {
	good := Policy{Quota: 1, Window: time.Second}
	for _, test := range []struct {
		name     string
		policies []Policy
		o        Options
		want     error
	}{
		{"no policy", nil, Options{}, nil},
		{"two of one name", []Policy{good, good}, Options{}, nil},
		{"negative keys", []Policy{good}, Options{MaxKeys: -1}, nil},
		{"no quota", []Policy{{Window: time.Second}}, Options{}, ErrQuota},
		{"no window", []Policy{{Quota: 1}}, Options{}, ErrWindow},
		{"finer than a nanosecond", []Policy{{Quota: 1001, Window: time.Microsecond}}, Options{}, ErrWindow},
		{"negative burst", []Policy{{Quota: 1, Window: time.Second, Burst: -1}}, Options{}, ErrBurst},
		{"a burst of centuries", []Policy{{Quota: 1, Window: time.Hour, Burst: 1 << 40}}, Options{}, ErrBurst},
		{"a name that breaks the header", []Policy{{Name: "a\"b", Quota: 1, Window: time.Second}}, Options{}, ErrName},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(test.policies, test.o)
			if err == nil || (test.want != nil && !errors.Is(err, test.want)) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}
