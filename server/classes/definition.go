package classes

import (
	"slices"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
)

// Definition is what the schema API is told of a class: the members of its body as JSON, nil where one is missing.
type Definition struct {
	Fields, Permissions, Indexes []byte
}

// definition is a Definition that was read.
type definition struct {
	fields, indexes *query.Object
	// permissions are nil if the body names none or null; named says which.
	permissions *query.Object
	named       bool
}

func (d Definition) read() (*definition, error) {
	out := &definition{}
	var err error
	if out.fields, err = members(d.Fields); err != nil {
		return nil, err
	}
	if out.indexes, err = members(d.Indexes); err != nil {
		return nil, err
	}
	if d.Indexes == nil {
		out.indexes = nil
	}
	out.named = d.Permissions != nil
	if out.named && string(d.Permissions) != "null" {
		out.permissions, err = members(d.Permissions)
	}
	return out, err
}

func members(data []byte) (*query.Object, error) {
	switch string(data) {
	case "", "null", "[]": // as JavaScript, which iterates over nothing
		return &query.Object{}, nil
	}
	o, err := query.DecodeObject(data)
	if err != nil {
		return nil, parseerror.New(parseerror.InvalidJSON, "invalid JSON")
	}
	return o, nil
}

// isDelete reports whether the value of a field or index asks for its removal.
func isDelete(v any) bool {
	m, _ := v.(map[string]any)
	return m["__op"] == "Delete"
}

// field reads what a body says of a field.
func field(class, name string, v any) (schema.Field, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return schema.Field{}, parseerror.New(parseerror.InvalidJSON, "invalid JSON")
	}
	t, isText := m["type"].(string)
	target, targetIsText := m["targetClass"].(string)
	f := schema.Field{Type: schema.Type(t), TargetClass: target, Default: m["defaultValue"]}
	switch v := m["required"].(type) { // what JavaScript takes for false
	case nil:
	case bool:
		f.Required = v
	default:
		f.Required = v != 0.0 && v != ""
	}
	if !isText || m["targetClass"] != nil && !targetIsText && (f.Type == schema.Pointer || f.Type == schema.Relation) {
		return f, parseerror.New(parseerror.InvalidJSON, "invalid JSON")
	}
	if err := schema.CheckField(f); err != nil {
		return f, err
	}
	if f.Type != schema.Pointer && f.Type != schema.Relation {
		f.TargetClass = ""
	}
	if f.Type == schema.Relation && f.Required {
		return f, notApplicable("required", f)
	}
	return f, checkDefault(class, name, f)
}

// checkDefault checks the type of a default value.
func checkDefault(class, name string, f schema.Field) error {
	if f.Default == nil {
		return nil
	}
	if f.Type == schema.Relation {
		return notApplicable("default value", f)
	}
	got, ok := schema.Infer(f.Default)
	if !ok || !f.Accepts(got) {
		return schema.DefaultMismatch(class, name, schema.Field{Type: f.Type, TargetClass: f.TargetClass}, got)
	}
	return nil
}

func notApplicable(option string, f schema.Field) error {
	return parseerror.New(parseerror.IncorrectType, "The '%s' option is not applicable for %s", option, f)
}

// isDefault reports whether a class has the field from its creation.
func isDefault(class, name string) bool {
	for _, c := range slices.Concat(schema.Base(), schema.Default(class)) {
		if c.Name == name {
			return true
		}
	}
	return false
}

// checkNewField checks the name and type of a field that the class doesn't have.
func checkNewField(class, name string, v any) (schema.Field, error) {
	if !schema.ValidFieldName(name, class) || len(name) > maxName {
		return schema.Field{}, parseerror.New(parseerror.InvalidKeyName, "invalid field name: %s", name)
	}
	if isDefault(class, name) {
		return schema.Field{}, parseerror.New(parseerror.NotChangeable, "field %s cannot be added", name)
	}
	return field(class, name, v)
}

// maxName is how many bytes PostgreSQL keeps of a name.
const maxName = 63

// checkGeoPoints allows one field of type GeoPoint. order is the order in which the fields came about.
func checkGeoPoints(fields map[string]schema.Field, order []string) error {
	first := ""
	for _, name := range order {
		if fields[name].Type != schema.GeoPoint || name == first {
			continue
		}
		if first != "" {
			return parseerror.New(parseerror.IncorrectType, "currently, only one GeoPoint field may exist in an object. Adding %s when %s already exists.", name, first)
		}
		first = name
	}
	return nil
}

// setIndexes applies the body's indexes to those of the class, of which the fields are given.
func setIndexes(have map[string]map[string]any, sent *query.Object, fields map[string]schema.Field) (map[string]map[string]any, error) {
	if sent == nil {
		return have, nil
	}
	out := map[string]map[string]any{}
	for name, keys := range have {
		out[name] = keys
	}
	if len(have) == 0 {
		out["_id_"] = map[string]any{"_id": 1.0}
	}
	for _, name := range sent.Names {
		v := sent.Values[name]
		_, there := out[name]
		switch {
		case there && !isDelete(v):
			return nil, parseerror.New(parseerror.InvalidQuery, "Index %s exists, cannot update.", name)
		case !there && isDelete(v):
			return nil, parseerror.New(parseerror.InvalidQuery, "Index %s does not exist, cannot delete.", name)
		case there:
			delete(out, name)
			continue
		}
		keys, _ := v.(map[string]any)
		if len(keys) == 0 || len(name) > maxName || name == "" {
			return nil, parseerror.New(parseerror.InvalidQuery, "Index %s has no fields, or a name that is no name.", name)
		}
		for key := range keys {
			if f, ok := fields[key]; !ok || !f.HasColumn() {
				return nil, parseerror.New(parseerror.InvalidQuery, "Field %s does not exist, cannot add index.", key)
			}
		}
		out[name] = keys
	}
	return out, nil
}
