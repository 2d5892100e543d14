package trigger

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Object is an object as triggers see it. Its values are those of package query, or made of maps, slices, strings,
// float64s, bools and nil; createdAt and updatedAt are texts, and the ACL is a map. It is used by one goroutine.
type Object struct {
	// ClassName is the object's class.
	ClassName string

	id     string
	was    map[string]any // before the request; nil: it is new
	base   map[string]any // what values began as, for what is changed in place
	values map[string]any // with the request
	ops    map[string]any // values and operations by the names of the request's body
	names  []string       // of ops, in order
	// made are the values that the request makes of fields by operations and of places inside them, for what is changed
	// in place.
	made map[string]any
	// reverted are the fields that the request changes and the trigger doesn't.
	reverted []string
	replaced bool
}

// NewObject returns an object of a class as it was before the request; was is nil for a new one.
func NewObject(class string, was map[string]any) *Object {
	o := &Object{ClassName: class, was: was, base: was, values: map[string]any{}, ops: map[string]any{}, made: map[string]any{}}
	o.id, _ = was["objectId"].(string)
	for k, v := range was {
		o.values[k] = clone(v)
	}
	return o
}

// Found returns an object that is as it is.
func Found(class string, values map[string]any) *Object { return NewObject(class, values) }

// Pending notes what the request says of a field: name is as in the body, op the value or operation, value what becomes
// of the field, nil for none.
func (o *Object) Pending(name string, op, value any) {
	v, root := clone(value), rootOf(name)
	if name == root && reflect.DeepEqual(op, value) {
		op = v // what is changed in place is part of it
		delete(o.made, root)
	} else {
		o.made[root] = clone(value)
	}
	o.note(name, op)
	o.change(root, v)
}

// Saved replaces the values by those that were stored.
func (o *Object) Saved(values map[string]any) {
	o.base, o.values, o.ops, o.names, o.made = values, map[string]any{}, map[string]any{}, nil, map[string]any{}
	for k, v := range values {
		o.values[k] = clone(v)
	}
	o.id, _ = values["objectId"].(string)
}

func rootOf(name string) string {
	if i := strings.IndexByte(name, '.'); i > 0 {
		return name[:i]
	}
	return name
}

func (o *Object) note(name string, op any) {
	if _, there := o.ops[name]; !there {
		o.names = append(o.names, name)
	}
	o.ops[name] = op
}

func (o *Object) forget(field string) {
	delete(o.made, field)
	o.names = slices.DeleteFunc(o.names, func(n string) bool {
		if rootOf(n) != field {
			return false
		}
		delete(o.ops, n)
		return true
	})
}

func (o *Object) change(field string, v any) {
	if v == nil {
		delete(o.values, field)
	} else {
		o.values[field] = v
	}
}

// ID returns the objectId; "" for one that isn't stored yet.
func (o *Object) ID() string { return o.id }

// IsNew reports whether the object isn't stored yet.
func (o *Object) IsNew() bool { return o.id == "" }

// Existed reports whether the object was there before the request.
func (o *Object) Existed() bool { return o.was != nil }

// Get returns a field as it will be; nil: it has no value.
func (o *Object) Get(field string) any { return o.values[field] }

// Set sets a field.
func (o *Object) Set(field string, v any) {
	o.forget(field)
	o.note(field, v)
	o.change(field, v)
}

// Unset takes a field's value away.
func (o *Object) Unset(field string) {
	o.Set(field, nil)
	o.ops[field] = map[string]any{"__op": "Delete"}
}

// Increment adds to a number. What others add at the same time isn't lost, unless the request or the trigger sets it.
func (o *Object) Increment(field string, by float64) {
	old, _ := o.values[field].(float64)
	o.change(field, old+by)
	if op, ok := o.ops[field].(map[string]any); ok && op["__op"] == "Increment" {
		amount, _ := op["amount"].(float64)
		o.ops[field] = map[string]any{"__op": "Increment", "amount": amount + by}
	} else if _, set := o.ops[field]; set {
		o.ops[field] = old + by
	} else {
		o.note(field, map[string]any{"__op": "Increment", "amount": by})
	}
}

// Revert undoes what the request and the trigger do to a field.
func (o *Object) Revert(field string) {
	if o.Dirty(field) {
		o.reverted = append(o.reverted, field)
	}
	o.forget(field)
	o.change(field, clone(o.was[field]))
}

// Dirty reports whether a field changes.
func (o *Object) Dirty(field string) bool { return slices.Contains(o.DirtyKeys(), field) }

// DirtyKeys returns the fields that change.
func (o *Object) DirtyKeys() []string {
	o.settle()
	var out []string
	for _, n := range o.names {
		if root := rootOf(n); !slices.Contains(out, root) {
			out = append(out, root)
		}
	}
	return out
}

// settle finds the fields whose maps and slices were changed in place. Such a field is stored whole.
func (o *Object) settle() {
	for _, field := range slices.Sorted(maps.Keys(o.values)) {
		switch v := o.values[field]; v.(type) {
		case map[string]any, []any:
			before, made := o.made[field]
			if _, set := o.ops[field]; !made && set {
				continue // it is part of that
			}
			if !made {
				before = o.base[field]
			}
			if !reflect.DeepEqual(v, before) {
				o.forget(field)
				o.note(field, v)
			}
		}
	}
}

// Replace makes the given values and operations all that is to be stored, in place of the request's.
func (o *Object) Replace(ops map[string]any) {
	o.ops, o.names, o.made, o.replaced = map[string]any{}, nil, map[string]any{}, true
	for _, n := range slices.Sorted(maps.Keys(ops)) {
		o.note(n, ops[n])
	}
}

// Changes returns what is to be stored: values and operations by name, the names in order, and the fields that keep
// their values although the request changes them.
func (o *Object) Changes() (names []string, ops map[string]any, reverted []string) {
	if !o.replaced {
		o.settle()
	}
	for _, field := range o.reverted {
		if _, again := o.ops[field]; !again && !slices.Contains(reverted, field) {
			reverted = append(reverted, field)
		}
	}
	return slices.Clone(o.names), o.ops, reverted
}

// Was returns a field as it was before the request.
func (o *Object) Was(field string) any { return o.was[field] }

// Values returns the fields as they will be.
func (o *Object) Values() map[string]any { return o.values }

// JSON returns the object as webhooks read it: fields with the operations that are pending, and the class.
func (o *Object) JSON() map[string]any {
	out := maps.Clone(o.values)
	for name, op := range o.ops {
		if rootOf(name) == name {
			out[name] = op
		}
	}
	out["className"] = o.ClassName
	return out
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	}
	return v
}
