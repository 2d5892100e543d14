package balance

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestParsePolicy(t *testing.T) {
	for p := PeakEWMA; p < policies; p++ {
		if got, err := ParsePolicy(p.String()); got != p || err != nil {
			t.Errorf("%s: %v, %v", p, got, err)
		}
	}
	if p, err := ParsePolicy(""); p != PeakEWMA || err != nil {
		t.Errorf("the default is %v, %v", p, err)
	}
	if _, err := ParsePolicy("random"); err == nil {
		t.Error("an unknown policy is taken")
	}
}

// TestPolicies: which of three nodes is chosen how often, where the first is slow and the second has much under way.
func TestPolicies(t *testing.T) {
	const picks = 30_000
	for _, test := range []struct {
		policy Policy
		want   [3]float64
	}{
		{PeakEWMA, [3]float64{0, 1. / 3, 2. / 3}}, // of each pair the better one; the slow one is the worst
		{LeastRequest, [3]float64{.5, 0, .5}},     // as much under way; the first of a pair, which either may be
		{RoundRobin, [3]float64{1. / 3, 1. / 3, 1. / 3}},
	} {
		t.Run(test.policy.String(), func(t *testing.T) {
			p, _ := newPicker(Options{SlowStart: -1})
			p.SetPolicy(test.policy)
			nodes := []*Node{p.NewNode(), p.NewNode(), p.NewNode()}
			observe(nodes[0], time.Second, Success)
			observe(nodes[1], time.Millisecond, Success)
			observe(nodes[2], time.Millisecond, Success)
			for range 5 {
				nodes[1].Begin()
			}
			var got [3]float64
			for range picks {
				got[slices.Index(nodes, p.Pick(nodes, nil))] += 1. / picks
			}
			for i := range got {
				if math.Abs(got[i]-test.want[i]) > 0.02 {
					t.Errorf("chosen %.3f, want %.3f", got, test.want)
					break
				}
			}
		})
	}
}

func TestRoundRobinAfterTried(t *testing.T) {
	p, _ := newPicker(Options{})
	p.SetPolicy(RoundRobin)
	nodes := []*Node{p.NewNode(), p.NewNode(), p.NewNode()}
	got := map[*Node]int{}
	for range 100 {
		got[p.Pick(nodes, Set{nodes[1]})]++
	}
	if got[nodes[0]] != 50 || got[nodes[2]] != 50 || len(got) != 2 {
		t.Errorf("chosen %v", got)
	}
	if n := p.Pick(nodes[:1], nil); n != nodes[0] {
		t.Error("the only one isn't chosen")
	}
}

// TestSticky: a key has its node, keys spread evenly, a node that goes moves only its own keys, and one that is busy hands over.
func TestSticky(t *testing.T) {
	p, _ := newPicker(Options{})
	p.SetPolicy(Sticky)
	var nodes []*Node
	for i := range 4 {
		nodes = append(nodes, p.NewNodeAs(uint64(i)))
	}
	const keys = 4000
	home := make([]*Node, keys)
	count := map[*Node]int{}
	for k := range keys {
		home[k] = p.PickFor(nodes, nil, uint64(k+1))
		count[home[k]]++
		if again := p.PickFor(nodes, nil, uint64(k+1)); again != home[k] {
			t.Fatalf("key %d has two nodes", k)
		}
	}
	for _, n := range nodes {
		if share := float64(count[n]) / keys; math.Abs(share-0.25) > 0.04 {
			t.Errorf("a node has %.3f of the keys", share)
		}
	}
	for k := range keys {
		if n := p.PickFor(nodes[:3], nil, uint64(k+1)); home[k] != nodes[3] && n != home[k] {
			t.Fatalf("key %d moved, though its node stays", k)
		}
	}
	other, _ := newPicker(Options{})
	other.SetPolicy(Sticky)
	var twins []*Node
	for i := range 4 {
		twins = append(twins, other.NewNodeAs(uint64(i)))
	}
	for k := range 100 {
		if slices.Index(twins, other.PickFor(twins, nil, uint64(k+1))) != slices.Index(nodes, home[k]) {
			t.Fatal("another gateway sends a key elsewhere")
		}
	}
	// One key with all the requests: no node has more than a quarter above the average.
	var busy []*Node
	for range 100 {
		n := p.PickFor(nodes, nil, 7)
		n.Begin()
		busy = append(busy, n)
	}
	for _, n := range nodes {
		if n.InFlight() > 32 {
			t.Errorf("a node has %d of 100 requests under way", n.InFlight())
		}
	}
	if home[6].InFlight() < 25 {
		t.Errorf("the key's own node has %d of 100 requests under way", home[6].InFlight())
	}
	for _, n := range busy {
		n.End(time.Millisecond, Success)
	}
	if n := p.PickFor(nodes, nil, 0); n == nil {
		t.Error("what has no key gets none")
	}
	if a := testing.AllocsPerRun(100, func() { p.PickFor(nodes, nil, 9) }); a > 0 {
		t.Errorf("%v allocations", a)
	}
}
