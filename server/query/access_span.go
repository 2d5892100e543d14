package query

import (
	"math"
	"strings"
)

// A where that asks for an order, {"$gt": 1, "$lt": 5}, or for a prefix, has the span of values that satisfy it as its
// access predicate. Whether an end belongs to the span is left to the matcher.

// point gives the place of a value among those of its kind, as a span; ok is false for values that spans aren't made of.
func point(v any) (s valueSpan, ok bool) {
	switch v := v.(type) {
	case float64:
		n := orderedBits(v)
		return valueSpan{kind: numberKey, numbers: interval[uint64]{n, n}}, true
	case Date:
		n := uint64(v.UnixMilli()) ^ 1<<63 //nolint:gosec // the order of signed numbers
		return valueSpan{kind: dateKey, numbers: interval[uint64]{n, n}}, true
	}
	text, ok := columnText(v)
	return valueSpan{kind: textKey, texts: interval[string]{text, text}}, ok
}

// orderedBits maps numbers to integers of the same order.
func orderedBits(v float64) uint64 {
	if v == 0 {
		v = 0 // not -0
	}
	bits := math.Float64bits(v)
	if bits>>63 == 1 {
		return ^bits
	}
	return bits | 1<<63
}

// spanOf gives the field and the values that a condition lets through. Places inside a field have none.
func spanOf(e Expr) (field string, s valueSpan, ok bool) {
	switch e := e.(type) {
	case *Compare:
		if e.Op < Lt || e.Relative || falsy(e) || e.Path.Root() != string(e.Path) {
			return "", s, false
		}
		if s, ok = point(e.Value); !ok {
			return "", s, false
		}
		if e.Op == Lt || e.Op == Lte {
			s.numbers.low, s.texts.low = leastNumber, leastText
		} else {
			s.numbers.high, s.texts.high = mostNumber, mostText
		}
		return string(e.Path), s, true
	case *Regex:
		prefix := e.prefix()
		if prefix == "" || e.Path.Root() != string(e.Path) {
			return "", s, false
		}
		return string(e.Path), valueSpan{kind: textKey, texts: interval[string]{prefix, afterPrefix(prefix)}}, true
	}
	return "", s, false
}

// prefix is what every text begins with that matches, as far as the matcher can tell for any text; or "".
func (e *Regex) prefix() string {
	rest, anchored := strings.CutPrefix(e.Pattern, "^")
	if !anchored || e.Options != "" {
		return ""
	}
	c := e.compile()
	if c.re == nil || c.ascii || c.lines {
		return ""
	}
	if literal, quoted := strings.CutPrefix(rest, `\Q`); quoted {
		literal, _, _ = strings.Cut(literal, `\E`)
		return literal
	}
	if strings.Contains(rest, "|") {
		return ""
	}
	n := 0
	for n < len(rest) && (isAlnum(rest[n]) || rest[n] == '_' || rest[n] == ' ' || rest[n] == '-' || rest[n] >= 0x80) {
		n++
	}
	if n < len(rest) && strings.IndexByte("*?{", rest[n]) >= 0 {
		// The last character may be missing, or is one of several bytes that are.
		for n > 0 && rest[n-1] >= 0x80 {
			n--
		}
		n = max(n-1, 0)
	}
	return rest[:n]
}

// afterPrefix is a text behind all that begin with the prefix.
func afterPrefix(prefix string) string {
	last := len(prefix) - 1
	return prefix[:last] + string([]byte{prefix[last] + 1}) // no byte of UTF-8 is FF
}

// spans returns the access predicates that terms of an And give together: one for each field and kind of value.
func spans(terms And, left *omissions) []predicate {
	var list []predicate
	for _, term := range terms {
		field, s, ok := spanOf(term)
		if !ok || left.may(term) {
			continue
		}
		known := false
		for i := range list {
			if p := &list[i]; p.field == field && p.span.kind == s.kind {
				*p.span, known = p.span.meet(s), true
			}
		}
		if !known {
			list = append(list, predicate{field: field, span: &s})
		}
	}
	for i := range list {
		list[i].rank = rankOfSpan(*list[i].span)
	}
	return list
}

func rankOfSpan(s valueSpan) rank {
	if s.ends() < 2 {
		return byHalf
	}
	return byRange
}
