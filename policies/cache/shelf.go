package cache

import (
	"math"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// shelf holds the nodes of a shard in the order in which they go for lack of room: W-TinyLFU (G. Einziger, R. Friedman, B. Manes,
// 2017). What is new gets a place among the young, whatever it is. Who is pushed out from there by the next ones stays only if
// it was looked up more often lately than the one that has been unused for longest among the old, which goes otherwise. So
// what is asked for once doesn't take the place of what is asked for again and again, while what comes in a burst is there for as
// long as that lasts. It has simplelru's methods, and is not safe for concurrent use.
type shelf struct {
	young, old *simplelru.LRU[Key, *node]
	asked      sketch // how often keys were looked up
	plain      bool   // a plain LRU, for measurements
}

// youngShare is the share of the nodes that are young: one of so many.
const youngShare = 10

func newShelf() shelf {
	// The bound is in bytes, not in nodes; NewLRU fails for a size of 0 only.
	young, _ := simplelru.NewLRU[Key, *node](math.MaxInt, nil)
	old, _ := simplelru.NewLRU[Key, *node](math.MaxInt, nil)
	return shelf{young: young, old: old}
}

// Get returns the node of a key, which counts as used.
func (s *shelf) Get(k Key) (*node, bool) {
	s.asked.count(k)
	if n, ok := s.old.Get(k); ok {
		return n, true
	}
	return s.young.Get(k)
}

// Peek returns the node of a key.
func (s *shelf) Peek(k Key) (*node, bool) {
	if n, ok := s.old.Peek(k); ok {
		return n, true
	}
	return s.young.Peek(k)
}

// Add puts a node among the young; its key must be free. It returns by how many bytes the shelf's own memory has grown.
func (s *shelf) Add(k Key, n *node) (grown int64) {
	s.young.Add(k, n)
	return s.asked.fit(s.Len())
}

// Remove takes a node out. It returns by how many bytes the shelf's own memory has shrunk.
func (s *shelf) Remove(k Key) (shrunk int64) {
	if !s.old.Remove(k) {
		s.young.Remove(k)
	}
	if s.Len() > 0 {
		return 0
	}
	return s.asked.release()
}

// Len is the number of nodes.
func (s *shelf) Len() int { return s.young.Len() + s.old.Len() }

// Values returns all nodes.
func (s *shelf) Values() []*node { return append(s.old.Values(), s.young.Values()...) }

// Purge takes all nodes out. It returns by how many bytes the shelf's own memory has shrunk.
func (s *shelf) Purge() (shrunk int64) {
	s.young.Purge()
	s.old.Purge()
	return s.asked.release()
}

// GetOldest returns the old node that was unused for longest; a young one, if there is no old one.
func (s *shelf) GetOldest() (*node, bool) {
	if _, n, ok := s.old.GetOldest(); ok {
		return n, true
	}
	_, n, ok := s.young.GetOldest()
	return n, ok
}

// crowded reports whether there are more young ones than their share, of which one always has a place.
func (s *shelf) crowded() bool {
	return s.young.Len() > 1 && s.young.Len() > s.Len()/youngShare
}

// grow makes young ones old, as long as there are more of them than their share.
func (s *shelf) grow() {
	for s.crowded() {
		k, n, _ := s.young.RemoveOldest()
		s.old.Add(k, n)
	}
}

// loser returns the node that goes next for lack of room, other than spare, and whether that is one that didn't earn its place
// among the old; nil if there is none.
func (s *shelf) loser(spare *node) (n *node, rejected bool) {
	if s.plain {
		s.grow()
	}
	k, young, hasYoung := s.young.GetOldest()
	_, old, hasOld := s.old.GetOldest()
	hasYoung, hasOld = hasYoung && young != spare, hasOld && old != spare
	switch {
	case !hasYoung && !hasOld:
		return nil, false
	case !hasOld:
		return young, false
	case !hasYoung || !s.crowded():
		return old, false
	case s.asked.estimate(k) <= s.asked.estimate(old.key):
		return young, true
	}
	s.young.Remove(k)
	s.old.Add(k, young)
	return old, false
}
