package peers

import "time"

// Position is how far a gateway had heard when it began to ask a question, so that others know which changes its answer shows:
// by the gateways' names the number of the last record of each that was applied, its own included.
type Position map[string]uint64

// Position returns how far this gateway has heard by now; false: nobody else could say what an answer to a question that begins
// now shows.
func (n *Node) Position() (Position, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.maySay() {
		return nil, false
	}
	return n.position(), true
}

// position is how far this gateway has heard. The lock is held.
func (n *Node) position() Position {
	p := make(Position, 1+len(n.peers))
	p[n.o.Name] = n.seq
	for name, other := range n.peers {
		if other.last > 0 {
			p[name] = other.last
		}
	}
	return p
}

// sample is a Position at a moment.
type sample struct {
	at       time.Time
	position Position
}

// sample keeps positions for as long as it takes them to settle. The lock is held.
func (n *Node) sample(now time.Time) {
	switch {
	case !n.maySay():
		n.samples = nil
		return
	case len(n.samples) > 0 && now.Sub(n.samples[len(n.samples)-1].at) < n.o.Beat:
		return
	}
	n.samples = append(n.samples, sample{now, n.position()})
	for len(n.samples) > 1 && n.settled(n.samples[1], now) {
		n.samples = n.samples[1:]
	}
}

// settled reports whether all that was committed before a sample is applied here or dropped, if this gateway is in step: also what
// nobody was told of, because who wrote it is gone. The lock is held.
func (n *Node) settled(s sample, now time.Time) bool { return now.Sub(s.at) >= n.o.Lease+n.o.Margin }

// SettledPosition returns a Position of a lease ago that counts for all that is in the cache after the call: it shows whatever was
// written before, as what a worker answers does. It must not be changed.
func (n *Node) SettledPosition() (Position, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.maySay() || len(n.samples) == 0 || !n.settled(n.samples[0], n.o.Clock()) {
		return nil, false
	}
	return n.samples[0].position, true
}

// Arrivals counts the gateways that have come, each twice, once a SettledPosition may be of after that: one that came after a
// Position was taken can't tell by that which changes an answer shows.
func (n *Node) Arrivals() uint64 { return n.arrivals.Load() }

// arrivalAges are how long after it was heard first, in leases, a gateway counts among the arrivals. One that starts drops all it
// has once it is sure of its database, which usually takes it three seconds and may take longer; only positions of after that count.
var arrivalAges = [...]time.Duration{4, 8}

// arrive counts a gateway's arrival. The lock is held.
func (n *Node) arrive(now time.Time, p *peer) {
	for p.last > 0 && !p.left && p.counted < len(arrivalAges) && now.Sub(p.came) >= arrivalAges[p.counted]*n.o.Lease {
		p.counted++
		n.arrivals.Add(1)
	}
}

// Since says what the cache has to look at before it takes an answer that another gateway got at a position: whatever it
// finished after since must not touch the answer, and nothing may have been dropped at large after dropped. Both are told as
// Options.Finished counts. false: nobody can say.
func (n *Node) Since(p Position) (since, dropped uint64, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	own := p[n.o.Name]
	if !n.maySay() || own < n.floor {
		return 0, 0, false
	}
	if dropped, ok = n.said.made(own); !ok {
		return 0, 0, false // what this gateway said last is too long ago, or it wasn't there yet
	}
	since, ok = n.said.after(own, n.o.Finished())
	for _, w := range n.open {
		if !w.ended {
			since = min(since, w.finished)
		}
	}
	for name, other := range n.peers {
		if !ok || p[name]+1 < other.from {
			return 0, 0, false // something was missed since
		}
		since, ok = other.told.after(p[name], since)
	}
	return since, dropped, ok
}

// maySay reports whether all is known that has to be. The lock is held.
func (n *Node) maySay() bool {
	now := n.o.Clock()
	return n.o.Finished != nil && !n.left.Load() && !suspended(*n.ticked.Load(), now) && now.Before(*n.step.Load())
}

// finished counts what the cache has finished. The lock is held.
func (n *Node) finished() uint64 {
	if n.o.Finished == nil {
		return 0
	}
	return n.o.Finished()
}

// forgotten says that nothing is known any more of a gateway's records, so that only those positions count that were taken after
// this moment: by who has heard what is said from now on. The lock is held.
func (n *Node) forgotten() { n.floor = n.seq + 1 }

// maxMarks bounds how many records of a gateway are remembered for positions.
const maxMarks = 4096

// marks are records of one gateway, in the order of their numbers, and how much the cache had finished by then.
type marks struct {
	list []mark
	lost uint64 // number of the last one that isn't remembered
}

// mark is one record. Both times are told as Options.Finished counts.
type mark struct {
	seq    uint64
	before uint64 // before its changes were finished
	made   uint64 // when it was made
}

func (m *marks) add(k mark) {
	if len(m.list) == maxMarks {
		half := maxMarks / 2
		m.lost = m.list[half-1].seq
		m.list = append(m.list[:0], m.list[half:]...)
	}
	m.list = append(m.list, k)
}

// after is before what the first of the records past seq was finished; limit, if that is less.
func (m *marks) after(seq, limit uint64) (uint64, bool) {
	for i := len(m.list) - 1; i >= 0 && m.list[i].seq > seq; i-- {
		limit = min(limit, m.list[i].before)
	}
	return limit, seq >= m.lost
}

// made is when the record was made.
func (m *marks) made(seq uint64) (uint64, bool) {
	for i := len(m.list) - 1; i >= 0 && m.list[i].seq >= seq; i-- {
		if m.list[i].seq == seq {
			return m.list[i].made, true
		}
	}
	return 0, false
}
