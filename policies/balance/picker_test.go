package balance

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// clock is a virtual clock.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	c.t = c.t.Add(d)
	c.mu.Unlock()
}

func newPicker(o Options) (*Picker, *clock) {
	c := &clock{t: time.Unix(1_700_000_000, 0)}
	o.Now = c.Now
	if o.IntN == nil {
		o.IntN = rand.New(rand.NewPCG(1, 2)).IntN
	}
	return New(o), c
}

func observe(n *Node, latency time.Duration, o Outcome) {
	n.Begin()
	n.End(latency, o)
}

func TestPickExcludesTried(t *testing.T) {
	p, _ := newPicker(Options{})
	a, b, c := p.NewNode(), p.NewNode(), p.NewNode()
	all := []*Node{a, b, c}
	for _, test := range []struct {
		name  string
		nodes []*Node
		tried Set
		want  []*Node
	}{
		{"no nodes", nil, nil, nil},
		{"all tried", all, Set{c, a, b}, nil},
		{"one left", all, Set{c, a}, []*Node{b}},
		{"the last one left", all, Set{a, b}, []*Node{c}},
		{"two left", all, Set{b}, []*Node{a, c}},
		{"none tried", all, nil, all},
		{"tried ones that are gone", []*Node{a}, Set{b, c}, []*Node{a}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := map[*Node]bool{}
			for range 200 {
				n := p.Pick(test.nodes, test.tried)
				if n == nil && test.want == nil {
					return
				}
				if !Set(test.want).Has(n) {
					t.Fatalf("picked %p, want one of %v", n, test.want)
				}
				got[n] = true
			}
			if len(got) != len(test.want) {
				t.Errorf("picked %d different ones, want all of %d", len(got), len(test.want))
			}
		})
	}
}

func TestLatencyPeaksAndDecays(t *testing.T) {
	p, c := newPicker(Options{SlowStart: -1})
	n := p.NewNode()
	step := func(name string, wait, latency time.Duration, o Outcome, want time.Duration) {
		t.Helper()
		c.Advance(wait)
		observe(n, latency, o)
		if got := n.Status().Latency; got < want-want/100 || got > want+want/100 {
			t.Fatalf("%s: latency %v, want about %v", name, got, want)
		}
	}
	ms := time.Millisecond
	step("first", 0, 10*ms, Success, 10*ms)
	step("a peak at once", 0, 100*ms, Success, 100*ms)
	step("a lower one slowly", time.Second, 10*ms, Success, 91430*time.Microsecond) // 100·e^-0.1 + 10·(1-e^-0.1)
	step("a lower one after long", 100*time.Second, 10*ms, Success, 10*ms)
	step("a fast failure", 0, ms, Failure, time.Second)
	step("another", 0, ms, Failure, 2*time.Second)
	step("a slow failure", 0, 30*time.Second, Failure, 30*time.Second)
	step("ignored", 0, time.Hour, Ignored, 30*time.Second)
	c.Advance(10 * time.Second)
	if got := n.Status().Latency; got > 12*time.Second || got < 10*time.Second {
		t.Errorf("after one decay time without requests the latency is %v, want 30s/e", got)
	}
}

func TestUnknownLatency(t *testing.T) {
	p, _ := newPicker(Options{SlowStart: -1})
	fresh, known := p.NewNode(), p.NewNode()
	observe(known, 10*time.Millisecond, Success)
	nodes := []*Node{fresh, known}
	if p.Pick(nodes, nil) != fresh {
		t.Error("an idle node of unknown latency should be tried")
	}
	fresh.Begin()
	for range 1000 {
		known.Begin()
	}
	if p.Pick(nodes, nil) != known {
		t.Error("a second request went to a node that hasn't answered the first")
	}
}

func TestInFlightCounts(t *testing.T) {
	p, _ := newPicker(Options{SlowStart: -1})
	a, b := p.NewNode(), p.NewNode()
	observe(a, 10*time.Millisecond, Success)
	observe(b, 25*time.Millisecond, Success)
	nodes := []*Node{a, b}
	var got []*Node
	for range 4 {
		n := p.Pick(nodes, nil)
		n.Begin()
		got = append(got, n)
	}
	// 10·1<25, 10·2<25, 10·3>25, 10·3<25·2
	if got[0] != a || got[1] != a || got[2] != b || got[3] != a {
		t.Errorf("picked %v with a=%p b=%p", got, a, b)
	}
	for range 10 {
		a.End(0, Ignored)
	}
	if a.InFlight() != 0 {
		t.Errorf("%d in flight after more Ends than Begins", a.InFlight())
	}
}

func TestRestartForgets(t *testing.T) {
	p, c := newPicker(Options{})
	n := p.NewNode()
	c.Advance(time.Minute)
	n.Begin()
	observe(n, time.Minute, Failure)
	n.Restart()
	if s := n.Status(); s != (Status{InFlight: 1, Weight: 0.1}) {
		t.Errorf("got %+v", s)
	}
}

func TestConcurrentUse(t *testing.T) {
	p, c := newPicker(Options{IntN: rand.IntN})
	nodes := []*Node{p.NewNode(), p.NewNode(), p.NewNode()}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 2000 {
				n := p.Pick(nodes, nil)
				n.Begin()
				c.Advance(time.Microsecond)
				n.End(time.Duration(j)*time.Microsecond, Outcome(j%3))
				if i == 0 && j%500 == 0 {
					nodes[0].Restart()
				}
			}
		})
	}
	wg.Wait()
	for _, n := range nodes {
		if n.InFlight() != 0 {
			t.Errorf("%d in flight at the end", n.InFlight())
		}
	}
}

func TestGather(t *testing.T) {
	for _, test := range []struct {
		name  string
		busy  int // requests under way at the first node
		tried []int
		most  int64
		want  []int
	}{
		{"idle", 0, nil, 2, []int{0}},
		{"not yet too busy, though others are idle", 1, nil, 2, []int{0}},
		{"too busy", 2, nil, 2, []int{1, 2}},
		{"the first was tried", 0, []int{0}, 2, []int{1}},
		{"all but one were tried, and it is too busy", 2, []int{1, 2}, 2, []int{0}},
		{"all were tried", 0, []int{0, 1, 2}, 2, []int{-1}},
		{"most of none: as Pick", 0, nil, 0, []int{0, 1, 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, _ := newPicker(Options{})
			nodes := []*Node{p.NewNode(), p.NewNode(), p.NewNode()}
			for _, n := range nodes {
				observe(n, time.Millisecond, Success)
			}
			for range test.busy {
				nodes[0].Begin()
			}
			var tried Set
			for _, i := range test.tried {
				tried = append(tried, nodes[i])
			}
			got := map[int]bool{}
			for range 200 {
				got[slices.Index(nodes, p.Gather(nodes, tried, test.most, 0))] = true
			}
			if chosen := slices.Sorted(maps.Keys(got)); !slices.Equal(chosen, test.want) {
				t.Errorf("chose %v, want %v", chosen, test.want)
			}
		})
	}
}
