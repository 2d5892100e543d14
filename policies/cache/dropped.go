package cache

import (
	"encoding/json"
	"hash/maphash"
	"math/bits"
)

// reason is what of an entry a change touched, so that it was dropped: of several, what was looked at first.
type reason uint8

const (
	byWhole    reason = iota // all of the class, or everything: its schema, a purge, or what was missed
	byClass                  // it depends on any change of the class
	byRelation               // members of a relation
	byObject                 // an object that it shows, that was asked for, or that was read on the way
	byOwner                  // who may read the owner of a relation
	byUntold                 // any where of the class: the change doesn't tell the object before and after
	byWhere                  // a where that finds the object, or may find it, before the change or after
	ofRights                 // whatever it was, what a session token stands for depended on it
	reasons
)

var reasonNames = [reasons]string{"whole", "class", "relation", "object", "owner", "untold", "where", "rights"}

// Drops counts what changes dropped, by the reason.
type Drops [reasons]Drop

// Drop counts what changes dropped for one reason.
type Drop struct {
	Dropped uint64 `json:"dropped"`
	// Needed and Needless count those of them that were asked for again, by whether the answer was another by then or the same.
	// What nobody asked for again, or not before too many others were dropped, is in neither.
	Needed   uint64 `json:"needed"`
	Needless uint64 `json:"needless"`
}

// Each calls f for every reason, in the same order each time.
func (d *Drops) Each(f func(reason string, n Drop)) {
	for i := range d {
		f(reasonNames[i], d[i])
	}
}

// MarshalJSON implements json.Marshaler: an object of the reasons for which something was dropped.
func (d Drops) MarshalJSON() ([]byte, error) {
	all := map[string]Drop{}
	d.Each(func(reason string, n Drop) {
		if n.Dropped > 0 {
			all[reason] = n
		}
	})
	return json.Marshal(all)
}

// UnmarshalJSON implements json.Unmarshaler.
func (d *Drops) UnmarshalJSON(text []byte) error {
	var all map[string]Drop
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	for i, name := range reasonNames {
		d[i] = all[name]
	}
	return nil
}

// lost remembers what changes dropped, until it is asked for again: a fingerprint of each answer, the latest of those that
// have the same place. It only counts.
type lost struct {
	max   int // how many there may be
	slots []lostAnswer
}

type lostAnswer struct {
	key, sum uint64
	why      reason
	there    bool
}

const (
	lostSize = 24   // bytes of a lostAnswer
	maxLost  = 8192 // how many are remembered
	// lostShare is the share of the bound of all memory that they may have: one of so many.
	lostShare = 64
)

// bound says how much memory there is for everything, in bytes.
func (l *lost) bound(all int64) {
	n := min(all/lostShare/lostSize, maxLost)
	if l.max = 0; n > 0 {
		l.max = 1 << (bits.Len64(uint64(n)) - 1)
	}
	if len(l.slots) > l.max {
		l.slots = nil
	}
}

// size is the memory in bytes.
func (l *lost) size() int64 { return int64(len(l.slots)) * lostSize }

func (l *lost) place(k Key) *lostAnswer { return &l.slots[k.Lo&uint64(len(l.slots)-1)] }

// dropped counts a node that a change drops, and remembers it. The lock is held.
func (c *Cache) dropped(n *node, why reason) {
	if n.rights != nil {
		why = ofRights
	}
	c.stats.Drops[why].Dropped++
	if n.entry.Timed { // time alone alters it
		return
	}
	if c.lost.slots == nil {
		if c.lost.max == 0 {
			return
		}
		c.lost.slots = make([]lostAnswer, c.lost.max)
	}
	*c.lost.place(n.key) = lostAnswer{n.key.Hi, n.sum, why, true}
}

// filled counts whether what was dropped is the same now that it is asked for again. The lock is held.
func (c *Cache) filled(n *node) {
	if c.lost.slots == nil {
		return
	}
	l := c.lost.place(n.key)
	if !l.there || l.key != n.key.Hi {
		return
	}
	l.there = false
	if count := &c.stats.Drops[l.why]; l.sum == n.sum {
		count.Needless++
	} else {
		count.Needed++
	}
}

var sumSeed = maphash.MakeSeed()

// sum is a fingerprint of the answer. Its ETag stands for the body: that is far shorter.
func (e *Entry) sum() uint64 {
	if e.ETag != "" {
		return maphash.String(sumSeed, e.ETag) + uint64(e.Status)
	}
	return maphash.Bytes(sumSeed, e.Body) + uint64(e.Status)
}
