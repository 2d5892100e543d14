package cache

import "github.com/parsescale/parsescale/server/change"

// prepared is one Prepare that isn't finished.
type prepared struct {
	at       int // place in openChanges.prepares
	changes  []change.Change
	subjects []subject // what it touches
}

// openChanges are the changes that are prepared and not finished: they may or may not be visible.
type openChanges struct {
	prepares   []*prepared
	touched    map[subject]int // in how many ways
	everything int             // changes without a class
}

func (o *openChanges) init() { o.touched = map[subject]int{} }

// maxMatched bounds how many open changes of a class a new question is matched against; past it, it counts as touched.
const maxMatched = 256

// hold records changes as open. The lock is held.
func (c *Cache) hold(changes []change.Change) *prepared {
	o := &c.open
	p := &prepared{at: len(o.prepares), changes: changes, subjects: make([]subject, 0, 2*len(changes))}
	o.prepares = append(o.prepares, p)
	for i := range changes {
		ch := &changes[i]
		switch {
		case ch.Class == "":
			o.everything++
			continue
		case touchesWhole(ch):
			p.subjects = append(p.subjects, subject{ch.Class, "", whole})
		default:
			if own, rel, ok := joinIDs(ch); ok {
				p.subjects = append(p.subjects, subject{ch.Class, own, owner}, subject{ch.Class, rel, related})
			} else {
				p.subjects = append(p.subjects, subject{ch.Class, ch.ObjectID, object})
			}
		}
		if i == 0 || changes[i-1].Class != ch.Class {
			p.subjects = append(p.subjects, subject{ch.Class, "", anything})
		}
	}
	for _, s := range p.subjects {
		o.touched[s]++
	}
	return p
}

// finish moves an open prepare's changes into the past. The lock is held.
func (c *Cache) finish(p *prepared) {
	o := &c.open
	last := len(o.prepares) - 1
	o.prepares[last].at = p.at
	o.prepares[p.at] = o.prepares[last]
	o.prepares[last] = nil
	o.prepares = o.prepares[:last]
	c.seq++
	c.finished.Store(c.seq)
	c.past.add(c.seq, p.changes)
	if c.past.size > 0 {
		c.evict(0, nil)
	}
	for i := range p.changes {
		if p.changes[i].Class == "" {
			o.everything--
		}
	}
	for _, s := range p.subjects {
		if o.touched[s]--; o.touched[s] == 0 {
			delete(o.touched, s)
		}
		c.recent.add(s, c.seq)
	}
}

// touches reports whether an open change may touch what a question depends on.
func (o *openChanges) touches(p *plan) bool {
	if o.everything > 0 {
		return true
	}
	if len(o.prepares) == 0 {
		return false
	}
	for _, s := range p.subjects {
		if o.touched[s] > 0 || o.touched[subject{s.class, "", whole}] > 0 || s.part == visible && o.mayHide(s) {
			return true
		}
	}
	for _, a := range p.asks {
		if o.touched[subject{a.class, "", anything}] > 0 && o.affects(a) {
			return true
		}
	}
	return false
}

// mayHide reports whether an open change may alter who may read an object.
func (o *openChanges) mayHide(s subject) bool {
	if o.touched[subject{s.class, s.id, object}] == 0 {
		return false
	}
	for _, p := range o.prepares {
		for i := range p.changes {
			ch := &p.changes[i]
			if ch.Class != s.class || ch.ObjectID != s.id {
				continue
			}
			if t := touchOf(ch); t.mayHide() {
				return true
			}
		}
	}
	return false
}

func (o *openChanges) affects(a ask) bool {
	if o.touched[subject{a.class, "", whole}] > 0 {
		return true
	}
	matched := 0
	for _, p := range o.prepares {
		for i := range p.changes {
			ch := &p.changes[i]
			if ch.Class != a.class {
				continue
			}
			if matched++; matched > maxMatched || mayMatch(a.where, ch) {
				return true
			}
		}
	}
	return false
}

// recent remembers when subjects were last touched by a finished change, for the last so many of them.
type recent struct {
	last map[subject]uint64 // the number of the finish
	ring []stamp
	next int // place in ring to write to, once it is full
	max  int
	// trimmed is the latest finish of which something was forgotten.
	trimmed uint64
}

type stamp struct {
	subject
	seq uint64
}

func (r *recent) init(max int) {
	r.last = map[subject]uint64{}
	r.max = max
}

func (r *recent) add(s subject, seq uint64) {
	r.last[s] = seq
	if len(r.ring) < r.max {
		r.ring = append(r.ring, stamp{s, seq})
		return
	}
	old := r.ring[r.next]
	r.trimmed = old.seq
	if r.last[old.subject] == old.seq {
		delete(r.last, old.subject)
	}
	r.ring[r.next] = stamp{s, seq}
	r.next = (r.next + 1) % len(r.ring)
}

// touchedSince reports whether anything that an answer turned out to depend on may have been touched since the finish
// numbered seq: by a change that is open, by one that finished later, or by one that is forgotten. The lock is held.
func (c *Cache) touchedSince(seq uint64, d *Dependencies) bool {
	if c.recent.trimmed > seq {
		return true
	}
	if c.seq == seq && len(c.open.prepares) == 0 {
		return false
	}
	if d.overflow {
		return true
	}
	for i := range d.refs {
		r := &d.refs[i]
		if c.touched(seq, subject{string(r.class), string(r.id), object}) || c.touched(seq, subject{string(r.class), "", whole}) {
			return true
		}
	}
	for _, class := range d.classes {
		if c.touched(seq, subject{class, "", anything}) {
			return true
		}
	}
	return c.open.everything > 0
}

func (c *Cache) touched(seq uint64, s subject) bool {
	return c.recent.last[s] > seq || c.open.touched[s] > 0
}
