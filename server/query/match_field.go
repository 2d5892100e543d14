package query

import (
	"cmp"
	"slices"
	"strings"
)

// compareField compares a column.
func compareField(e *Compare, v any) outcome {
	if e.Value == nil {
		switch e.Op {
		case Eq:
			return holds(v == nil)
		case Ne:
			if list, ok := v.([]any); ok {
				// Not missing, or not with a null in it.
				return isTrue | contains(list, nil).not()
			}
			return holds(v != nil)
		}
		return anything
	}
	if v == nil {
		switch {
		case falsy(e):
			return anything
		case e.Op == Ne:
			// On a missing Array it is NULL, but whoever asks has no missing Array in mind.
			return isTrue
		}
		return unlike
	}
	o := compareValues(e.Op, v, e.Value)
	if falsy(e) {
		o |= isTrue
	}
	return o
}

// falsy: PostgreSQL parse-server drops {"$gt": ""} and {"$gt": false}.
func falsy(e *Compare) bool { return e.Op > Ne && (e.Value == "" || e.Value == false) }

// compareValues compares a column's value with an operand, neither of them nil. A text operand (see columnText) is read
// as a value of the column's type where PostgreSQL can.
func compareValues(op Op, v, w any) outcome {
	switch v := v.(type) {
	case []any:
		return compareArray(op, v, w)
	case float64:
		if w, ok := w.(float64); ok {
			return holds(ordered(op, compareNumbers(v, w)))
		}
		if text, ok := columnText(w); ok && looksNumeric(text) {
			return anything
		}
	case bool:
		if w, ok := w.(bool); ok {
			return holds(ordered(op, compareBools(v, w)))
		}
		if text, ok := columnText(w); ok && looksBoolean(text) {
			return anything
		}
	case Date:
		if w, ok := w.(Date); ok {
			return holds(ordered(op, v.Compare(w.Time)))
		}
		if _, ok := columnText(w); ok {
			return anything
		}
	case string, Pointer, File:
		return compareText(op, v, w)
	default:
		return compareOpaque(op, v, w)
	}
	return mismatch(op)
}

// mismatch is a comparison of unlike types: an error on PostgreSQL, no match here; but something unlike is different.
func mismatch(op Op) outcome {
	if op == Ne {
		return anything
	}
	return unlike
}

// compareText compares columns of type text: a String, the id of a Pointer, the name of a File. On PostgreSQL they
// compare with one another.
func compareText(op Op, v, w any) outcome {
	a, _ := columnText(v)
	b, ok := columnText(w)
	if !ok {
		if _, isDate := w.(Date); isDate {
			// A date operand is its text there, as the client wrote it.
			return anything
		}
		if !isScalar(w) && (op > Ne || mayBeJSON(a)) {
			// So are objects and arrays.
			return anything
		}
		return mismatch(op)
	}
	result := ordered(op, strings.Compare(a, b))
	if _, isFile := w.(File); isFile && op <= Ne && a == b {
		// For equality PostgreSQL parse-server takes a File as JSON, which no name equals.
		return anything
	}
	if sameKind(v, w) {
		return holds(result)
	}
	if op == Ne {
		return anything
	}
	return perhaps(result)
}

// isScalar tells numbers and booleans.
func isScalar(v any) bool {
	switch v.(type) {
	case float64, bool:
		return true
	}
	return false
}

// columnText is what a text column holds of a value.
func columnText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case Pointer:
		return v.ObjectID, true
	case File:
		return v.Name, true
	}
	return "", false
}

// sameKind: both are Strings, Files or Pointers to one class. The class of a Pointer isn't stored, so a Pointer to
// another class with the same id may count as equal.
func sameKind(v, w any) bool {
	switch v := v.(type) {
	case string:
		_, ok := w.(string)
		return ok
	case File:
		_, ok := w.(File)
		return ok
	case Pointer:
		w, ok := w.(Pointer)
		return ok && (v.ClassName == w.ClassName || v.ObjectID != w.ObjectID)
	}
	return false
}

// compareOpaque compares what has no order, and whose equality depends on how the database keeps it.
func compareOpaque(op Op, v, w any) outcome {
	if op != Eq {
		return anything
	}
	if s, ok := w.(string); ok {
		// A jsonb column takes the text of its value.
		if mayBeJSON(s) {
			return anything
		}
		return unlike
	}
	switch v := v.(type) {
	case GeoPoint:
		// PostgreSQL's points are equal within a tolerance.
		if w, ok := w.(GeoPoint); ok && v != w && near(v.Latitude, w.Latitude) && near(v.Longitude, w.Longitude) {
			return anything
		}
	case Polygon:
		// The same ring may start at another vertex, run the other way round, or lack its closing point.
		if _, ok := w.(Polygon); ok {
			return anything
		}
	}
	if o := nestedEqual(v, w); o != isFalse {
		return o
	}
	return unlike
}

func near(a, b float64) bool { return a-b < 1e-5 && b-a < 1e-5 }

func mayBeJSON(s string) bool {
	s = strings.TrimLeft(s, " \t\r\n")
	return s != "" && (s[0] == '{' || s[0] == '[')
}

// looksNumeric reports whether PostgreSQL might read a string as a number.
func looksNumeric(s string) bool {
	s = strings.TrimLeft(s, " \t\r\n\v\f")
	if s == "" {
		return false
	}
	switch c := s[0]; c {
	case '+', '-', '.', 'i', 'I', 'n', 'N':
		return true
	default:
		return c >= '0' && c <= '9'
	}
}

// looksBoolean reports whether PostgreSQL might read a string as a boolean: true, yes, on, 1 and so on, shortened too.
func looksBoolean(s string) bool {
	s = strings.TrimLeft(s, " \t\r\n\v\f")
	return s != "" && strings.IndexByte("tTfFyYnNoO10", s[0]) >= 0
}

// ordered is what an operator makes of a three-way comparison.
func ordered(op Op, c int) bool {
	switch op {
	case Eq:
		return c == 0
	case Ne:
		return c != 0
	case Lt:
		return c < 0
	case Lte:
		return c <= 0
	case Gt:
		return c > 0
	}
	return c >= 0
}

func compareNumbers(a, b float64) int { return cmp.Compare(a, b) }

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// inField is IN and NOT IN on a column. PostgreSQL parse-server leaves nil out of the values, but for Arrays, which may
// hold null, and the permission columns, where it stands for NULL.
func inField(e *In, v any) outcome {
	if len(e.Values) == 0 {
		return holds(e.Not || v == nil)
	}
	internal := e.Path == "_rperm" || e.Path == "_wperm"
	if v == nil {
		switch {
		case internal && slices.Contains(e.Values, nil):
			return holds(!e.Not)
		case allNil(e.Values):
			return anything
		}
		return unlike
	}
	list, isArray := v.([]any)
	if !isArray && !internal && scrambled(e.Values) {
		return anything
	}
	o := isFalse
	for _, w := range e.Values {
		switch {
		case isArray:
			o = o.or(contains(list, w))
		case w != nil:
			o = o.or(compareValues(Eq, v, w))
		}
		if o == isTrue {
			break
		}
	}
	if e.Not {
		return o.not()
	}
	return o
}

// scrambled: with a nil before another value PostgreSQL parse-server compares with other values than these.
func scrambled(list []any) bool {
	seen := false
	for _, v := range list {
		if v == nil {
			seen = true
		} else if seen {
			return true
		}
	}
	return false
}

func allNil(list []any) bool {
	for _, v := range list {
		if v != nil {
			return false
		}
	}
	return true
}

// regexField matches text columns.
func regexField(e *Regex, v any) outcome {
	switch v := v.(type) {
	case nil:
		return unlike
	case string:
		return e.matches(v)
	case Pointer:
		return e.matches(v.ObjectID) | unlike
	case File:
		return e.matches(v.Name) | unlike
	case float64, bool, Date:
		return unlike
	}
	return anything
}
