package peers

import (
	"slices"
	"time"
)

// Bounds of what is published at once.
const (
	maxBatch      = 256
	maxBatchBytes = 1 << 20
)

// nothing is what a record without changes has finished before.
const nothing = ^uint64(0)

// enqueue numbers a record and has it published; before is what the cache had finished before its changes. The lock is held.
func (n *Node) enqueue(now time.Time, r *record, before uint64) uint64 {
	if n.left.Load() {
		return n.seq
	}
	n.seq++
	r.from, r.seq = n.o.Name, n.seq
	if n.o.Finished != nil {
		n.said.add(mark{n.seq, before, n.o.Finished()})
	}
	b := r.append(nil)
	if len(n.queue) >= n.o.MaxQueue || n.queued+len(b) > n.o.MaxQueueBytes {
		// The others see that numbers are missing.
		n.totals.overflows++
		n.totals.lost += uint64(len(n.queue))
		n.queue, n.queued = nil, 0
	}
	n.queue = append(n.queue, b)
	n.queued += len(b)
	n.remember(now)
	n.signal()
	return n.seq
}

// remember notes when the newest own record was made. A few per lease are enough: an older one is as good, only older.
func (n *Node) remember(now time.Time) {
	if k := len(n.sent); k > 0 && now.Sub(n.sent[k-1].at) < n.o.Lease/256 {
		return
	}
	for len(n.sent) > 1 && now.Sub(n.sent[1].at) > 2*n.o.Lease {
		n.sent = n.sent[1:]
	}
	n.sent = append(n.sent, moment{n.seq, now})
}

// sentBy is a time at which an own record with at most this number was made, as late as is known.
func (n *Node) sentBy(seq uint64) (at time.Time, ok bool) {
	i, found := slices.BinarySearchFunc(n.sent, seq, func(m moment, seq uint64) int {
		switch {
		case m.seq < seq:
			return -1
		case m.seq > seq:
			return 1
		}
		return 0
	})
	if !found {
		i--
	}
	if i < 0 {
		return at, false
	}
	return n.sent[i].at, true
}

func (n *Node) signal() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Batch returns the next records to publish, in order; none: there is nothing to say. It returns the same ones until
// Published is called. A record may be published more than once, but not before the ones in front of it.
func (n *Node) Batch() [][]byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.batch != nil {
		return n.batch
	}
	if n.wantBeat && !n.left.Load() {
		n.makeBeat()
	}
	size, k := 0, 0
	for k < len(n.queue) && k < maxBatch && (k == 0 || size+len(n.queue[k]) <= maxBatchBytes) {
		size += len(n.queue[k])
		k++
	}
	if k == 0 {
		return nil
	}
	n.batch = slices.Clone(n.queue[:k])
	clear(n.queue[:k])
	n.queue = n.queue[k:]
	if len(n.queue) == 0 {
		n.queue = nil
	}
	n.queued -= size
	return n.batch
}

// Published says that the batch is in the log.
func (n *Node) Published() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.batch = nil
	if len(n.queue) > 0 || n.wantBeat {
		n.signal()
	}
}

// makeBeat queues a beat, which says how far the others were heard and what of this gateway's is open. The lock is held.
func (n *Node) makeBeat() {
	now := n.o.Clock() // under the lock: all that was heard was heard before
	n.wantBeat, n.beaten = false, now
	r := &record{kind: beat, strict: n.o.Strict, open: n.seq + 1}
	for _, w := range n.open {
		if w.ended {
			continue
		}
		if w.seq == 0 {
			r.held = now.Sub(w.begun)
		} else {
			r.open = w.seq
		}
		break // the first is the oldest, and all are of one kind
	}
	for name, p := range n.peers {
		if !p.left && p.last > 0 && len(r.heard) < maxHeard {
			r.heard = append(r.heard, heard{name, p.last})
			p.quoted = p.read
		}
	}
	n.enqueue(now, r, nothing)
}

// Leave says that this gateway commits nothing more. Its workers must have ended. Nothing is said after that, and nothing
// served: nobody waits for this gateway any more.
func (n *Node) Leave() {
	now := n.o.Clock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.left.Load() {
		return
	}
	n.enqueue(now, &record{kind: leave}, nothing)
	n.left.Store(true) // before it can be published
	n.wantBeat = false
}

// Said reports whether nothing waits to be published.
func (n *Node) Said() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.batch == nil && len(n.queue) == 0
}
