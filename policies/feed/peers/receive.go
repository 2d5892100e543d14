package peers

import (
	"time"

	"github.com/parsescale/parsescale/server/change"
)

// Receive takes the next record of the log. Records that were taken before are ignored.
func (n *Node) Receive(b []byte) {
	r, err := parse(b)
	now := n.o.Clock()
	n.mu.Lock()
	if err != nil {
		// Somebody says something that isn't understood. If it was one of the senders', its number will be missing.
		n.totals.gaps++
		n.purge()
		n.mu.Unlock()
		n.o.Logger.Error("cannot read what another gateway says", "error", err)
		return
	}
	n.receive(now, &r)
	n.recompute()
	free := n.release(now)
	n.mu.Unlock()
	run(free)
}

func (n *Node) receive(now time.Time, r *record) {
	if r.from == n.o.Name {
		n.hearMyself(now, r)
		return
	}
	p := n.peer(r.from)
	if r.seq <= p.last || p.left {
		return
	}
	n.totals.received++
	if r.seq != p.last+1 {
		// What is missing may have been committed, or be about to be. The one is settled by dropping everything; for the
		// other, nothing of this gateway's counts as confirmed before all that was prepared before has ended.
		n.totals.gaps++
		n.purge()
		p.from, p.confirmed = r.seq, time.Time{}
	}
	if n.o.Finished != nil && (r.kind == changed || r.kind == prepared) {
		p.told.add(mark{seq: r.seq, before: n.o.Finished()})
	}
	switch r.kind {
	case beat:
		n.receiveBeat(p, r)
	case changed:
		n.o.Cache.Prepare(n.changes(r.payload))()
	case prepared:
		p.held[r.seq] = n.o.Cache.Prepare(n.changes(r.payload))
		n.beatSoon()
	case done:
		finish := p.held[r.of]
		delete(p.held, r.of)
		if finish == nil {
			finish = n.purge // who knows what it was
		}
		finish()
	case leave:
		p.left = true
		p.finish(^uint64(0))
	}
	if p.last == 0 {
		p.came = now
	}
	p.last, p.read = r.seq, now
}

// hearMyself takes an own record. The lock is held.
func (n *Node) hearMyself(now time.Time, r *record) {
	if r.seq <= n.own {
		return
	}
	n.own = r.seq
	if r.kind == beat {
		if at, ok := n.sentBy(r.seq); ok {
			n.lag = now.Sub(at)
		}
	}
}

// receiveBeat takes how far a gateway has heard this one, and what it has told by then. The lock is held.
//
// Before the beat was made, its sender had read my record k, which was sent at s. What it committed before the beat is in
// the log, except for writes that were open: those began no longer than held before, thus what it committed before s-held
// has been read here. In strict mode what is open was prepared: that was heard here, if it is no older than from.
func (n *Node) receiveBeat(p *peer, r *record) {
	p.strict, p.beats = r.strict, true
	p.finish(r.open)
	var k uint64
	for _, h := range r.heard {
		if h.name == n.o.Name {
			k = h.seq
		}
	}
	p.heardMe = max(p.heardMe, k)
	if k == 0 || r.open < p.from {
		return
	}
	if at, ok := n.sentBy(k); ok {
		if at = at.Add(-r.held); at.After(p.confirmed) {
			p.confirmed = at
		}
	}
}

// finish ends what a gateway prepared before a record.
func (p *peer) finish(before uint64) {
	for seq, f := range p.held {
		if seq < before {
			delete(p.held, seq)
			f()
		}
	}
}

// peer returns what is known of a gateway. The lock is held.
func (n *Node) peer(name string) *peer {
	p := n.peers[name]
	if p == nil {
		p = &peer{held: map[uint64]func(){}}
		n.peers[name] = p
	}
	return p
}

// changes decodes a payload. What can't be read may be anything.
func (n *Node) changes(payload []byte) []change.Change {
	unknown := []change.Change{{App: n.o.App, Kind: change.Purge}}
	const head = 5 // length and type
	if len(payload) < head {
		return unknown
	}
	f, err := change.Decode(change.Type(payload[4]), payload[head:])
	if err != nil || f.Type != change.TypePrepare {
		return unknown
	}
	for i := range f.Changes {
		f.Changes[i].App = n.o.App // the log tells whose it is
	}
	return f.Changes
}

// beatSoon has a beat published at once. The lock is held.
func (n *Node) beatSoon() {
	n.wantBeat = true
	n.signal()
}

// purge drops what is cached. The lock is held.
func (n *Node) purge() { n.o.Cache.Purge("", "") }
