package balance

import "fmt"

// Policy is how a Picker chooses among nodes of the same share.
type Policy uint32

// The policies.
const (
	// PeakEWMA takes the better of two drawn at random, by latency and requests under way.
	PeakEWMA Policy = iota
	// LeastRequest takes the better of two drawn at random, by requests under way alone.
	LeastRequest
	// RoundRobin takes one after the other.
	RoundRobin
	// Sticky takes the same one for the same key, unless that has a quarter more under way than the average: then the next in
	// the key's own order (rendezvous hashing, Thaler and Ravishankar 1998, with the bounded loads of Mirrokni et al., 2016).
	// What has no key is chosen for by PeakEWMA.
	Sticky
	policies // their number
)

var policyNames = [policies]string{"peak_ewma", "least_request", "round_robin", "sticky"}

// String is the policy's name in configurations.
func (p Policy) String() string {
	if p < policies {
		return policyNames[p]
	}
	return fmt.Sprintf("Policy(%d)", uint32(p))
}

// ParsePolicy reads a name that String gives; "" is PeakEWMA.
func ParsePolicy(name string) (Policy, error) {
	if name == "" {
		return PeakEWMA, nil
	}
	for i, n := range policyNames {
		if n == name {
			return Policy(i), nil
		}
	}
	return 0, fmt.Errorf("%q is no balancing policy; known are peak_ewma, least_request, round_robin and sticky", name)
}

// SetPolicy changes how the Picker chooses from now on; it begins with PeakEWMA.
func (p *Picker) SetPolicy(policy Policy) { p.policy.Store(uint32(policy)) }

// pick chooses among the left nodes that have the share and aren't in tried.
func (p *Picker) pick(nodes []*Node, tried Set, share, left int, key uint64) *Node {
	switch policy := Policy(p.policy.Load()); {
	case policy == RoundRobin:
		return nth(nodes, tried, share, int(p.turn.Add(1)%uint64(left))) //nolint:gosec // it is less than left
	case policy == Sticky && key != 0:
		return p.sticky(nodes, tried, share, left, key)
	case policy == LeastRequest:
		a, b := p.two(nodes, tried, share, left)
		if a != nil && b.InFlight() < a.InFlight() {
			return b
		}
		return a
	}
	a, b := p.two(nodes, tried, share, left)
	if a == nil {
		return nil
	}
	now := p.elapsed()
	if va, vb := a.view(now), b.view(now); vb.load(va) < va.load(vb) {
		return b
	}
	return a
}

// two draws two different nodes.
func (p *Picker) two(nodes []*Node, tried Set, share, left int) (a, b *Node) {
	i := p.o.IntN(left)
	j := p.o.IntN(left - 1)
	if j >= i {
		j++
	}
	return nth(nodes, tried, share, i), nth(nodes, tried, share, j)
}

// sticky takes the node that comes first in the key's order and isn't too busy; the least busy one if all are.
func (p *Picker) sticky(nodes []*Node, tried Set, share, left int, key uint64) *Node {
	total := int64(1) // with the request that is to come
	for _, n := range nodes {
		if n.Share() == share && !tried.Has(n) {
			total += n.InFlight()
		}
	}
	most := (total*5/4 + int64(left) - 1) / int64(left)
	var best, idlest *Node
	var highest uint64
	least := int64(0)
	for _, n := range nodes {
		if n.Share() != share || tried.Has(n) {
			continue
		}
		busy := n.InFlight()
		if idlest == nil || busy < least {
			idlest, least = n, busy
		}
		if h := mix(key ^ n.id); busy < most && (best == nil || h > highest) {
			best, highest = n, h
		}
	}
	if best == nil {
		return idlest
	}
	return best
}

// mix spreads the bits of x (the finaliser of SplitMix64, Steele et al., OOPSLA 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
