package health

import (
	"sync"
	"testing"
	"time"
)

var start = time.Unix(1_700_000_000, 0)

func at(d time.Duration) time.Time { return start.Add(d) }

// group makes a group of n members without jitter.
func group(n int, o Options) (*Group, []*Member) {
	if o.Jitter == 0 {
		o.Jitter = -1
	}
	g := NewGroup(o)
	var ms []*Member
	for range n {
		ms = append(ms, g.Add())
	}
	return g, ms
}

// fail lets n requests fail and tells whether one of them ejected the member.
func fail(m *Member, now time.Time, n int) bool {
	ejected := false
	for range n {
		ejected = m.Observe(now, Failure) || ejected
	}
	return ejected
}

func TestRiseAndFall(t *testing.T) {
	for _, test := range []struct {
		name   string
		o      Options
		probes string // + good, - failed; a capital U or D: the change that must come with it
	}{
		{"falls after three", Options{}, "--D"},
		{"a good probe in between", Options{}, "--+--+--D"},
		{"rises after two", Options{}, "--D+U"},
		{"a failed probe in between", Options{}, "--D+-+-+U"},
		{"stays up", Options{}, "++++++"},
		{"stays down", Options{}, "--D----"},
		{"counters of its own", Options{Rise: 1, Fall: 1}, "DUDU"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, ms := group(2, test.o)
			m := ms[0]
			for i, c := range test.probes {
				changed := m.Probe(c == '+' || c == 'U')
				if want := c == 'U' || c == 'D'; changed != want {
					t.Fatalf("probe %d %c: changed %v", i, c, changed)
				}
				switch c {
				case 'U':
					if !m.Available(start) || m.State(start) != Up {
						t.Fatalf("probe %d: not up", i)
					}
				case 'D':
					if m.Available(start) || m.State(start) != Down {
						t.Fatalf("probe %d: not down", i)
					}
				}
			}
		})
	}
}

func TestEjection(t *testing.T) {
	t.Run("failures in a row", func(t *testing.T) {
		_, ms := group(2, Options{})
		m := ms[0]
		if fail(m, start, 4) {
			t.Fatal("ejected by four")
		}
		m.Observe(start, Success)
		if fail(m, start, 4) {
			t.Fatal("ejected by four after a success")
		}
		m.Observe(start, Ignored)
		if !m.Observe(start, Failure) {
			t.Fatal("not ejected by the fifth in a row")
		}
		if m.Available(start) || m.State(start) != Ejected {
			t.Fatal("available though ejected")
		}
		if s := m.Status(start); !s.EjectedUntil.Equal(at(30 * time.Second)) {
			t.Errorf("status %+v", s)
		}
		if m.Available(at(30*time.Second-1)) || !m.Available(at(30*time.Second)) {
			t.Error("want 30 s")
		}
	})
	t.Run("never when disabled", func(t *testing.T) {
		_, ms := group(2, Options{Failures: -1})
		if fail(ms[0], start, 1000) {
			t.Error("ejected")
		}
	})
	t.Run("longer each time, up to a maximum, and forgiving", func(t *testing.T) {
		_, ms := group(2, Options{BaseEjection: 10 * time.Second, MaxEjection: 35 * time.Second})
		m, now := ms[0], start
		eject := func(want time.Duration) {
			t.Helper()
			if !fail(m, now, 5) {
				t.Fatal("not ejected")
			}
			if got := m.Status(now).EjectedUntil.Sub(now); got != want {
				t.Fatalf("out for %v, want %v", got, want)
			}
			now = now.Add(want)
		}
		for _, want := range []time.Duration{10, 20, 30, 35, 35} {
			eject(want * time.Second)
		}
		now = now.Add(20 * time.Second) // two times off: 5-2+1
		eject(35 * time.Second)
		now = now.Add(30 * time.Second) // 4-3+1
		eject(20 * time.Second)
		now = now.Add(time.Hour)
		eject(10 * time.Second)
	})
}

func TestTheLastIsSpared(t *testing.T) {
	t.Run("a group of one", func(t *testing.T) {
		_, ms := group(1, Options{})
		if fail(ms[0], start, 100) || !ms[0].Available(start) {
			t.Error("the only one was ejected")
		}
	})
	t.Run("the other is ejected", func(t *testing.T) {
		_, ms := group(2, Options{MaxEjected: 1})
		fail(ms[0], start, 5)
		if fail(ms[1], start, 100) || !ms[1].Available(start) {
			t.Error("the last was ejected")
		}
		// As soon as the other is back, its failures count.
		if !fail(ms[1], at(30*time.Second), 1) {
			t.Error("still spared though the other is back")
		}
	})
	t.Run("the other is down", func(t *testing.T) {
		_, ms := group(2, Options{Fall: 1})
		ms[0].Probe(false)
		if fail(ms[1], start, 100) {
			t.Error("the last was ejected")
		}
	})
	t.Run("the other has left", func(t *testing.T) {
		g, ms := group(2, Options{})
		g.Remove(ms[0])
		if fail(ms[1], start, 100) {
			t.Error("the last was ejected")
		}
	})
	t.Run("at most a share", func(t *testing.T) {
		_, ms := group(5, Options{MaxEjected: 0.4})
		ejected := 0
		for _, m := range ms {
			if fail(m, start, 5) {
				ejected++
			}
		}
		if ejected != 2 {
			t.Errorf("ejected %d of 5, want 2", ejected)
		}
	})
	t.Run("one may always be ejected", func(t *testing.T) {
		_, ms := group(3, Options{MaxEjected: 0.1})
		if !fail(ms[0], start, 5) {
			t.Error("not ejected")
		}
		if fail(ms[1], start, 5) {
			t.Error("a second was ejected")
		}
	})
}

func TestPanic(t *testing.T) {
	g, ms := group(3, Options{Fall: 1, Rise: 1})
	fail(ms[0], start, 5)
	ms[1].Probe(false)
	if g.Panic(start) || ms[0].Available(start) || ms[1].Available(start) || !ms[2].Available(start) {
		t.Fatal("want the third alone")
	}
	ms[2].Probe(false)
	if !g.Panic(start) {
		t.Fatal("nobody is healthy, and no panic")
	}
	for i, m := range ms {
		if !m.Available(start) {
			t.Errorf("member %d is not available in panic", i)
		}
		if m.Healthy(start) {
			t.Errorf("member %d counts as healthy in panic", i)
		}
	}
	ms[1].Probe(true)
	if ms[0].Available(start) || !ms[1].Available(start) || ms[2].Available(start) {
		t.Error("want the second alone")
	}
	// The ejection ends by itself.
	if !ms[0].Available(at(30 * time.Second)) {
		t.Error("the first is still out")
	}
}

func TestProbeAfter(t *testing.T) {
	for _, test := range []struct {
		name   string
		jitter float64
		rand   float64
		down   bool
		want   time.Duration
	}{
		{"up", -1, 0.3, false, 5 * time.Second},
		{"down", -1, 0.3, true, 500 * time.Millisecond},
		{"earliest", 0.2, 0, false, 4 * time.Second},
		{"middle", 0.2, 0.5, false, 5 * time.Second},
		{"earliest of a short one", 0.5, 0, true, 250 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := NewGroup(Options{Fall: 1, Jitter: test.jitter, Rand: func() float64 { return test.rand }})
			m := g.Add()
			m.Probe(!test.down)
			if got := m.ProbeAfter(start); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// Whatever fails at once, one worker stays in use.
func TestConcurrentFailuresSpareOne(t *testing.T) {
	for range 20 {
		_, ms := group(8, Options{MaxEjected: 1})
		var wg sync.WaitGroup
		for _, m := range ms {
			for range 2 {
				wg.Go(func() { fail(m, start, 20) })
			}
		}
		wg.Wait()
		healthy := 0
		for _, m := range ms {
			if m.Healthy(start) {
				healthy++
			}
		}
		if healthy != 1 {
			t.Fatalf("%d healthy, want exactly the last one", healthy)
		}
	}
}

func TestMembersComeAndGoConcurrently(t *testing.T) {
	g := NewGroup(Options{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				m := g.Add()
				m.Probe(false)
				fail(m, start, 5)
				m.Available(start)
				g.Remove(m)
			}
		})
	}
	wg.Wait()
	if n := len(*g.members.Load()); n != 0 {
		t.Errorf("%d members left", n)
	}
}

// TestPanicThreshold: from how many healthy members on only those are available.
func TestPanicThreshold(t *testing.T) {
	for _, tt := range []struct {
		threshold float64
		healthy   int // of four
		panic     bool
	}{{0, 1, false}, {0, 0, true}, {0.5, 2, false}, {0.5, 1, true}, {0.3, 2, false}, {0.3, 1, true}, {1, 3, true}, {1, 4, false}} {
		g, ms := group(4, Options{Fall: 1, Rise: 1})
		g.SetPanicThreshold(tt.threshold)
		for _, m := range ms[tt.healthy:] {
			m.Probe(false)
		}
		if got := g.Panic(start); got != tt.panic {
			t.Errorf("threshold %g, %d of 4 healthy: panic %t", tt.threshold, tt.healthy, got)
		}
		if tt.healthy < 4 && ms[3].Available(start) != tt.panic {
			t.Errorf("threshold %g, %d of 4 healthy: the last is available: %t", tt.threshold, tt.healthy, !tt.panic)
		}
	}
	// Those that get no requests count for nothing.
	g, ms := group(4, Options{Fall: 1})
	g.SetPanicThreshold(0.5)
	ms[0].SetAside(true)
	ms[1].SetAside(true)
	ms[2].Probe(false)
	if g.Panic(start) {
		t.Error("one of the two in use is healthy, and there is panic")
	}
}

// TestSetAside: a member that gets no requests takes nobody's place.
func TestSetAside(t *testing.T) {
	g, ms := group(3, Options{})
	ms[0].SetAside(true)
	if !fail(ms[1], start, 5) || fail(ms[2], start, 5) {
		t.Error("of the two in use not exactly the first was ejected")
	}
	for range 3 {
		ms[2].Probe(false)
	}
	if !g.Panic(start) || !ms[1].Available(start) {
		t.Error("none in use is healthy, and not all are available")
	}
	ms[0].SetAside(false)
	if g.Panic(start) || ms[1].Available(start) {
		t.Error("a healthy member that is in use again doesn't count")
	}
}
