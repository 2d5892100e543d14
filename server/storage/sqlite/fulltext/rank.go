package fulltext

import (
	"cmp"
	"slices"
)

// Rank is ts_rank_cd with the normalisation rank/(rank+1): the closer together the query's words stand in a text, the
// higher, by the covers of Clarke, Cormack and Tudhope (1999).
func (q *Query) Rank(texts ...string) float32 {
	if q.root == nil {
		return 0
	}
	doc := q.document(q.language.vector(texts))
	rank, from := 0.0, 0
	for {
		c, ok := q.cover(doc, from)
		if !ok {
			break
		}
		from = c.begin + 1
		// All words have the weight D, 0.1: a cover counts a tenth, less what stands between its words.
		noise := (doc[c.end].at - doc[c.begin].at) - (c.end - c.begin)
		if noise < 0 {
			noise = (c.end - c.begin) / 2
		}
		rank += 0.1 / float64(1+noise)
	}
	return float32(rank / (rank + 1))
}

// occurrence is a position at which operands of the query stand.
type occurrence struct {
	at       int
	operands []*operand
}

// document lists the occurrences of all operands in order.
func (q *Query) document(v vector) []occurrence {
	byPosition := map[int][]*operand{}
	var collect func(*node)
	collect = func(n *node) {
		if n == nil {
			return
		}
		if n.op == opValue {
			for _, at := range v.positions(n.operand) {
				byPosition[at] = append(byPosition[at], n.operand)
			}
		}
		collect(n.left)
		collect(n.right)
	}
	collect(q.root)
	doc := make([]occurrence, 0, len(byPosition))
	for at, operands := range byPosition {
		doc = append(doc, occurrence{at, operands})
	}
	slices.SortFunc(doc, func(a, b occurrence) int { return cmp.Compare(a.at, b.at) })
	return doc
}

// cover is a shortest run of occurrences that satisfies the query.
type cover struct{ begin, end int }

// cover finds the first cover that starts at from or later.
func (q *Query) cover(doc []occurrence, from int) (c cover, ok bool) {
	seen := map[*operand][]int{}
	find := func(o *operand) []int { return seen[o] }
	for c.end = from; ; c.end++ {
		if c.end >= len(doc) {
			return c, false
		}
		for _, o := range doc[c.end].operands {
			seen[o] = append(seen[o], doc[c.end].at)
		}
		if q.root.holds(find) {
			break
		}
	}
	clear(seen)
	for c.begin = c.end; c.begin >= from; c.begin-- {
		for _, o := range doc[c.begin].operands {
			seen[o] = slices.Insert(seen[o], 0, doc[c.begin].at)
		}
		if q.root.holds(find) {
			return c, true
		}
	}
	return c, false
}
