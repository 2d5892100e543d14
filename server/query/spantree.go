package query

import (
	"cmp"
	"math"
	"math/rand/v2"
)

// interval is the values from low to high, both included. It holds none if low is above high.
type interval[K cmp.Ordered] struct{ low, high K }

func (s interval[K]) compare(o interval[K]) int {
	if c := cmp.Compare(s.low, o.low); c != 0 {
		return c
	}
	return cmp.Compare(s.high, o.high)
}

func (s interval[K]) meet(o interval[K]) interval[K] {
	return interval[K]{max(s.low, o.low), min(s.high, o.high)}
}

// valueSpan is a span of values of one kind: of numbers and dates in a form whose order is theirs, or of texts.
type valueSpan struct {
	kind    keyKind
	numbers interval[uint64]
	texts   interval[string]
}

// Nothing is below the least and above the most. No text in UTF-8 has the byte FF.
const (
	leastNumber, mostNumber uint64 = 0, math.MaxUint64
	leastText, mostText            = "", "\xff"
)

func (s valueSpan) meet(o valueSpan) valueSpan {
	s.numbers, s.texts = s.numbers.meet(o.numbers), s.texts.meet(o.texts)
	return s
}

// ends counts the ends that aren't open.
func (s valueSpan) ends() int {
	n := 0
	if s.kind == textKey {
		if s.texts.low != leastText {
			n++
		}
		if s.texts.high != mostText {
			n++
		}
		return n
	}
	if s.numbers.low != leastNumber {
		n++
	}
	if s.numbers.high != mostNumber {
		n++
	}
	return n
}

// spanTree finds the spans that a value is in, in time O(log n + found): an interval tree (Cormen et al., Introduction to
// Algorithms, 14.3) that a treap keeps balanced (Seidel and Aragon, 1996).
type spanTree[K cmp.Ordered, T comparable] struct{ root *spanNode[K, T] }

type spanNode[K cmp.Ordered, T comparable] struct {
	interval[K]
	least, most K // the lowest and the highest end in this part of the tree
	left, right *spanNode[K, T]
	weight      uint32
	slots       slots[T]
}

// at returns the list of a span, a new one if there is none.
func (t *spanTree[K, T]) at(s interval[K]) (list *slots[T], fresh bool) {
	var found *spanNode[K, T]
	t.root = t.root.insert(s, &found, &fresh)
	return &found.slots, fresh
}

func (n *spanNode[K, T]) insert(s interval[K], found **spanNode[K, T], fresh *bool) *spanNode[K, T] {
	if n == nil {
		*found, *fresh = &spanNode[K, T]{interval: s, least: s.low, most: s.high, weight: rand.Uint32()}, true
		return *found
	}
	switch c := s.compare(n.interval); {
	case c == 0:
		*found = n
		return n
	case c < 0:
		if n.left = n.left.insert(s, found, fresh); n.left.weight > n.weight {
			return n.rotateRight()
		}
	default:
		if n.right = n.right.insert(s, found, fresh); n.right.weight > n.weight {
			return n.rotateLeft()
		}
	}
	n.update()
	return n
}

// find is the list of a span, nil if there is none.
func (t *spanTree[K, T]) find(s interval[K]) *slots[T] {
	for n := t.root; n != nil; {
		switch c := s.compare(n.interval); {
		case c == 0:
			return &n.slots
		case c < 0:
			n = n.left
		default:
			n = n.right
		}
	}
	return nil
}

// remove takes a span out that is there.
func (t *spanTree[K, T]) remove(s interval[K]) { t.root = t.root.remove(s) }

func (n *spanNode[K, T]) remove(s interval[K]) *spanNode[K, T] {
	if n == nil {
		return nil
	}
	switch c := s.compare(n.interval); {
	case c < 0:
		n.left = n.left.remove(s)
	case c > 0:
		n.right = n.right.remove(s)
	case n.left == nil:
		return n.right
	case n.right == nil:
		return n.left
	case n.left.weight > n.right.weight:
		n = n.rotateRight()
		n.right = n.right.remove(s)
	default:
		n = n.rotateLeft()
		n.left = n.left.remove(s)
	}
	n.update()
	return n
}

func (n *spanNode[K, T]) rotateRight() *spanNode[K, T] {
	top := n.left
	n.left, top.right = top.right, n
	n.update()
	top.update()
	return top
}

func (n *spanNode[K, T]) rotateLeft() *spanNode[K, T] {
	top := n.right
	n.right, top.left = top.left, n
	n.update()
	top.update()
	return top
}

func (n *spanNode[K, T]) update() {
	n.least, n.most = n.low, n.high
	if n.left != nil {
		n.least, n.most = n.left.least, max(n.most, n.left.most)
	}
	if n.right != nil {
		n.most = max(n.most, n.right.most)
	}
}

// stab calls f with the list of every span that holds v.
func (n *spanNode[K, T]) stab(v K, f func(*slots[T])) {
	for n != nil && n.least <= v && n.most >= v {
		n.left.stab(v, f)
		if n.low > v {
			return // and so does what is on the right
		}
		if n.high >= v {
			f(&n.slots)
		}
		n = n.right
	}
}

// all calls f with every list.
func (n *spanNode[K, T]) all(f func(*slots[T])) {
	for ; n != nil; n = n.right {
		n.left.all(f)
		f(&n.slots)
	}
}
