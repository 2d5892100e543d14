package rest

import (
	"maps"
	"slices"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// schemas answers with every class.
func (a *API) schemas(c *call) (*answer, error) {
	s, err := a.loadSchema(c)
	if err != nil {
		return nil, err
	}
	out := []byte(`{"results":[`)
	n := 0
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		if n > 0 {
			out = append(out, ',')
		}
		out = appendClass(out, s.Classes[name])
		n++
	}
	return &answer{body: append(out, "]}"...)}, nil
}

// schema answers with one class.
func (a *API) schema(c *call) (*answer, error) {
	s, err := a.loadSchema(c)
	if err != nil {
		return nil, err
	}
	class := s.Class(c.params[0])
	if class == nil {
		return nil, parseerror.New(parseerror.InvalidClassName, "Class %s does not exist.", c.params[0])
	}
	return &answer{body: appendClass(nil, class)}, nil
}

func (a *API) loadSchema(c *call) (s *schema.Schema, err error) {
	err = a.o.Store.Read(c.ctx, func(snap storage.Snapshot) error {
		s, err = snap.Schema(c.ctx)
		return err
	})
	return s, err
}

// appendClass appends a class in the form of the schema API.
func appendClass(dst []byte, class *schema.Class) []byte {
	dst = append(dst, `{"className":`...)
	dst = query.AppendString(dst, class.Name)
	dst = append(dst, `,"fields":{`...)
	for i, name := range fieldOrder(class) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = query.AppendString(dst, name)
		dst = append(dst, ':')
		dst = appendField(dst, class.Fields[name])
	}
	dst = append(dst, `},"classLevelPermissions":`...)
	dst = appendPermissions(dst, class.Permissions)
	if len(class.Indexes) > 0 {
		dst = append(dst, `,"indexes":{`...)
		for i, name := range slices.Sorted(maps.Keys(class.Indexes)) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = query.AppendString(dst, name)
			dst = append(dst, ':')
			dst = query.AppendJSON(dst, class.Indexes[name])
		}
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// fieldOrder lists the public fields: the default ones, then those with a column in the table's order, then the rest.
func fieldOrder(class *schema.Class) []string {
	var names []string
	add := func(name string) {
		if _, ok := class.Fields[name]; ok && name[0] != '_' && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range []string{"objectId", "createdAt", "updatedAt", "ACL"} {
		add(name)
	}
	for _, name := range class.Columns {
		add(name)
	}
	for _, name := range slices.Sorted(maps.Keys(class.Fields)) {
		if name != "" {
			add(name)
		}
	}
	return names
}

func appendField(dst []byte, f schema.Field) []byte {
	dst = append(dst, `{"type":`...)
	dst = query.AppendString(dst, string(f.Type))
	if f.TargetClass != "" {
		dst = append(dst, `,"targetClass":`...)
		dst = query.AppendString(dst, f.TargetClass)
	}
	if f.Required {
		dst = append(dst, `,"required":true`...)
	}
	if f.Default != nil {
		dst = append(dst, `,"defaultValue":`...)
		dst = query.AppendJSON(dst, f.Default)
	}
	return append(dst, '}')
}

var operations = []string{"find", "get", "count", "create", "update", "delete", "addField"}

// appendPermissions appends class-level permissions; a class without any is open to everybody.
func appendPermissions(dst []byte, p *schema.Permissions) []byte {
	if p == nil {
		dst = append(dst, `{"ACL":{"*":{"read":true,"write":true}}`...)
		for _, op := range operations {
			dst = append(append(append(dst, `,"`...), op...), `":{"*":true}`...)
		}
		return append(dst, `,"protectedFields":{"*":[]}}`...)
	}
	dst = append(dst, '{')
	if p.ACL != nil {
		acl := make(map[string]any, len(p.ACL))
		for who, rights := range p.ACL {
			m := make(map[string]any, len(rights))
			for right, ok := range rights {
				m[right] = ok
			}
			acl[who] = m
		}
		dst = append(dst, `"ACL":`...)
		dst = append(query.AppendJSON(dst, acl), ',')
	}
	for _, op := range operations {
		entities := p.Operations[op]
		if entities == nil {
			entities = map[string]any{}
		}
		dst = append(append(append(dst, '"'), op...), `":`...)
		dst = append(query.AppendJSON(dst, entities), ',')
	}
	for _, list := range []struct {
		name   string
		fields []string
	}{{"readUserFields", p.ReadUserFields}, {"writeUserFields", p.WriteUserFields}} {
		if list.fields != nil {
			dst = append(append(append(dst, '"'), list.name...), `":`...)
			dst = append(query.AppendJSON(dst, anys(list.fields)), ',')
		}
	}
	protected := make(map[string]any, len(p.ProtectedFields))
	for who, fields := range p.ProtectedFields {
		protected[who] = anys(fields)
	}
	dst = append(dst, `"protectedFields":`...)
	return append(query.AppendJSON(dst, protected), '}')
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
