package query

import (
	"strconv"
	"strings"
)

// follow walks a dotted path into a value, as the operators -> and ->> of jsonb do. ok is false when SQL's way isn't
// certain: from anything but an Object or Array, and where a number might be an index or a name.
func follow(v any, path string) (leaf any, found, ok bool) {
	for {
		step, rest, more := strings.Cut(path, ".")
		if step == "" {
			return nil, false, false
		}
		index, isIndex := arrayIndex(step)
		switch c := v.(type) {
		case nil:
			return nil, false, true
		case map[string]any:
			if isIndex {
				return nil, false, false
			}
			if v, found = c[step]; !found {
				return nil, false, true
			}
		case []any:
			if !isIndex {
				return nil, false, false
			}
			if index >= len(c) {
				return nil, false, true
			}
			v, found = c[index], true
		default:
			return nil, false, false
		}
		if !more {
			return v, true, true
		}
		path = rest
	}
}

func arrayIndex(step string) (int, bool) {
	for i := 0; i < len(step); i++ {
		if step[i] < '0' || step[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(step)
	if err != nil {
		n = 1 << 30
	}
	return n, true
}

// comparePath compares a place inside a jsonb column: ->> as text, or cast to the type of the operand.
func comparePath(e *Compare, v any, found bool) outcome {
	if e.Value == nil {
		if e.Op > Ne || found && v == nil {
			return anything
		}
		return holds(found == (e.Op == Ne))
	}
	if falsy(e) {
		return anything
	}
	if v == nil {
		if e.Op == Ne {
			return isTrue
		}
		return unlike
	}
	switch w := e.Value.(type) {
	case float64:
		switch v := v.(type) {
		case float64:
			return holds(ordered(e.Op, compareNumbers(v, w)))
		case string:
			if e.Op == Eq && v != string(appendNumber(nil, w)) && !looksNumeric(v) {
				return unlike
			}
		}
	case string:
		if v, ok := v.(string); ok {
			return holds(ordered(e.Op, strings.Compare(v, w)))
		}
		if e.Op == Eq && scalarText(v) != "" && scalarText(v) != w {
			return unlike
		}
	case bool:
		if v, ok := v.(bool); ok {
			return holds(ordered(e.Op, compareBools(v, w)))
		}
	default:
		// jsonb equality; the order of Dates and the like inside jsonb is that of their text, or an error.
		// For $eq a Pointer is its id there, and others are their JSON as text.
		text, _ := v.(string)
		if p, ok := w.(Pointer); ok && (text == p.ObjectID || scalarText(v) == p.ObjectID) || mayBeJSON(text) {
			return anything
		}
		if e.Op == Eq && nestedEqual(v, w) == isFalse {
			return unlike
		}
	}
	return anything
}

// scalarText is ->> of a number or boolean whose text is certain, or "".
func scalarText(v any) string {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case float64:
		if v > -1e15 && v < 1e15 && (v == 0 || v > 1e-6 || v < -1e-6) {
			return string(appendNumber(nil, v))
		}
	}
	return ""
}

// inPath: PostgreSQL parse-server asks whether an array at the path holds all of the values; a better reading is
// whether one of them is there. Only what neither reading allows is certain.
func inPath(e *In, v any, _ bool) outcome {
	if e.Not || len(e.Values) == 0 {
		return anything
	}
	if v == nil {
		return unlike
	}
	for _, w := range e.Values {
		switch w.(type) {
		case string, float64, bool:
		default:
			return anything
		}
		if nestedEqual(v, w) != isFalse {
			return anything
		}
		if list, ok := v.([]any); ok {
			for _, element := range list {
				if nestedEqual(element, w) != isFalse {
					return anything
				}
			}
		}
	}
	return unlike
}

// regexPath matches the text of a place inside a jsonb column.
func regexPath(e *Regex, v any, _ bool) outcome {
	switch v := v.(type) {
	case nil:
		return unlike
	case string:
		return e.matches(v)
	}
	return anything
}
