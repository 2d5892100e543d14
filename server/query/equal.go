package query

import "slices"

// Equal reports whether two REST values are the same: numbers by value, dates by instant, maps whatever the order of
// their members. Values of different types are different.
func Equal(a, b any) bool {
	switch a := a.(type) {
	case nil:
		return b == nil
	case bool:
		b, ok := b.(bool)
		return ok && a == b
	case float64:
		b, ok := b.(float64)
		return ok && a == b
	case string:
		b, ok := b.(string)
		return ok && a == b
	case Date:
		b, ok := b.(Date)
		return ok && a.Time.Equal(b.Time)
	case Pointer:
		b, ok := b.(Pointer)
		return ok && a == b
	case GeoPoint:
		b, ok := b.(GeoPoint)
		return ok && a == b
	case Bytes:
		b, ok := b.(Bytes)
		return ok && a == b
	case File:
		b, ok := b.(File)
		return ok && a == b
	case Relation:
		b, ok := b.(Relation)
		return ok && a == b
	case Polygon:
		b, ok := b.(Polygon)
		return ok && slices.Equal(a.Coordinates, b.Coordinates)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, Equal)
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for name, v := range a {
			if w, has := b[name]; !has || !Equal(v, w) {
				return false
			}
		}
		return true
	}
	return false
}
