package peers

import (
	"time"
)

// Serve says what of the cache may be served now: nothing, unless ok; what was asked at notBefore or later, unless that
// is zero; else everything. It is asked before an entry is looked up.
func (n *Node) Serve() (notBefore time.Time, ok bool) {
	now := n.o.Clock()
	if n.left.Load() || suspended(*n.ticked.Load(), now) {
		return now, false
	}
	if now.Before(*n.step.Load()) {
		return time.Time{}, true
	}
	return now.Add(-n.o.MaxAge), !n.o.Strict
}

// maxDrift is how far two clocks of a machine may drift apart between two ticks.
const maxDrift = time.Second

// suspended reports whether the machine slept between two moments: its monotonic clock did then, and knows nothing of it.
func suspended(before, now time.Time) bool {
	return now.Round(0).Sub(before.Round(0)) > now.Sub(before)+maxDrift
}

// recompute finds until when the Node is in step: as long as the roster was looked at, and each gateway in it has confirmed,
// no longer than a lease ago. The lock is held.
func (n *Node) recompute() {
	until := n.look.Began
	for _, p := range n.peers {
		if !p.member || p.left {
			continue
		}
		if n.o.Strict && !p.strict {
			until = time.Time{} // its writes wait for nobody
		}
		if p.confirmed.Before(until) {
			until = p.confirmed
		}
	}
	if !until.IsZero() {
		until = until.Add(n.o.Lease)
	}
	n.step.Store(&until)
}

// Tick does what time brings. It is called several times a lease.
func (n *Node) Tick() {
	now := n.o.Clock()
	n.mu.Lock()
	if suspended(*n.ticked.Load(), now) {
		for _, p := range n.peers {
			p.confirmed = time.Time{}
		}
		n.look.Began = time.Time{}
		n.recompute()
		n.purge()
	}
	n.ticked.Store(&now)
	n.sample(now)
	if now.Sub(n.beaten) >= n.o.Beat && !n.left.Load() {
		n.beatSoon()
	}
	for name, p := range n.peers {
		n.arrive(now, p)
		if !p.member && now.Sub(p.read) > 30*n.o.Lease && len(p.held) == 0 {
			delete(n.peers, name)
			n.forgotten()
		}
	}
	free := n.release(now)
	in := now.Before(*n.step.Load())
	was := n.wasIn
	n.wasIn = in
	var why []any
	if in != was && !in {
		why = n.behind(now)
	}
	n.mu.Unlock()
	run(free)
	switch {
	case in && !was:
		n.o.Logger.Info("in step with the other gateways")
	case was && !in && n.o.Strict:
		n.o.Logger.Warn("out of step with the other gateways; nothing is served from the cache", why...)
	case was && !in:
		n.o.Logger.Warn("out of step with the other gateways; nothing older than the limit is served from the cache", append(why, "limit", n.o.MaxAge)...)
	}
}

// behind says, for the log, what is missing to be in step. The lock is held.
func (n *Node) behind(now time.Time) (why []any) {
	if now.Sub(n.look.Began) >= n.o.Lease {
		why = append(why, "roster", "not read in time")
	}
	for name, p := range n.peers {
		if p.member && !p.left && now.Sub(p.confirmed) >= n.o.Lease {
			why = append(why, "gateway", name)
		}
	}
	return why
}
