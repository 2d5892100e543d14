package migration

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/parsescale/parsescale/server/classes"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
)

// steps are the bodies that turn a class into its definition. What is made anew must be gone first, so there are three;
// those without members ask for nothing.
type steps struct {
	first, second, third struct{ fields, indexes query.Object }
}

func add(o *query.Object, name string, v any) {
	if o.Values == nil {
		o.Values = map[string]any{}
	}
	o.Names = append(o.Names, name)
	o.Values[name] = v
}

var gone = map[string]any{"__op": "Delete"}

// update turns a class that is there into its definition, as far as the options allow.
func (m *migration) update(e *classes.Edit, d *defined, c *schema.Class) error {
	var s steps
	m.compareFields(&s, d, c)
	m.compareIndexes(&s, d, c)
	if err := m.apply(e, c, &s.first.fields, nil, nil); err != nil {
		return err
	}
	var permissions []byte
	if wanted := schema.PermissionsOf(d.permissions); c.Permissions == nil || !equal(wanted.Value(), c.Permissions.Value()) {
		permissions = query.AppendJSON(nil, d.permissions)
	}
	if err := m.apply(e, c, &s.second.fields, &s.second.indexes, permissions); err != nil {
		return err
	}
	return m.apply(e, c, nil, &s.third.indexes, nil)
}

// apply asks for a step, unless it holds nothing new.
func (m *migration) apply(e *classes.Edit, c *schema.Class, fields, indexes *query.Object, permissions []byte) error {
	d := classes.Definition{Fields: body(fields), Indexes: body(indexes), Permissions: permissions}
	if string(d.Fields) == "{}" && string(d.Indexes) == "{}" && d.Permissions == nil && len(c.Indexes) > 0 {
		return nil
	}
	return e.Update(c.Name, d)
}

func (m *migration) compareFields(s *steps, d *defined, c *schema.Class) {
	for _, name := range d.fields.Names {
		want, _ := d.fields.Values[name].(map[string]any)
		have, there := c.Fields[name]
		switch {
		case !there:
			add(&s.second.fields, name, want)
		case typeOf(want) == have.String():
			if want["type"] != string(schema.Relation) && !equal(options(want), optionsOf(have)) {
				add(&s.second.fields, name, want)
			}
		case m.o.RecreateModifiedFields:
			add(&s.first.fields, name, gone)
			add(&s.second.fields, name, want)
		case m.o.Strict:
			m.warn(`The field "%s" type differ between the schema and the database for "%s"; Schema is defined as "%s" and current database type is "%s"`, name, d.name, typeOf(want), have)
		}
	}
	var extra []string
	for _, name := range slices.Sorted(maps.Keys(c.Fields)) {
		if _, wanted := d.fields.Values[name]; wanted || fromStart(d.name, name) {
			continue
		}
		if m.o.DeleteExtraFields {
			add(&s.first.fields, name, gone)
		} else {
			extra = append(extra, name)
		}
	}
	if m.o.Strict && len(extra) > 0 {
		m.warn(`The following fields exist in the database for "%s", but are missing in the schema : "%s"`, d.name, strings.Join(extra, `" ,"`))
	}
}

func (m *migration) compareIndexes(s *steps, d *defined, c *schema.Class) {
	// An index of a field that goes is gone by itself.
	dropped := func(keys map[string]any) bool {
		for key := range keys {
			if _, goes := s.first.fields.Values[key]; goes {
				return true
			}
		}
		return false
	}
	for _, name := range d.indexes.Names {
		have, there := c.Indexes[name]
		switch want := d.indexes.Values[name]; {
		case !there || dropped(have):
			add(&s.second.indexes, name, want)
		case !equal(want, have):
			add(&s.second.indexes, name, gone)
			add(&s.third.indexes, name, want)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Indexes)) {
		if _, wanted := d.indexes.Values[name]; wanted || reserved(d.name, name) || m.o.KeepUnknownIndexes || dropped(c.Indexes[name]) {
			continue
		}
		add(&s.second.indexes, name, gone)
	}
}

// typeOf is the type of a definition in the form of schema.Field.String.
func typeOf(want map[string]any) string {
	t, _ := want["type"].(string)
	f := schema.Field{Type: schema.Type(t)}
	if f.Type == schema.Pointer || f.Type == schema.Relation {
		f.TargetClass, _ = want["targetClass"].(string)
	}
	return f.String()
}

// options is what a definition says of a field beside its type, without what is the default.
func options(want map[string]any) map[string]any {
	out := map[string]any{}
	if want["required"] == true {
		out["required"] = true
	}
	if v := want["defaultValue"]; v != nil {
		out["defaultValue"] = v
	}
	return out
}

func optionsOf(f schema.Field) map[string]any {
	return options(map[string]any{"required": f.Required, "defaultValue": f.Default})
}

// equal compares values by the JSON that they are stored as.
func equal(a, b any) bool {
	return bytes.Equal(query.AppendJSON(nil, a), query.AppendJSON(nil, b))
}
