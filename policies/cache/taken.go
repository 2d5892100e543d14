package cache

import (
	"time"

	"github.com/parsescale/parsescale/server/change"
)

// past are the last finished changes, for answers that were given elsewhere and may be older than these.
type past struct {
	max     int   // how many prepares are remembered
	maxSize int64 // and how many bytes of them
	list    []pastChanges
	size    int64
	from    uint64 // everything that was finished after that is in list
}

type pastChanges struct {
	seq     uint64
	changes []change.Change
	size    int64
}

const (
	// maxPast is how many prepares are remembered for Take, pastShare the share of the bound of all memory that they may have: one
	// of so many.
	maxPast   = 4096
	pastShare = 32
	// maxTaken bounds how many changes an answer is matched against: past it a worker is asked.
	maxTaken = 512
)

func (p *past) add(seq uint64, changes []change.Change) {
	if p.max == 0 {
		p.from = seq
		return
	}
	one := pastChanges{seq, changes, pastSize(changes)}
	p.list = append(p.list, one)
	p.size += one.size
	for len(p.list) > p.max || p.size > p.maxSize {
		p.size -= p.list[0].size
		p.from = p.list[0].seq
		p.list[0] = pastChanges{}
		p.list = p.list[1:]
	}
}

// pastSize is the memory of changes.
func pastSize(changes []change.Change) int64 {
	const list, one, field = 64, 128, 64
	n := int64(list)
	for i := range changes {
		n += one
		for _, image := range [...]*change.Image{changes[i].Before, changes[i].After} {
			if image == nil {
				continue
			}
			n += one
			for name, v := range image.Fields {
				n += field + int64(len(name)) + valueSize(v)
			}
		}
	}
	return n
}

// SetTaking says whether answers may be taken from elsewhere. It costs a 32nd of the bound of memory, at most, for the changes
// that they are matched against.
func (c *Cache) SetTaking(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !on {
		c.past = past{from: c.seq}
		return
	}
	if c.past.max == 0 {
		c.past = past{max: maxPast, from: c.seq}
	}
	c.past.maxSize = c.options.MaxBytes / pastShare
}

// Takes reports whether answers may be taken from elsewhere.
func (c *Cache) Takes() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.past.max > 0
}

// Finished counts the changes that were finished. It waits for nothing.
func (c *Cache) Finished() uint64 { return c.finished.Load() }

// distrust leaves nothing to be taken that was given before. The lock is held.
func (c *Cache) distrust() {
	c.seq++
	c.finished.Store(c.seq)
	c.purged = c.seq
}

// Take is StoreAs for an answer that somebody else was given, perhaps long ago: it shows all changes that are finished, as Finished
// counts, up to since, and perhaps some of the later ones. It is taken if none of these may have touched it, and Purge and Discard
// weren't called after dropped. If it isn't taken the fill goes on.
func (f *Fill) Take(k Key, e *Entry, d Dependencies, since, dropped uint64) (taken bool) {
	c, fl := f.c, f.fl
	size, sum := e.size(), e.sum()
	expired := !e.Expires.IsZero() && !c.options.Clock().Before(e.Expires)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !f.leader || fl.settled || !fl.storable || fl.dirty || expired || d.overflow || size > c.options.MaxBytes/4:
		return false
	case fl.level != Exact || c.purged > dropped || c.past.from > since || c.touchedSince(fl.seq, &d) || c.touchedAfter(since, fl.node, &d):
		c.stats.RefusedTaken++
		return false
	}
	if !fl.everyone || e.Everyone {
		fl.entry = e
	}
	c.everyones.note(fl.node.key, k, e.Everyone)
	fl.node.asked = time.Time{} // nobody knows: it isn't served where its age counts
	c.stats.Taken++
	return c.store(fl, k, e, &d, size, sum)
}

// touchedAfter reports whether a change that was finished after since may touch an answer to what a node asks, with what the answer
// told it depends on. The lock is held.
func (c *Cache) touchedAfter(since uint64, n *node, d *Dependencies) bool {
	list := c.past.list
	first := len(list)
	for first > 0 && list[first-1].seq > since {
		first--
	}
	if list = list[first:]; len(list) == 0 {
		return false
	}
	// As if it were stored, and the changes came now.
	var g graph
	g.init()
	like := &node{broad: n.broad}
	round := g.begin()
	for _, a := range n.asks {
		g.ask(like, round, a)
	}
	for _, e := range n.edges {
		if e.dep.part != asked {
			g.attach(like, round, e.dep.subject)
		}
	}
	g.depend(like, d)
	f := finder{graph: &g, round: g.begin()}
	f.visit = f.asked
	matched := 0
	for i := range list {
		for k := range list[i].changes {
			ch := &list[i].changes[k]
			if ch.Class == "" {
				return true
			}
			if g.classes[ch.Class] == nil {
				continue
			}
			if f.find(ch); len(f.found) > 0 {
				return true
			}
			if matched++; matched == maxTaken {
				return true
			}
		}
	}
	return false
}
