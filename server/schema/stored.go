package schema

import (
	"fmt"

	"github.com/parsescale/parsescale/server/query"
)

// AppendStored appends the class as parse-server keeps it in the column "schema" of _SCHEMA: no ACL among the fields but
// its two halves, and the password of _User by the name of its hash.
func (c *Class) AppendStored(dst []byte) []byte {
	fields := make(map[string]any, len(c.Fields)+2)
	for name, f := range c.Fields {
		if f.Type == ACL {
			continue
		}
		if c.Name == User && name == "password" {
			name = "_hashed_password"
		}
		fields[name] = f.value()
	}
	text := map[string]any{"type": "Array", "contents": map[string]any{"type": "String"}}
	fields["_rperm"], fields["_wperm"] = text, text
	out := map[string]any{"className": c.Name, "fields": fields}
	if c.Permissions != nil {
		out["classLevelPermissions"] = c.Permissions.Value()
	}
	if len(c.Indexes) > 0 {
		indexes := make(map[string]any, len(c.Indexes))
		for name, keys := range c.Indexes {
			indexes[name] = keys
		}
		out["indexes"] = indexes
	}
	return query.AppendJSON(dst, out)
}

func (f Field) value() map[string]any {
	out := map[string]any{"type": string(f.Type)}
	if f.TargetClass != "" {
		out["targetClass"] = f.TargetClass
	}
	if f.Required {
		out["required"] = true
	}
	if f.Default != nil {
		out["defaultValue"] = f.Default
	}
	return out
}

// DecodeStored reads the column "schema" of a row of _SCHEMA. Columns is left empty: the database tells it.
func DecodeStored(name string, data []byte) (*Class, error) {
	v, err := query.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("cannot read the schema of class %s: %w", name, err)
	}
	top, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("cannot read the schema of class %s: it is not a JSON object", name)
	}
	stored, _ := top["fields"].(map[string]any)
	fields := make(map[string]Field, len(stored))
	for n, f := range stored {
		m, ok := f.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("cannot read the schema of class %s: field %s has no type", name, n)
		}
		if name == User && n == "_hashed_password" {
			n = "password"
		}
		if n[:min(1, len(n))] == "_" {
			continue
		}
		fields[n] = fieldOf(m)
	}
	c := New(name, fields)
	if m, ok := top["classLevelPermissions"].(map[string]any); ok {
		c.Permissions = PermissionsOf(m)
	}
	if m, ok := top["indexes"].(map[string]any); ok && len(m) > 0 {
		c.Indexes = make(map[string]map[string]any, len(m))
		for n, keys := range m {
			if k, ok := keys.(map[string]any); ok {
				c.Indexes[n] = k
			}
		}
	}
	return c, nil
}

func fieldOf(m map[string]any) Field {
	t, _ := m["type"].(string)
	f := Field{Type: Type(t), Default: m["defaultValue"]}
	f.TargetClass, _ = m["targetClass"].(string)
	f.Required, _ = m["required"].(bool)
	return f
}
