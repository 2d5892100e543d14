package balance

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Outcome is how a request ended.
type Outcome uint8

// The outcomes. The latency of an Ignored request is not observed: the client went away, or the request is of a kind
// whose latency says nothing (a cloud function takes what it takes). Unfinished is one that nobody waited for any longer: it
// would have taken at least its latency, which counts if it is more than the node has shown.
const (
	Success Outcome = iota
	Failure
	Ignored
	Unfinished
)

// Node is one worker as the Picker sees it. It is safe for concurrent use.
type Node struct {
	p     *Picker
	id    uint64 // for Sticky
	share atomic.Int64

	mu       sync.Mutex
	inFlight int64
	untimed  int64 // those of inFlight whose end says nothing of the node's latency
	known    bool
	cost     float64       // the averaged latency in nanoseconds, as of stamp
	stamp    time.Duration // all times are since the picker's start
	joined   time.Duration
	busy     time.Duration // since when it has had timed requests under way
	_        [64]byte      // nodes of a pool don't share a cache line
}

// NewNode makes a node that joins now.
func (p *Picker) NewNode() *Node {
	return p.NewNodeAs(p.nodes.Add(1))
}

// NewNodeAs is NewNode with an identity by which the policy Sticky knows the node again, here and in other processes.
func (p *Picker) NewNodeAs(id uint64) *Node {
	n := &Node{p: p, id: mix(id + 0x9e3779b97f4a7c15), joined: p.elapsed()}
	n.share.Store(1)
	return n
}

// Share is the node's share of the requests, against the shares of the others.
func (n *Node) Share() int { return int(n.share.Load()) }

// SetShare changes it; it is 1 to begin with. A node with the share 0 is never chosen.
func (n *Node) SetShare(share int) { n.share.Store(int64(share)) }

// Restart makes the node a new one: its latency is unknown and its slow start begins now. What it has under way stays.
// It is for a worker that was started anew or comes back after an outage.
func (n *Node) Restart() {
	now := n.p.elapsed()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known, n.cost, n.joined = false, 0, now
}

// Begin counts a request as under way. End has to follow.
func (n *Node) Begin() {
	now := n.p.elapsed()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.inFlight == n.untimed {
		n.busy = now
	}
	n.inFlight++
}

// BeginUntimed is Begin for a request that takes what it takes, such as a job: nobody learns from it how fast the node is, so
// nobody waits for its end to learn that. EndUntimed has to follow.
func (n *Node) BeginUntimed() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.inFlight++
	n.untimed++
}

// Answered says how a request that began with Begin was answered, after what time, while it is still under way: a client may
// take long to read what it gets. From now on the request is an untimed one; EndUntimed has to follow.
func (n *Node) Answered(latency time.Duration, o Outcome) {
	now := n.p.elapsed()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.learn(now, latency, o)
	n.untimed++
}

// End says that a request that began with Begin has ended, after what time and how.
func (n *Node) End(latency time.Duration, o Outcome) {
	now := n.p.elapsed()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.learn(now, latency, o)
	n.inFlight = max(n.untimed, n.inFlight-1)
}

// EndUntimed is End for an untimed request. Its outcome is Ignored, or Failure.
func (n *Node) EndUntimed(latency time.Duration, o Outcome) {
	now := n.p.elapsed()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.learn(now, latency, o)
	n.inFlight--
	n.untimed--
}

// learn takes in how a request ended; mu is held.
func (n *Node) learn(now, latency time.Duration, o Outcome) {
	before := n.decayed(now)
	rtt := math.Max(1, float64(latency))
	switch o {
	case Ignored:
		return
	case Unfinished:
		if n.known && rtt < before {
			return
		}
	case Failure:
		rtt = math.Max(rtt, math.Max(2*before, float64(n.p.o.FailureLatency)))
	}
	switch {
	case !n.known:
		n.cost = rtt
	case rtt >= before:
		n.cost = rtt
	default:
		w := n.p.faded(now - n.stamp)
		n.cost = n.cost*w + rtt*(1-w)
	}
	n.known, n.stamp = true, now
}

// decayed is the cost as it has faded by now. It fades only while no timed request is under way: a node that hangs must not
// look better by the minute. The caller holds mu.
func (n *Node) decayed(now time.Duration) float64 {
	if n.inFlight > n.untimed {
		now = n.busy
	}
	return n.cost * n.p.faded(now-n.stamp)
}

// view is a node at a moment, as far as its load depends on it.
type view struct {
	inFlight, weight float64
	known            bool
	cost             float64 // if it is known
	tried            bool    // a timed request is under way
}

func (n *Node) view(now time.Duration) view {
	n.mu.Lock()
	defer n.mu.Unlock()
	return view{float64(n.inFlight), n.p.weight(now - n.joined), n.known, n.decayed(now), n.inFlight > n.untimed}
}

// load is what one more request would meet: less is better. other is the node that it is compared with.
func (v view) load(other view) float64 {
	switch {
	case v.known:
		return v.cost * (v.inFlight + 1) / v.weight
	case v.inFlight == 0:
		return 0
	case v.tried:
		return unknown * v.inFlight
	case other.known: // what it has under way won't tell its cost, and that of the other is the best guess
		return other.cost * (v.inFlight + 1) / v.weight
	default:
		return v.inFlight // less than any real load
	}
}

// Status is a Node as the status page shows it.
type Status struct {
	// InFlight is the number of requests under way.
	InFlight int64 `json:"in_flight"`
	// Latency is the averaged latency; zero when unknown.
	Latency time.Duration `json:"latency"`
	// Weight is 1 past the slow start, less during it.
	Weight float64 `json:"weight"`
}

// Status reads the node's state.
func (n *Node) Status() Status {
	now := n.p.elapsed()
	n.mu.Lock()
	defer n.mu.Unlock()
	return Status{n.inFlight, time.Duration(n.decayed(now)), n.p.weight(now - n.joined)}
}

// InFlight is the number of requests under way: a node may be stopped when it is drained to zero.
func (n *Node) InFlight() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.inFlight
}
