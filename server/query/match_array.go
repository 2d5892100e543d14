package query

import "strconv"

// compareArray: on an Array column equality means "contains", $ne "doesn't contain"; an array has no order.
//
// That is so for Pointers. PostgreSQL parse-server compares other operands of equality, and those of order, with the
// whole column if they are JSON, and fails if not.
func compareArray(op Op, list []any, w any) outcome {
	if op == Ne {
		return contains(list, w).not()
	}
	text, isText := columnText(w)
	if op != Eq {
		if isScalar(w) {
			return unlike
		}
		return anything
	}
	o := contains(list, w)
	switch {
	case isScalar(w):
		return o
	case isText && mayBeJSON(text):
		return anything
	case !isText || isJSON(text):
		o |= unlike
	}
	if whole, ok := w.([]any); ok && nestedEqual(list, whole) != isFalse {
		return anything
	}
	return o
}

func isJSON(text string) bool {
	_, err := decodePlain([]byte(text))
	return err == nil
}

func contains(list []any, w any) outcome {
	o := isFalse
	for _, v := range list {
		if o = o.or(nestedEqual(v, w)); o == isTrue {
			break
		}
	}
	return o
}

// nestedEqual is equality of jsonb values: true, false or, where what is stored may tell more than its decoded form
// does (a date's text, a file's URL), both.
func nestedEqual(v, w any) outcome {
	switch v := v.(type) {
	case Date, File, Relation, Polygon:
		if sameType(v, w) && looselyEqual(v, w) {
			return isTrue | isFalse
		}
		return typedAgainst(w)
	case Pointer, GeoPoint, Bytes:
		if !sameType(v, w) {
			return typedAgainst(w)
		}
	case []any:
		w, ok := w.([]any)
		if !ok || len(v) != len(w) {
			return isFalse
		}
		o := isTrue
		for i := range v {
			o = o.and(nestedEqual(v[i], w[i]))
		}
		return o
	case map[string]any:
		w, ok := w.(map[string]any)
		if !ok {
			return isFalse
		}
		if len(v) != len(w) {
			return isFalse
		}
		o := isTrue
		for name, a := range v {
			b, has := w[name]
			if !has {
				return isFalse
			}
			o = o.and(nestedEqual(a, b))
		}
		return o
	}
	return holds(Equal(v, w))
}

// typedAgainst compares a typed value with one of another type: a map with a "__type" might be the same JSON.
func typedAgainst(w any) outcome {
	if m, ok := w.(map[string]any); ok && m["__type"] != nil {
		return isTrue | isFalse
	}
	return isFalse
}

func sameType(v, w any) bool {
	switch v.(type) {
	case Date:
		return is[Date](w)
	case File:
		return is[File](w)
	case Relation:
		return is[Relation](w)
	case Polygon:
		return is[Polygon](w)
	case Pointer:
		return is[Pointer](w)
	case GeoPoint:
		return is[GeoPoint](w)
	case Bytes:
		return is[Bytes](w)
	}
	return false
}

func is[T any](v any) bool {
	_, ok := v.(T)
	return ok
}

func looselyEqual(v, w any) bool {
	if f, ok := v.(File); ok {
		return f.Name == w.(File).Name
	}
	return Equal(v, w)
}

// allField is $all on an Array column. PostgreSQL's function array_contains_all compares elements as text and the
// number of elements that occur among the values with the number of values, so that [1,1] holds all of [1,2]; a better
// reading is that each value occurs. Where the two differ it can't be told.
func allField(e *All, v any) outcome {
	list, ok := v.([]any)
	switch {
	case v == nil:
		return unlike
	case !ok:
		// With one value it compares with the id of that, with several it may not count at all.
		return anything
	case len(e.Prefixes) > 0:
		return allPrefixes(e.Prefixes, list)
	case len(e.Values) == 0:
		return isFalse
	}
	each := isTrue
	for _, w := range e.Values {
		each = each.and(contains(list, w))
	}
	matched := 0
	for _, v := range list {
		for _, w := range e.Values {
			same, certain := sameText(v, w)
			if !certain {
				return anything
			}
			if same {
				matched++
				break
			}
		}
	}
	return each | holds(matched == len(e.Values))
}

func allPrefixes(prefixes []string, list []any) outcome {
	matched, each := 0, true
	found := make([]bool, len(prefixes))
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			if v == nil {
				continue
			}
			return anything
		}
		hit := false
		for i, prefix := range prefixes {
			if len(s) >= len(prefix) && s[:len(prefix)] == prefix {
				found[i], hit = true, true
			}
		}
		if hit {
			matched++
		}
	}
	for _, f := range found {
		each = each && f
	}
	return holds(each) | holds(matched == len(prefixes))
}

// sameText compares two elements by their text, as jsonb_array_elements_text shows it.
func sameText(v, w any) (same, certain bool) {
	if v == nil || w == nil {
		return false, true
	}
	a, isText := elementText(v)
	b, alsoText := elementText(w)
	switch {
	case isText && alsoText:
		return a == b, true
	case isText:
		return false, !mayHaveText(w, a)
	case alsoText:
		return false, !mayHaveText(v, b)
	}
	switch nestedEqual(v, w) {
	case isTrue:
		return true, true
	case isFalse:
		return false, true
	}
	return false, false
}

// mayHaveText reports whether an element whose text isn't certain, an object, array or unusual number, might have this.
func mayHaveText(v any, text string) bool {
	if _, isNumber := v.(float64); isNumber {
		return looksNumeric(text)
	}
	return mayBeJSON(text)
}

// elementText is the text of an element whose text is certain.
func elementText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		s := scalarText(v)
		return s, s != ""
	}
	return "", false
}

// containedByField is jsonb's <@ with the values as an array. Containment of nested objects and arrays is more than
// equality.
func containedByField(e *ContainedBy, v any) outcome {
	list, ok := v.([]any)
	switch {
	case v == nil:
		return unlike
	case !ok:
		return anything
	}
	o := isTrue
	for _, element := range list {
		in := contains(e.Values, element)
		switch element.(type) {
		case nil, bool, float64, string:
		default:
			if in != isTrue {
				in = anything
			}
		}
		o = o.and(in)
	}
	return o
}
