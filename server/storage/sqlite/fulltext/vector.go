package fulltext

import (
	"slices"
	"strings"
)

// PostgreSQL's bounds: the last position, how many of one lexeme are kept, and a lexeme's length in bytes.
const (
	maxPosition  = 16383
	maxPositions = 256
	maxLexeme    = 2046
)

// vector is a tsvector: where in a text its lexemes stand.
type vector map[string][]int

func (l *language) vector(texts []string) vector {
	v := vector{}
	position := 0
	for _, text := range texts {
		position = v.add(l, text, position)
	}
	return v
}

// add adds a text whose words come after a position, and returns the position that the next text comes after.
func (v vector) add(l *language, text string, position int) int {
	found := false
	tokens(text, func(t token) {
		if len(t.text) > maxLexeme {
			return
		}
		position++
		word := l.lexeme(t)
		if word == "" {
			return
		}
		at := min(position, maxPosition)
		list := v[word]
		if len(list) < maxPositions && (len(list) == 0 || list[len(list)-1] < at) {
			v[word] = append(list, at)
		}
		found = true
	})
	if found {
		position++
	}
	return position
}

// positions returns where an operand stands, in order.
func (v vector) positions(o *operand) []int {
	if o.weighted {
		return nil // a text's words have no weight but D
	}
	if !o.prefix {
		return v[o.lexeme]
	}
	var all []int
	for word, list := range v {
		if strings.HasPrefix(word, o.lexeme) {
			all = append(all, list...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
