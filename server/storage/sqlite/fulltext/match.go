package fulltext

import "slices"

// finder returns the positions of an operand in a text, in order.
type finder func(*operand) []int

// holds reports whether a text, known by its positions, satisfies the tree.
func (n *node) holds(find finder) bool {
	switch n.op {
	case opValue:
		return len(find(n.operand)) > 0
	case opNot:
		return !n.right.holds(find)
	case opAnd:
		return n.left.holds(find) && n.right.holds(find)
	case opOr:
		return n.left.holds(find) || n.right.holds(find)
	}
	p := n.places(find)
	return p.negate || len(p.at) > 0
}

// places is where a part of a phrase is: it ends at these positions, or with negate anywhere but there. width is how
// many positions it takes beyond its last.
type places struct {
	at     []int
	negate bool
	width  int
}

func (n *node) places(find finder) places {
	switch n.op {
	case opValue:
		return places{at: find(n.operand)}
	case opNot:
		p := n.right.places(find)
		p.negate = !p.negate
		return p
	}
	l, r := n.left.places(find), n.right.places(find)
	if n.op == opPhrase {
		out := both(l.shift(n.distance+r.width), r)
		out.width = n.distance + l.width + r.width
		return out
	}
	width := max(l.width, r.width)
	l, r = l.shift(width-l.width), r.shift(width-r.width)
	out := places{}
	if n.op == opAnd {
		out = both(l, r)
	} else {
		// a OR b is NOT (NOT a AND NOT b).
		l.negate, r.negate = !l.negate, !r.negate
		out = both(l, r)
		out.negate = !out.negate
	}
	out.width = width
	return out
}

func (p places) shift(by int) places {
	if by == 0 {
		return p
	}
	at := make([]int, len(p.at))
	for i := range p.at {
		at[i] = p.at[i] + by
	}
	p.at = at
	return p
}

// both is where l and r are.
func both(l, r places) places {
	switch {
	case l.negate && r.negate:
		at := slices.Concat(l.at, r.at)
		slices.Sort(at)
		return places{at: slices.Compact(at), negate: true}
	case l.negate:
		return places{at: filter(r.at, l.at, false)}
	case r.negate:
		return places{at: filter(l.at, r.at, false)}
	}
	return places{at: filter(l.at, r.at, true)}
}

// filter returns those of a that are, or aren't, in b. Both are sorted.
func filter(a, b []int, in bool) []int {
	var out []int
	for _, v := range a {
		if _, found := slices.BinarySearch(b, v); found == in {
			out = append(out, v)
		}
	}
	return out
}
