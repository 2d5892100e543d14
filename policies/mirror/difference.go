package mirror

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// shown is how many names of a path are told: those of an answer and of an object's fields. What is further inside may be
// somebody's data, names included.
const shown = 2

// difference says where two bodies differ first as JSON, and how, without values; "" if they are the same.
func difference(a, b []byte) string {
	x, errA := decode(a)
	y, errB := decode(b)
	switch {
	case errA != nil && errB != nil:
		return fmt.Sprintf("%d bytes that are no JSON instead of %d", len(b), len(a))
	case errA != nil:
		return "JSON instead of something else"
	case errB != nil:
		return "something else instead of JSON"
	}
	return unlike("the body", 0, x, y)
}

func decode(body []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, fmt.Errorf("more than one value")
	}
	return v, nil
}

// unlike compares two values. path says where they are, depth how many names it has.
func unlike(path string, depth int, a, b any) string {
	if kind(a) != kind(b) {
		return fmt.Sprintf("%s: %s instead of %s", path, kind(b), kind(a))
	}
	switch a := a.(type) {
	case map[string]any:
		b := b.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(a)) {
			inner, d := below(path, name, depth)
			if _, there := b[name]; !there {
				return inner + ": missing"
			}
			if diff := unlike(inner, d, a[name], b[name]); diff != "" {
				return diff
			}
		}
		for _, name := range slices.Sorted(maps.Keys(b)) {
			if _, there := a[name]; !there {
				inner, _ := below(path, name, depth)
				return inner + ": not expected"
			}
		}
	case []any:
		b := b.([]any)
		if len(a) != len(b) {
			return fmt.Sprintf("%s: %d elements instead of %d", path, len(b), len(a))
		}
		for i := range a {
			if diff := unlike(path+"[]", depth, a[i], b[i]); diff != "" {
				return diff
			}
		}
	case json.Number:
		if !sameNumber(a, b.(json.Number)) {
			return path + ": another number"
		}
	default:
		if a != b {
			return fmt.Sprintf("%s: another %s", path, kind(a))
		}
	}
	return ""
}

func below(path, name string, depth int) (string, int) {
	if depth >= shown {
		return path, depth
	}
	return path + "." + name, depth + 1
}

func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	x, errA := a.Float64()
	y, errB := b.Float64()
	return errA == nil && errB == nil && x == y
}

func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case string:
		return "text"
	case []any:
		return "array"
	default:
		return "object"
	}
}

// sameResults reports whether two answers hold the same objects as results, in whatever order, and are alike in all else.
func sameResults(a, b []byte) bool {
	x, errA := decode(a)
	y, errB := decode(b)
	if errA != nil || errB != nil {
		return false
	}
	return sortResults(x) && sortResults(y) && unlike("", 0, x, y) == ""
}

// sortResults puts the results into an order that depends on nothing but what they are.
func sortResults(v any) bool {
	object, _ := v.(map[string]any)
	results, ok := object["results"].([]any)
	if !ok {
		return false
	}
	type keyed struct {
		key   []byte
		value any
	}
	all := make([]keyed, len(results))
	for i, r := range results {
		key, err := json.Marshal(r) // names are sorted
		if err != nil {
			return false
		}
		all[i] = keyed{key, r}
	}
	slices.SortFunc(all, func(a, b keyed) int { return bytes.Compare(a.key, b.key) })
	for i := range all {
		results[i] = all[i].value
	}
	return true
}
