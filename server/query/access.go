package query

import "math"

// An access predicate is a condition that a document must fulfil to satisfy a where at all, and that an index finds
// without looking at the where: "one of these keys is in this field", or "the field's value is in this span". A where is filed under the access predicates of
// its conditions: of the terms of And the most selective one (each must hold), of those of Or all (one must hold).
// The idea is that of Le Subscribe (Fabret et al., SIGMOD 2001) and OpIndex (Zhang et al., PVLDB 7(8), 2014).

const (
	// maxKeys is how many values an $in or $all may have to be an access predicate.
	maxKeys = 64
	// maxPredicates is how many access predicates a where may be filed under.
	maxPredicates = 64
)

// keyKind is a class of values that compare with one another: keys of different kinds are never equal.
type keyKind uint8

const (
	missingKey keyKind = iota // no value, or null
	textKey                   // strings, ids of Pointers, names of Files
	numberKey
	boolKey
	dateKey
	// elementKey has no value: it is where a $all is filed beside its values, for fields that hold no array. What
	// PostgreSQL parse-server makes of it there doesn't depend on the values alone.
	elementKey
	areaKey // a cell of a grid of places
	keyKinds
)

// key is a value as the index files it.
type key struct {
	text string // of textKey
	bits uint64 // of the others
	kind keyKind
}

// keyOf gives the key of a value; ok is false for values that have none.
func keyOf(v any) (k key, ok bool) {
	switch v := v.(type) {
	case nil:
		return key{kind: missingKey}, true
	case string:
		return key{kind: textKey, text: v}, true
	case Pointer:
		return key{kind: textKey, text: v.ObjectID}, true
	case File:
		return key{kind: textKey, text: v.Name}, true
	case float64:
		if v == 0 {
			v = 0 // not -0
		}
		return key{kind: numberKey, bits: math.Float64bits(v)}, true
	case bool:
		if v {
			return key{kind: boolKey, bits: 1}, true
		}
		return key{kind: boolKey}, true
	case Date:
		return key{kind: dateKey, bits: uint64(v.UnixMilli())}, true
	}
	return key{}, false
}

// predicate is one access predicate.
type predicate struct {
	field string
	keys  []key
	span  *valueSpan // instead of keys
	rank  rank
}

// rank orders access predicates by how few documents fulfil one in most apps, the best first.
type rank uint8

const (
	byObjectID rank = iota
	byPointer
	byValue
	byRange  // of values, with two ends; a prefix; an area
	byHalf   // a range with one end
	byReader // _rperm
	byFlag   // booleans, and what is missing
)

// predicates returns the access predicates of e, one of which every document that may satisfy e fulfils. ok is false if
// there are none, or too many: then any document may.
func predicates(e Expr, share selectivity) (list []predicate, ok bool) {
	switch e := e.(type) {
	case And:
		best, left := 0.0, leftOut(e)
		consider := func(l []predicate) {
			if cost := share(l); !ok || cost < best {
				list, ok, best = l, true, cost
			}
		}
		for _, term := range e {
			if left.may(term) {
				continue
			}
			if l, has := predicates(term, share); has {
				consider(l)
			}
		}
		for _, p := range spans(e, &left) {
			consider([]predicate{p})
		}
		return list, ok
	case Or:
		for _, term := range e {
			l, has := predicates(term, share)
			if !has || len(list)+len(l) > maxPredicates {
				return nil, false
			}
			list = append(list, l...)
		}
		return list, true
	}
	p, ok := leafPredicate(e)
	if !ok {
		return nil, false
	}
	return []predicate{p}, true
}

func leafPredicate(e Expr) (predicate, bool) {
	switch e := e.(type) {
	case *Compare:
		if e.Op == Eq {
			return equality(e.Path, []any{e.Value})
		}
	case *In:
		switch {
		case e.Not, scrambled(e.Values) && e.Path != "_rperm" && e.Path != "_wperm":
		case len(e.Values) == 0:
			return equality(e.Path, []any{nil})
		default:
			return equality(e.Path, e.Values)
		}
	case *Exists:
		if !e.Want {
			return equality(e.Path, []any{nil})
		}
	case *All:
		if len(e.Values) > 0 {
			p, ok := equality(e.Path, textForms(e.Values))
			p.keys = append(p.keys, key{kind: elementKey})
			return p, ok
		}
	case *Near, *Box, *Inside:
		return areaPredicate(e)
	}
	if field, s, ok := spanOf(e); ok {
		return predicate{field: field, span: &s, rank: rankOfSpan(s)}, true
	}
	return predicate{}, false
}

// equality is the predicate that a field, or an element of it, is one of values. Places inside a field have none.
func equality(path Path, values []any) (predicate, bool) {
	if path.Root() != string(path) || len(values) > maxKeys {
		return predicate{}, false
	}
	p := predicate{field: string(path), keys: make([]key, 0, len(values)), rank: byPointer}
	for _, v := range values {
		k, ok := keyOf(v)
		if !ok {
			return predicate{}, false
		}
		p.keys = append(p.keys, k)
		p.rank = max(p.rank, rankOf(v))
	}
	switch {
	case path == "objectId" && p.rank < byFlag:
		p.rank = byObjectID
	case path == "_rperm":
		p.rank = byReader
	}
	return p, true
}

func rankOf(v any) rank {
	switch v.(type) {
	case Pointer:
		return byPointer
	case nil, bool:
		return byFlag
	}
	return byValue
}

// textForms adds to the values of $all those that have the same text: PostgreSQL compares the elements' text.
// What it returns can't be filed when there is a value whose text isn't certain.
func textForms(values []any) []any {
	out := make([]any, 0, 2*len(values))
	for _, v := range values {
		out = append(out, v)
		switch v := v.(type) {
		case nil, Pointer:
		case string:
			switch {
			case v == "true" || v == "false":
				out = append(out, v == "true")
			case mayBeJSON(v) || looksNumeric(v):
				return []any{[]any(nil)}
			}
		case bool:
			out = append(out, string(AppendJSON(nil, v)))
		case float64:
			text, ok := elementText(v)
			if !ok {
				return []any{[]any(nil)}
			}
			out = append(out, text)
		default:
			return []any{[]any(nil)}
		}
	}
	return out
}
