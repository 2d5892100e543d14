package cache

import (
	"reflect"
	"slices"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
)

// touch is what an update alters of an object. A where that looks at nothing of it finds the object after the update if and
// only if it found it before: whatever else it asks, of relations or other classes, which nobody here knows, is as it was.
type touch struct {
	// known: the update of an object of which both images are complete, but for fields that are omitted.
	known   bool
	omitted bool
	fields  []string
	// permits: it may alter who may read the object, by its ACL or by a field that a permission points to.
	permits bool
}

func touchOf(ch *change.Change) (t touch) {
	b, a := ch.Before, ch.After
	if ch.Kind != change.Update || b == nil || a == nil || b.Partial || a.Partial {
		return t
	}
	t.known, t.omitted = true, len(b.Omitted)+len(a.Omitted) > 0
	t.fields = append(append(t.fields, b.Omitted...), a.Omitted...) // they may be others
	for name, v := range a.Fields {
		if was, there := b.Fields[name]; !there || !reflect.DeepEqual(v, was) {
			t.alters(name, was, v)
		}
	}
	for name, was := range b.Fields {
		if _, there := a.Fields[name]; !there {
			t.alters(name, was, nil)
		}
	}
	return t
}

func (t *touch) alters(name string, was, is any) {
	t.fields = append(t.fields, name)
	t.permits = t.permits || name == "_rperm" || name == "_wperm" || mayPermit(was) || mayPermit(is)
}

// mayPermit reports whether a value may name users whom a class-level permission lets read the object: it is a pointer to
// a user, or an array or object that may hold one.
func mayPermit(v any) bool {
	switch v := v.(type) {
	case query.Pointer:
		return v.ClassName == "_User"
	case []any:
		return slices.ContainsFunc(v, mayPermit)
	case map[string]any:
		return v["className"] == "_User"
	}
	return false
}

// mayHide reports whether the change may alter who may read its object, or whether it is there.
func (t *touch) mayHide() bool { return !t.known || t.permits }

// passes reports whether the update leaves what a where finds, and in which order.
func (t *touch) passes(a *ask) bool {
	if t.mayHide() {
		return false
	}
	passes := true
	look := func(name string) {
		for _, f := range t.fields {
			passes = passes && f != name
		}
	}
	told := query.FieldsOf(a.where, look)
	for _, name := range a.also {
		look(name)
	}
	return told && passes
}
