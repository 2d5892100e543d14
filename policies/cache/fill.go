package cache

import (
	"context"
	"errors"
	"time"
)

// ErrLeaderFailed: the fill that was waited for gave no answer that may be shared. Whoever waited asks a worker itself.
var ErrLeaderFailed = errors.New("the shared question got no answer that may be shared")

// maxJoin is how long after its beginning a fill may still be joined: a worker that takes longer may never answer.
const maxJoin = 30 * time.Second

// flight is one question on its way to a worker, shared by those who ask it meanwhile.
type flight struct {
	node  *node // in the graph until it is dirty or settled; its key is always there
	began time.Time
	// seq and serial are how many prepares had finished and begun when it began; quiet: all that began had finished.
	seq, serial uint64
	quiet       bool
	level       Level
	everyone    bool // those who join need not share the leader's rights

	storable bool
	dirty    bool // a change touched it: not stored, and joined no more
	settled  bool
	done     chan struct{} // closed when it is settled
	// Set before done is closed.
	entry *Entry // nil: no answer to share
	err   error  // why there is no entry, if all who wait are to be told
	// stale: something only the answer told it depends on was touched. Who joined after a change began can't be sure
	// that the answer isn't older than what others have seen.
	stale bool
}

// Fill is one request's part in a flight: the leader's, who asks a worker, or a follower's, who waits.
type Fill struct {
	c      *Cache
	fl     *flight
	leader bool
	// safe: no change was open, nor began, between the flight's beginning and this request's.
	safe bool
}

// Begin joins the fill of a key, or starts one. The leader asks a worker and calls Store or Abandon; a follower calls
// Wait. What the answer depends on is in the index before Begin returns, so that no change can slip between.
//
// If an open change may touch the answer, Begin starts a fill that nobody joins and that isn't stored.
func (c *Cache) Begin(k Key, r Reading) (f *Fill, leader bool) {
	oldest, now := c.options.Oldest(), c.options.Clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if fl := c.flights[k]; fl != nil {
		if now.Sub(fl.began) < maxJoin && !fl.began.Before(oldest) {
			c.stats.Collapsed++
			return &Fill{c: c, fl: fl, safe: fl.quiet && fl.serial == c.serial}, false
		}
		delete(c.flights, k) // it goes on alone
	}
	c.stats.Fills++
	fl := &flight{
		node: &node{key: k, asked: now}, began: now, seq: c.seq, serial: c.serial, quiet: len(c.open.prepares) == 0,
		level: r.Level, everyone: r.Everyone, done: make(chan struct{}),
	}
	fl.node.flight = fl
	if p := r.plan(); !p.unstorable && !c.open.touches(&p) {
		fl.storable = true
		round := c.graph.begin()
		c.graph.charge(fl.node, nodeSize)
		// The question itself comes first, before what else it reads.
		for _, a := range p.asks {
			c.graph.ask(fl.node, round, a)
		}
		for _, s := range p.subjects {
			c.graph.attach(fl.node, round, s)
		}
		c.flights[k] = fl
	}
	return &Fill{c: c, fl: fl, leader: true}, true
}

// Wait waits for the leader's answer. After ErrLeaderFailed the caller asks a worker itself; other errors are those of
// ctx and of Refuse.
func (f *Fill) Wait(ctx context.Context) (*Entry, error) {
	select {
	case <-f.fl.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f.fl.err != nil {
		return nil, f.fl.err
	}
	if f.fl.entry == nil || (f.fl.stale && !f.safe) {
		return nil, ErrLeaderFailed
	}
	return f.fl.entry, nil
}

// Store gives the leader's answer to those who wait, and stores it unless a change may have touched it since Begin: what
// Begin knew it depends on, or what d adds. At a level with a time to live, Expires is brought forward to its end,
// counted from Begin. The entry, and the bytes that d was made from, must not change any more. It reports whether the
// entry was stored.
func (f *Fill) Store(e *Entry, d Dependencies) (stored bool) { return f.StoreAs(f.fl.node.key, e, d) }

// StoreAs is Store under another key than that of the fill: only the answer tells who shares it.
func (f *Fill) StoreAs(k Key, e *Entry, d Dependencies) (stored bool) {
	c, fl := f.c, f.fl
	if !f.leader {
		return false
	}
	if ttl := fl.level.MaxTTL(); ttl > 0 {
		if end := fl.began.Add(ttl); e.Expires.IsZero() || end.Before(e.Expires) {
			capped := *e
			capped.Expires = end
			e = &capped
		}
	}
	sum := e.sum()
	expired := !e.Expires.IsZero() && !c.options.Clock().Before(e.Expires)
	c.mu.Lock()
	defer c.mu.Unlock()
	if fl.settled {
		return false
	}
	if !fl.everyone || e.Everyone {
		fl.entry = e
	}
	c.everyones.note(fl.node.key, k, e.Everyone)
	fl.stale = fl.stale || c.touchedSince(fl.seq, &d)
	size := e.size()
	switch {
	case !fl.storable:
	case fl.dirty || fl.stale:
		c.stats.RefusedFills++
	case d.overflow || size > c.options.MaxBytes/4:
		c.stats.Oversized++
	default:
		stored = !expired
	}
	if !stored {
		c.settle(fl, true)
		return false
	}
	return c.store(fl, k, e, &d, size, sum)
}

// store ends a flight with an answer that is stored. The lock is held.
func (c *Cache) store(fl *flight, k Key, e *Entry, d *Dependencies, size int64, sum uint64) bool {
	c.settle(fl, false)
	n := fl.node
	n.key, n.entry, n.flight, n.sum = k, e, nil, sum
	c.graph.charge(n, size)
	c.graph.depend(n, d)
	c.insert(n)
	c.filled(n)
	if e.Everyone {
		c.stats.Shared++
	}
	return true
}

// Abandon ends a fill without an answer: its followers ask for themselves. After Store it does nothing, so that a
// leader can defer it, whatever becomes of it.
func (f *Fill) Abandon() { f.Refuse(nil) }

// Refuse is Abandon, but the followers get err and shouldn't ask either: what kept the leader from asking a worker keeps
// them, too.
func (f *Fill) Refuse(err error) {
	if !f.leader {
		return
	}
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	if !f.fl.settled {
		f.fl.err = err
		f.c.settle(f.fl, true)
	}
}

// settle ends a flight. The lock is held.
func (c *Cache) settle(fl *flight, detach bool) {
	fl.settled = true
	if c.flights[fl.node.key] == fl {
		delete(c.flights, fl.node.key)
	}
	if detach && fl.storable && !fl.dirty {
		c.graph.detach(fl.node)
	}
	close(fl.done)
}
