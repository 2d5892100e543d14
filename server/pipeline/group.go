package pipeline

import (
	"encoding/json"
	"strings"
)

func (b *builder) group(raw json.RawMessage) error {
	members, err := fields(raw, "$group")
	if err != nil {
		return err
	}
	var id json.RawMessage
	for _, m := range members {
		switch m.name {
		case "objectId":
			return fail(codeInvalidQuery, "Cannot use 'objectId' in aggregation stage $group.")
		case "_id":
			id = m.value
		}
	}
	if id == nil {
		return fail(codeInvalidQuery, "Invalid parameter for query: group. Missing key _id")
	}
	g := &Group{}
	if err := g.keys(id); err != nil {
		return err
	}
	for _, m := range members {
		if m.name == "_id" {
			continue
		}
		if err := g.value(m); err != nil {
			return err
		}
	}
	if len(g.Keys) == 0 && len(g.Values) == 0 {
		return nil // it groups nothing
	}
	b.p.Group, g.Also = g, b.p.Fields
	b.p.Projected, b.p.Fields = false, nil
	return nil
}

// keys reads _id: a field, or an object of fields and parts of dates. Anything else is no key.
func (g *Group) keys(id json.RawMessage) error {
	var name string
	if json.Unmarshal(id, &name) == nil {
		if name == "" {
			return nil
		}
		field, err := reference(name)
		g.Keys, g.Single = []Key{{Name: "objectId", Field: field}}, true
		return err
	}
	members, err := membersOf(id)
	if err != nil {
		return nil //nolint:nilerr // a number is no key
	}
	if len(members) > maxFields {
		return fail(codeInvalidQuery, "Number of keys of $group exceeds maximum allowed of %d", maxFields)
	}
	for _, m := range members {
		k, ref := Key{Name: m.name}, ""
		if json.Unmarshal(m.value, &ref) == nil && ref != "" {
			k.Field, err = reference(ref)
		} else {
			k.Field, k.Part, err = datePart(m.value)
		}
		if err != nil {
			return err
		}
		g.Keys = append(g.Keys, k)
	}
	return nil
}

// datePart reads {"$month": "$field"}.
func datePart(raw json.RawMessage) (string, Part, error) {
	members, err := membersOf(raw)
	if err != nil || len(members) == 0 {
		return "", "", fail(codeInvalidQuery, "Invalid key of $group: %s", raw)
	}
	part, ok := parts[members[0].name]
	if !ok {
		return "", "", fail(codeInvalidQuery, "Invalid operator for a key of $group: %s", members[0].name)
	}
	field, err := referenceIn(members[0].value)
	return field, part, err
}

// value reads an accumulator. Of several the last counts; what is none is passed over.
func (g *Group) value(m member) error {
	members, err := membersOf(m.value)
	if err != nil {
		return nil //nolint:nilerr // not an object: no accumulator
	}
	operators := map[string]json.RawMessage{}
	for _, o := range members {
		operators[o.name] = o.value
	}
	v := Value{Name: m.name}
	if raw := operators["$sum"]; truthy(raw) {
		if v.Func = Count; raw[0] == '"' {
			v.Func = Sum
			if v.Field, err = referenceIn(raw); err != nil {
				return err
			}
		}
	}
	for _, o := range []struct {
		name string
		f    Func
	}{{"$max", Max}, {"$min", Min}, {"$avg", Avg}} {
		if raw := operators[o.name]; truthy(raw) {
			v.Func = o.f
			if v.Field, err = referenceIn(raw); err != nil {
				return err
			}
		}
	}
	if v.Func != 0 {
		g.Values = append(g.Values, v)
	}
	return nil
}

func truthy(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", "false", "0", `""`:
		return false
	}
	return true
}

// referenceIn reads a JSON string that is a reference.
func referenceIn(raw json.RawMessage) (string, error) {
	var name string
	if json.Unmarshal(raw, &name) != nil {
		return "", fail(codeInvalidKeyName, "Invalid field name: %s", raw)
	}
	return reference(name)
}

// reference reads "$field".
func reference(name string) (string, error) {
	field, ok := strings.CutPrefix(name, "$")
	if ok && (field == "_created_at" || field == "_updated_at") {
		field = column(field)
	}
	if !ok || !IsName(field) {
		return "", fail(codeInvalidKeyName, "Invalid field name: %s", field)
	}
	return field, nil
}
