package schema

import (
	"maps"
	"reflect"
	"slices"
)

// Merge adds to the stored class, which may be nil, what the other one has beside it or has differently: fields, permissions
// and indexes. A field that is stored with another type keeps it. The result is a new class, or the stored one.
func Merge(stored, class *Class) (merged *Class, changed bool) {
	if stored == nil {
		merged = New(class.Name, class.Fields)
		merged.Permissions, merged.Indexes = class.Permissions, maps.Clone(class.Indexes)
		return merged, true
	}
	merged = &Class{Name: stored.Name, Fields: maps.Clone(stored.Fields), Columns: slices.Clone(stored.Columns),
		Permissions: stored.Permissions, Indexes: maps.Clone(stored.Indexes)}
	for name, f := range class.Fields {
		old, ok := merged.Fields[name]
		if ok && (!old.Accepts(f) || reflect.DeepEqual(old, f)) {
			continue
		}
		merged.Fields[name] = f
		changed = true
	}
	if class.Permissions != nil && !reflect.DeepEqual(class.Permissions, stored.Permissions) {
		merged.Permissions = class.Permissions
		changed = true
	}
	for name, keys := range class.Indexes {
		if !reflect.DeepEqual(merged.Indexes[name], keys) {
			if merged.Indexes == nil {
				merged.Indexes = map[string]map[string]any{}
			}
			merged.Indexes[name] = keys
			changed = true
		}
	}
	if !changed {
		return stored, false
	}
	return merged, true
}
