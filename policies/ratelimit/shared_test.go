package ratelimit

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/parsescale/parsescale/policies/request"
)

// book is a Ledger in memory, by the test's clock.
type book struct {
	now      func() time.Time
	arrivals map[string]time.Time
	gateways int
	down     bool
	err      error
	charges  int
	meantime func() // what happens while a report is under way
}

func newBook(c *clock, gateways int) *book {
	return &book{now: c.Now, arrivals: map[string]time.Time{}, gateways: gateways}
}

func (b *book) ahead(key string) time.Duration { return max(0, b.arrivals[key].Sub(b.now())) }

func (b *book) Charge(entries []Entry) ([]Standing, error) {
	b.charges++
	if b.err != nil {
		return nil, b.err
	}
	out, refused := make([]Standing, len(entries)), false
	for i, e := range entries {
		if out[i].Ahead = b.ahead(e.Key); out[i].Ahead+e.Add > e.Tolerance {
			out[i].Refused, refused = true, refused || !e.DryRun
		}
	}
	for i, e := range entries {
		if !refused && !out[i].Refused {
			out[i].Ahead += e.Add
			b.arrivals[e.Key] = b.now().Add(out[i].Ahead)
		}
	}
	return out, nil
}

func (b *book) Report(entries []Entry) ([]time.Duration, error) {
	if b.err != nil {
		return nil, b.err
	}
	out := make([]time.Duration, len(entries))
	for i, e := range entries {
		out[i] = max(0, b.ahead(e.Key)+e.Add)
		b.arrivals[e.Key] = b.now().Add(out[i])
	}
	if b.meantime != nil {
		b.meantime()
	}
	return out, nil
}

func (b *book) Up() bool      { return !b.down }
func (b *book) Gateways() int { return b.gateways }

// member is one of several gateways.
type member struct {
	zones  Zones
	shared *Shared
}

func newMember(t rapid.TB, c *clock, ledger Ledger, mode Mode, failure Failure, rates ...string) *member {
	t.Helper()
	m := &member{shared: NewShared(ledger, mode, failure)}
	for i, r := range rates {
		p, err := Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		p.Name = "z" + strconv.Itoa(i)
		l, err := New([]Policy{p}, Options{Name: p.Name, Now: c.Now})
		if err != nil {
			t.Fatal(err)
		}
		m.zones = append(m.zones, &Zone{Name: p.Name, Key: ByApp, Limiter: l, Ops: Group{}})
	}
	return m
}

var one = Client{App: "app", IP: "10.0.0.1"}

// ask charges a request of so many units.
func (m *member) ask(cost int) Charged {
	return m.zones.Take(m.shared, one, &request.Request{Op: request.Find, Cost: cost})
}

// TestExactIsOneGateway has several gateways decide as one would.
func TestExactIsOneGateway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c clock
		rates := []string{
			fmt.Sprintf("%d/1s burst %d", rapid.Int64Range(1, 20).Draw(t, "quota"), rapid.Int64Range(1, 30).Draw(t, "burst")),
			fmt.Sprintf("%d/7s", rapid.Int64Range(1, 100).Draw(t, "second")),
		}
		b := newBook(&c, 3)
		alone := newMember(t, &c, nil, Exact, Local, rates...)
		alone.shared = nil
		var all []*member
		for range 3 {
			all = append(all, newMember(t, &c, b, Exact, Local, rates...))
		}
		dry := rapid.IntRange(-1, 1).Draw(t, "dry run")
		for _, m := range append([]*member{alone}, all...) {
			if dry >= 0 {
				m.zones[dry].DryRun = true
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "requests") {
			c.Advance(time.Duration(rapid.Int64Range(0, 5e8).Draw(t, "wait")))
			cost := rapid.IntRange(1, 5).Draw(t, "cost")
			m := all[rapid.IntRange(0, 2).Draw(t, "gateway")]
			want, got := alone.ask(cost), m.ask(cost)
			if !got.OK && !want.OK && (got.Never || want.Never) {
				continue // it costs more than one zone ever allows, and another is used up: either may be told
			}
			if got.Decision != want.Decision || (got.Zone == nil) != (want.Zone == nil) || got.Zone != nil && got.Zone.Name != want.Zone.Name {
				t.Fatalf("got %+v, want %+v", got.Decision, want.Decision)
			}
			if got.OK && rapid.Bool().Draw(t, "hit") {
				want.GiveBack(0.5)
				got.GiveBack(0.5)
				m.shared.reports.flush()
			}
		}
	})
}

// TestLeaseOvershoot has several gateways admit what they can, with reports at any time and requests while those are under way,
// and checks the bound that Lease documents for every span of time.
func TestLeaseOvershoot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c clock
		n := rapid.IntRange(1, 6).Draw(t, "gateways")
		burst, most := rapid.Int64Range(1, 40).Draw(t, "burst"), rapid.IntRange(1, 3).Draw(t, "most")
		interval := time.Second / time.Duration(rapid.Int64Range(1, 50).Draw(t, "quota"))
		rate := fmt.Sprintf("1/%s burst %d", interval, burst)
		b := newBook(&c, n)
		type admitted struct {
			at    time.Duration
			units int64
		}
		var log []admitted
		var all []*member
		for range n {
			all = append(all, newMember(t, &c, b, Lease, Local, rate))
		}
		ask := func(m *member) {
			for range rapid.IntRange(1, 10).Draw(t, "requests") {
				cost := rapid.IntRange(1, most).Draw(t, "cost")
				if m.ask(cost).OK {
					log = append(log, admitted{time.Duration(c.nanos.Load()), int64(cost)})
				}
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			m := all[rapid.IntRange(0, n-1).Draw(t, "gateway")]
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				c.Advance(time.Duration(rapid.Int64Range(0, 3*int64(interval)).Draw(t, "wait")))
			case 1:
				b.meantime = func() {
					b.meantime = nil
					for _, other := range all {
						ask(other)
					}
					c.Advance(time.Duration(rapid.Int64Range(0, int64(interval)).Draw(t, "latency")))
				}
				m.shared.reports.flush()
				b.meantime = nil
			default:
				ask(m)
			}
		}
		allowance := max((burst+int64(n)-1)/int64(n), int64(most))
		for from := range log {
			units := int64(0)
			for _, a := range log[from:] {
				units += a.units
				if bound := burst + int64((a.at-log[from].at)/interval) + int64(n)*allowance; units > bound {
					t.Fatalf("%d units in %s, more than %d: %d gateways, %s", units, a.at-log[from].at, bound, n, rate)
				}
			}
		}
	})
}

// TestLeaseAdmitsWhatTheRateSays reports after every request: then nothing is admitted too much, and a client that keeps to the
// rate is never refused.
func TestLeaseAdmitsWhatTheRateSays(t *testing.T) {
	var c clock
	b := newBook(&c, 5)
	var all []*member
	for range 5 {
		all = append(all, newMember(t, &c, b, Lease, Local, "10/1s burst 20"))
	}
	admitted := 0
	for i := range 1000 {
		m := all[i%5]
		if m.ask(1).OK {
			admitted++
		}
		m.shared.reports.flush()
		if i%2 == 1 {
			c.Advance(10 * time.Millisecond) // 200 requests a second
		}
	}
	if want := 20 + 50; admitted < want-5 || admitted > want+5 { // a gateway learns what others admitted with its next report
		t.Errorf("%d requests are admitted in 5 s, want about %d", admitted, want)
	}
	c.Advance(time.Minute)
	for i := range 100 {
		m := all[i%5]
		if d := m.ask(1); !d.OK {
			t.Fatalf("request %d, of one each 100 ms, is refused: %+v", i, d.Decision)
		}
		m.shared.reports.flush()
		c.Advance(100 * time.Millisecond)
	}
	if b.charges > 0 {
		t.Error("a request asked the ledger")
	}
}

// TestLeaseOfCostlyRequests: what costs more than the allowance passes while there is nothing to report.
func TestLeaseOfCostlyRequests(t *testing.T) {
	var c clock
	m := newMember(t, &c, newBook(&c, 5), Lease, Local, "20/10s")
	if d := m.ask(20); !d.OK {
		t.Errorf("the whole burst is refused: %+v", d.Decision)
	}
	if d := m.ask(21); d.OK || !d.Never {
		t.Errorf("more than the burst: %+v", d.Decision)
	}
	c.Advance(time.Second)
	if d := m.ask(1); d.OK || d.RetryAfterSeconds() < 1 {
		t.Errorf("it isn't reported yet, but %+v", d.Decision)
	}
	m.shared.reports.flush()
	c.Advance(time.Second)
	if d := m.ask(1); !d.OK {
		t.Errorf("it is reported, but %+v", d.Decision)
	}
}

// TestWithoutLedger lists what happens while the ledger can't be asked, and when it is back.
func TestWithoutLedger(t *testing.T) {
	for _, mode := range []Mode{Exact, Lease} {
		for _, how := range []string{"down", "failing"} {
			for failure, want := range map[Failure]int{Local: 3, Open: 10, Closed: 0} {
				if mode == Lease && how == "failing" {
					continue // a request doesn't notice
				}
				t.Run(fmt.Sprint(mode, " ", how, " ", failure), func(t *testing.T) {
					var c clock
					b := newBook(&c, 1)
					m := newMember(t, &c, b, mode, failure, "3/1h", "100/1h")
					if b.down = how == "down"; !b.down {
						b.err = errors.New("it is broken")
					}
					passed := 0
					for range 10 {
						d := m.ask(1)
						if d.OK {
							passed++
							d.GiveBack(0) // as an answer from the cache does
						} else if d.Zone != m.zones[0] || d.RetryAfterSeconds() < 1 {
							t.Errorf("refused by %v: %+v", d.Zone, d.Decision)
						}
					}
					if passed != want {
						t.Errorf("%d requests passed, want %d", passed, want)
					}
					if st := m.shared.Stats(); st.Without != 10 || st.Up != (how == "failing") || (st.Failures == 10) != (how == "failing") {
						t.Errorf("the statistics are %+v", st)
					}
					m.shared.reports.flush()
					b.down, b.err = false, nil
					c.Advance(time.Hour)
					if !m.ask(1).OK {
						t.Error("the ledger is back, and nothing passes")
					}
				})
			}
		}
	}
	t.Run("closed, and all zones are dry runs", func(t *testing.T) {
		var c clock
		b := newBook(&c, 1)
		b.down = true
		m := newMember(t, &c, b, Exact, Closed, "1/1h")
		m.zones[0].DryRun = true
		if !m.ask(1).OK || m.zones[0].Limiter.Stats().DryRun != 1 {
			t.Error("a dry run refuses")
		}
	})
}

// TestClosedHoldsNothing closes a Shared as a reload does: requests of the old configuration come after that, and the limiter goes on
// with a new one.
func TestClosedHoldsNothing(t *testing.T) {
	for _, test := range []struct {
		name    string
		started bool
		mode    Mode // of the new one
	}{{"lease after lease", true, Lease}, {"exact after lease", true, Exact}, {"lease after one that never started", false, Lease}} {
		t.Run(test.name, func(t *testing.T) {
			var c clock
			b := newBook(&c, 2)
			old := newMember(t, &c, b, Lease, Local, "10/1s burst 10")
			if test.started {
				old.shared.Start()
			}
			early := old.ask(1)
			old.shared.Close()
			early.GiveBack(0.5) // it was answered from the cache, and late
			for i := range 20 {
				if c.Advance(100 * time.Millisecond); !old.ask(1).OK {
					t.Fatalf("request %d of the old configuration, one each 100 ms, is refused", i)
				}
			}
			next := &member{old.zones, NewShared(b, test.mode, Open)}
			cell := old.zones[0].Limiter.cell(old.zones[0].key(one))
			if cell.reporting.Load() || cell.unreported.Load() != 0 || old.shared.Stats().Unreported != 0 {
				t.Errorf("the key is still held: %v, %d", cell.reporting.Load(), cell.unreported.Load())
			}
			for i := range 60 {
				c.Advance(100 * time.Millisecond)
				if !next.ask(1).OK {
					t.Fatalf("request %d of the new configuration, one each 100 ms, is refused", i)
				}
				next.shared.reports.flush()
			}
		})
	}
	t.Run("no more than the rate passes", func(t *testing.T) {
		var c clock
		m := newMember(t, &c, newBook(&c, 2), Lease, Open, "10/1h")
		m.shared.Close()
		passed := 0
		for range 30 {
			if m.ask(1).OK {
				passed++
			}
		}
		if passed != 10 {
			t.Errorf("%d of 30 requests passed, want 10", passed)
		}
	})
}

// TestNeverIsCountedOnce: what a dry run could never let pass is counted once, though the ledger fails.
func TestNeverIsCountedOnce(t *testing.T) {
	var c clock
	b := newBook(&c, 1)
	b.err = errors.New("it is broken")
	m := newMember(t, &c, b, Exact, Local, "3/1h", "100/1h")
	m.zones[0].DryRun = true
	if d := m.ask(5); !d.OK || m.zones[0].Limiter.Stats().DryRun != 1 {
		t.Errorf("%+v, counted %d times", d.Decision, m.zones[0].Limiter.Stats().DryRun)
	}
}

// TestLocalGoesOnFromWhatIsKnown: a ledger that goes away doesn't give a key that is used up another burst.
func TestLocalGoesOnFromWhatIsKnown(t *testing.T) {
	for _, mode := range []Mode{Exact, Lease} {
		var c clock
		b := newBook(&c, 1)
		m := newMember(t, &c, b, mode, Local, "5/1h")
		for range 5 {
			if !m.ask(1).OK {
				t.Fatal("refused")
			}
		}
		m.shared.reports.flush()
		b.down = true
		if m.ask(1).OK {
			t.Errorf("%s: a key that has used up its rate passes", mode)
		}
	}
}

// TestSharedMemoryIsBounded reports hundreds of thousands of keys in each mode, more than the limiter holds, while the ledger takes nothing.
func TestSharedMemoryIsBounded(t *testing.T) {
	var c clock
	for _, mode := range []Mode{Exact, Lease} {
		b := newBook(&c, 1)
		l, err := New([]Policy{{Quota: 10, Window: time.Second}}, Options{MaxKeys: 10_000, Now: c.Now})
		if err != nil {
			t.Fatal(err)
		}
		m := &member{Zones{{Name: "z", Key: ByIP, Limiter: l}}, NewShared(b, mode, Local)}
		heap := func() int64 {
			runtime.GC()
			var s runtime.MemStats
			runtime.ReadMemStats(&s)
			return int64(s.HeapAlloc)
		}
		r, before := find(), heap()
		ask := func(from, to int) {
			for i := from; i < to; i++ {
				d := m.zones.Take(m.shared, Client{IP: "x" + strconv.Itoa(i)}, r)
				d.GiveBack(0.9)
				clear(b.arrivals)
			}
		}
		ask(0, 100_000)
		full := heap()
		ask(100_000, 200_000)
		if grown := heap() - full; grown > 2<<20 {
			t.Errorf("%s: a hundred thousand more keys took %d more bytes", mode, grown)
		}
		if held := full - before; held > 64<<20 {
			t.Errorf("%s: %d bytes are held", mode, held)
		}
		if n := m.shared.Stats().Unreported; n > maxReports {
			t.Errorf("%s: %d keys wait to be reported", mode, n)
		}
		m.shared.reports.flush()
		if n := m.shared.Stats().Unreported; n != 0 {
			t.Errorf("%s: %d keys wait after all were reported", mode, n)
		}
	}
}

// TestReporting has the background report by itself, and the end report what is left.
func TestReporting(t *testing.T) {
	var c clock
	b := newBook(&c, 1)
	m := newMember(t, &c, b, Lease, Local, "100/1h")
	told := make(chan struct{}, 100)
	b.meantime = func() { told <- struct{}{} }
	m.shared.Start()
	m.shared.Start()
	for range 3 {
		m.ask(1)
		select {
		case <-told:
		case <-time.After(10 * time.Second):
			t.Fatal("nothing is reported")
		}
	}
	m.ask(1)
	m.shared.Close()
	m.shared.Close()
	if got := b.ahead(m.zones[0].Limiter.entryKey("app")); got != 4*36*time.Second {
		t.Errorf("the key is %s ahead", got)
	}
	NewShared(b, Lease, Local).Close() // never started
}
