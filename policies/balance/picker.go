package balance

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Options configure a Picker. The zero value means the defaults.
type Options struct {
	// Decay is the time in which the weight of an old latency falls to 1/e (default 10 s).
	Decay time.Duration
	// SlowStart is the time a new node takes to get its full share (default 30 s; negative: none).
	SlowStart time.Duration
	// MinWeight is the weight of a node that has just come, against 1 for one past its slow start (default 0.1).
	MinWeight float64
	// FailureLatency is the least latency that a failure counts as (default 1 s).
	FailureLatency time.Duration
	// Now is the clock (default time.Now).
	Now func() time.Time
	// IntN draws from 0 up to n-1; n is at least 1 (default math/rand/v2). It must be safe for concurrent use if
	// Pick is called concurrently.
	IntN func(n int) int
}

// Picker chooses among nodes and makes them. It is safe for concurrent use.
type Picker struct {
	o      Options
	start  time.Time
	policy atomic.Uint32
	turn   atomic.Uint64 // of RoundRobin
	nodes  atomic.Uint64 // made so far
}

// New makes a Picker.
func New(o Options) *Picker {
	if o.Decay <= 0 {
		o.Decay = 10 * time.Second
	}
	if o.SlowStart == 0 {
		o.SlowStart = 30 * time.Second
	}
	if !(o.MinWeight > 0 && o.MinWeight <= 1) {
		o.MinWeight = 0.1
	}
	if o.FailureLatency <= 0 {
		o.FailureLatency = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.IntN == nil {
		o.IntN = rand.IntN
	}
	return &Picker{o: o, start: o.Now()}
}

func (p *Picker) elapsed() time.Duration { return p.o.Now().Sub(p.start) }

// Pick chooses one of nodes that is not in tried, or nil when there is none. It allocates nothing.
// The caller then calls Begin and End on the node.
//
// Nodes of unlike shares are chosen in two steps: first a share, as often as its nodes' shares are of all, whatever their
// load; then among the nodes that have it, by the policy. A node with the share 0 is never chosen.
func (p *Picker) Pick(nodes []*Node, tried Set) *Node { return p.PickFor(nodes, tried, 0) }

// PickFor is Pick for a request with a key, which the policy Sticky goes by; 0: it has none.
func (p *Picker) PickFor(nodes []*Node, tried Set, key uint64) *Node {
	share, ok := p.pickShare(nodes, tried)
	if !ok {
		return nil
	}
	left := 0
	for _, n := range nodes {
		if n.Share() == share && !tried.Has(n) {
			left++
		}
	}
	if left <= 1 { // 0 if the share was changed meanwhile
		return nth(nodes, tried, share, 0)
	}
	return p.pick(nodes, tried, share, left, key)
}

// Gather chooses the first of nodes, as long as it has fewer than most requests under way; else it chooses as PickFor does.
// It is for requests that cost less the more of them one node has. It allocates nothing.
func (p *Picker) Gather(nodes []*Node, tried Set, most int64, key uint64) *Node {
	for _, first := range nodes {
		if !tried.Has(first) {
			if first.InFlight() < most {
				return first
			}
			break
		}
	}
	return p.PickFor(nodes, tried, key)
}

// pickShare draws one of the nodes' shares; ok is false if none is above 0.
func (p *Picker) pickShare(nodes []*Node, tried Set) (share int, ok bool) {
	total, mixed := 0, false
	for _, n := range nodes {
		if s := n.Share(); s > 0 && !tried.Has(n) {
			mixed = mixed || total > 0 && s != share
			share = s
			total += s
		}
	}
	if !mixed {
		return share, total > 0
	}
	at := p.o.IntN(total)
	for _, n := range nodes {
		if s := n.Share(); s > 0 && !tried.Has(n) {
			if at -= s; at < 0 {
				return s, true
			}
		}
	}
	return share, true // a share was changed meanwhile
}

// nth is the i-th node that has a share, or the last one if one of them was changed meanwhile.
func nth(nodes []*Node, tried Set, share, i int) *Node {
	var last *Node
	for _, n := range nodes {
		if n.Share() != share || tried.Has(n) {
			continue
		}
		last = n
		if i == 0 {
			return n
		}
		i--
	}
	return last
}

// Set is the few nodes a request has tried, or that are out for another reason. The nil Set is empty.
type Set []*Node

// Has tells whether n is in the set.
func (s Set) Has(n *Node) bool {
	for _, m := range s {
		if m == n {
			return true
		}
	}
	return false
}

// unknown is the load of a node without any latency yet that has a timed request under way, in nanoseconds: more than any
// real one, and more with each further request.
const unknown = float64(1 << 62)

// weight is 1 past the slow start and grows to it in proportion to time.
func (p *Picker) weight(age time.Duration) float64 {
	if p.o.SlowStart <= 0 || age >= p.o.SlowStart {
		return 1
	}
	return math.Max(p.o.MinWeight, float64(age)/float64(p.o.SlowStart))
}

// faded is what is left of a weight of 1 after d.
func (p *Picker) faded(d time.Duration) float64 {
	if d <= 0 {
		return 1
	}
	return math.Exp(-float64(d) / float64(p.o.Decay))
}
