package fulltext

import (
	"errors"
	"fmt"
)

// What Parse may refuse; compare with errors.Is.
var (
	ErrLanguage = errors.New("unknown text search configuration")
	ErrSyntax   = errors.New("syntax error in the search term")
)

// Query is a parsed term: PostgreSQL's tsquery. It is safe for concurrent use.
type Query struct {
	language *language
	root     *node // nil: only stop words, which nothing matches
}

type operator uint8

const (
	opValue operator = iota
	opStop           // a stop word, until cleaned up
	opNot
	opAnd
	opOr
	opPhrase
)

// node is an operand or an operator. opNot has its operand on the right.
type node struct {
	op          operator
	operand     *operand
	left, right *node
	distance    int // of opPhrase
}

// operand is one lexeme.
type operand struct {
	lexeme   string
	prefix   bool // word:*
	weighted bool // word:A and the like, without D
}

// Parse reads a term by the rules of to_tsquery: words, & | ! <-> <N> and brackets; 'quoted words', word:* and word:AB.
func Parse(languageName, term string) (*Query, error) {
	l := languageOf(languageName)
	if l == nil {
		return nil, fmt.Errorf("%w %q", ErrLanguage, languageName)
	}
	p := parser{in: term, language: l}
	root, err := p.or(0)
	if err == nil && p.space() != "" {
		err = ErrSyntax
	}
	if err != nil {
		return nil, fmt.Errorf("%w %q", err, term)
	}
	root, _, _ = withoutStops(root)
	return &Query{language: l, root: root}, nil
}

// Match reports whether a text matches, which may be in several parts: no phrase goes from one into the next.
func (q *Query) Match(texts ...string) bool {
	return q.root != nil && q.root.holds(q.language.vector(texts).positions)
}

// withoutStops takes the stop words out of a tree. left and right are how many positions the phrases on either side must
// leave for what was taken out.
func withoutStops(n *node) (kept *node, left, right int) {
	switch n.op {
	case opValue:
		return n, 0, 0
	case opStop:
		return nil, 0, 0
	case opNot:
		n.right, left, right = withoutStops(n.right)
		if n.right == nil {
			return nil, left, right
		}
		return n, left, right
	}
	l, ll, lr := withoutStops(n.left)
	r, rl, rr := withoutStops(n.right)
	phrase := n.op == opPhrase
	switch {
	case l == nil && r == nil && phrase:
		return nil, ll + n.distance + rl, ll + n.distance + rl
	case l == nil && r == nil:
		return nil, max(ll, rl), max(ll, rl)
	case l == nil && phrase:
		return r, ll + n.distance + rl, rr
	case l == nil:
		return r, rl, rr
	case r == nil && phrase:
		return l, ll, lr + n.distance + rr
	case r == nil:
		return l, ll, lr
	}
	n.left, n.right = l, r
	if phrase {
		n.distance += lr + rl
		return n, ll, rr
	}
	return n, 0, 0
}
