package write

import (
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
)

// apply returns the field after the edit; nil: it has no value. The old value isn't changed: it is part of the image of
// the object as it was.
func (e *edit) apply(old any, isNew bool) (any, error) {
	if e.path == nil {
		return e.applyAt(old, isNew)
	}
	for _, part := range e.path {
		if part == "" {
			return nil, parseerror.New(parseerror.InvalidKeyName, "Invalid field name: %s.", e.name)
		}
	}
	return e.descend(old, e.path, isNew)
}

// descend copies what lies on the way to the place that changes.
func (e *edit) descend(v any, path []string, isNew bool) (any, error) {
	last := len(path) == 1
	if list, ok := v.([]any); ok && isIndex(path[0]) {
		i, err := strconv.Atoi(path[0])
		if err != nil || i > len(list) || i == len(list) && e.kind == unset {
			return nil, parseerror.New(parseerror.InvalidJSON, "Invalid index in field name: %s", e.name)
		}
		list = slices.Clone(list)
		if i == len(list) {
			list = append(list, nil)
		}
		if last {
			list[i], err = e.applyAt(list[i], isNew)
		} else {
			list[i], err = e.descend(list[i], path[1:], isNew)
		}
		return list, err
	}
	var m map[string]any
	switch v := v.(type) {
	case map[string]any:
		m = maps.Clone(v)
	case nil:
		m = map[string]any{}
	default:
		return nil, parseerror.New(parseerror.IncorrectType, "Cannot create field '%s' in a value that is not an object", e.name)
	}
	to, err := any(nil), error(nil)
	if last {
		to, err = e.applyAt(m[path[0]], isNew)
	} else if next, there := m[path[0]]; there || e.kind != unset {
		to, err = e.descend(next, path[1:], isNew)
	}
	if err != nil {
		return nil, err
	}
	if to == nil && (e.raw != nil || !last) {
		delete(m, path[0])
	} else {
		m[path[0]] = to
	}
	return m, nil
}

// applyAt does the operation on one value.
func (e *edit) applyAt(old any, isNew bool) (any, error) {
	switch e.kind {
	case unset:
		return nil, nil
	case set:
		return e.value()
	case increment:
		m, _ := e.raw.(map[string]any)
		by, ok := m["amount"].(float64)
		if !ok {
			if isNew {
				return nil, parseerror.New(parseerror.InvalidJSON, "objects to add must be an array")
			}
			return nil, parseerror.New(parseerror.InvalidJSON, "incrementing must provide a number")
		}
		n, ok := old.(float64)
		if !ok && old != nil {
			return nil, parseerror.New(parseerror.InvalidJSON, "cannot increment %s: it is not a number", e.name)
		}
		if sum := n + by; !math.IsInf(sum, 0) {
			return sum, nil
		}
		return nil, parseerror.New(parseerror.InvalidJSON, "cannot increment %s: the result is out of range", e.name)
	}
	m, _ := e.raw.(map[string]any)
	objects, ok := m["objects"].([]any)
	if !ok {
		return nil, parseerror.New(parseerror.InvalidJSON, "objects to add must be an array")
	}
	list, ok := old.([]any)
	if !ok && old != nil {
		return nil, parseerror.New(parseerror.InvalidJSON, "cannot change %s: it is not an array", e.name)
	}
	return e.applyList(list, objects, isNew), nil
}

// applyList adds to or removes from a list. Unlike PostgreSQL parse-server, it keeps the order of the elements and the
// repetitions that were there.
func (e *edit) applyList(list, objects []any, isNew bool) any {
	switch e.kind {
	case add:
		return slices.Concat([]any{}, list, objects)
	case addUnique:
		if isNew {
			return slices.Clone(objects)
		}
		out := slices.Concat([]any{}, list)
		for _, o := range objects {
			if !contains(out, o) {
				out = append(out, o)
			}
		}
		return out
	}
	out := make([]any, 0, len(list))
	for _, o := range list {
		if !contains(objects, o) {
			out = append(out, o)
		}
	}
	return out
}

func contains(list []any, v any) bool {
	return slices.ContainsFunc(list, func(e any) bool { return query.Equal(e, v) })
}

// value returns a value as it is stored.
func (e *edit) value() (any, error) {
	switch v := e.raw.(type) {
	case query.Polygon:
		return closed(v)
	case query.File:
		if e.path == nil {
			// The URL of a file is made anew by every read.
			return query.File{Name: v.Name}, nil
		}
	}
	return e.raw, nil
}

// closed returns the polygon with its first vertex repeated at the end.
func closed(p query.Polygon) (any, error) {
	c := p.Coordinates
	if len(c) < 3 {
		return nil, parseerror.New(parseerror.InvalidJSON, "Polygon must have at least 3 values")
	}
	different := map[[2]float64]bool{}
	for _, v := range c {
		different[v] = true
	}
	if len(different) < 3 {
		return nil, parseerror.New(parseerror.InvalidJSON, "GeoJSON: Loop must have at least 3 different vertices")
	}
	if c[0] != c[len(c)-1] {
		c = append(slices.Clone(c), c[0])
	}
	return query.Polygon{Coordinates: c}, nil
}
