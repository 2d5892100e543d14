package peers

import "time"

// Look is what the roster of gateways at the database said. A gateway is in the roster from before its workers can commit
// until nothing of them can be committed any more.
type Look struct {
	// Began is when it was asked.
	Began time.Time
	// Since is since when this gateway is in it without a break; zero: it isn't.
	Since time.Time
	// Members are the gateways in it, with or without this one.
	Members []string
}

// mayCommit reports whether this gateway's writes may be committed: it is in the roster, for so long that every other gateway
// has seen it there or isn't in step. The lock is held.
func (n *Node) mayCommit(now time.Time) bool {
	return now.Sub(n.look.Began) < n.o.Lease && !n.look.Since.IsZero() && now.Sub(n.look.Since) >= n.o.Lease+n.o.Margin
}

// Looked takes what the roster said.
func (n *Node) Looked(l Look) {
	now := n.o.Clock()
	n.mu.Lock()
	if now.Sub(n.look.Began) > n.o.Lease {
		n.purge() // somebody may have come, written, and gone meanwhile
	}
	n.look = l
	in := map[string]bool{}
	for _, name := range l.Members {
		if name != n.o.Name {
			in[name] = true
			p := n.peer(name)
			p.member, p.gone = true, time.Time{}
		}
	}
	for name, p := range n.peers {
		switch {
		case p.member && !in[name]:
			n.missing(now, l.Began, name, p)
		case !p.member && len(p.held) > 0 && l.Began.Sub(p.read) >= n.o.Lease+n.o.Margin:
			n.forget(name, p) // it was read late what somebody had prepared who is forgotten already
		}
	}
	n.recompute()
	free := n.release(now)
	n.mu.Unlock()
	run(free)
}

// missing is told of a gateway that the roster doesn't have any more. It may take a lease until the gateway itself knows;
// until then it may come back and commit something. If it doesn't, what it committed last may never be told. The lock is held.
func (n *Node) missing(now, began time.Time, name string, p *peer) {
	switch {
	case p.left:
		p.member = false // it has told everything
	case p.gone.IsZero():
		p.gone = now
	case began.Sub(p.gone) >= n.o.Lease+n.o.Margin:
		n.forget(name, p)
	}
}

// forget drops what is cached, and ends what a gateway that is gone had prepared. The lock is held.
func (n *Node) forget(name string, p *peer) {
	n.totals.gaps++
	n.purge()
	p.finish(^uint64(0))
	delete(n.peers, name)
	n.forgotten()
	n.o.Logger.Warn("another gateway is gone without a word; what was cached before is dropped", "gateway", name)
}
