package migration

import (
	"errors"
	"fmt"
	"slices"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
)

// defined is a Definition that was read, without what isn't a definition's to say: the fields that every class has, or
// this one from the start, and the server's own indexes.
type defined struct {
	name            string
	fields, indexes *query.Object
	// permissions never let clients add fields, which would make the definition a lie.
	permissions     map[string]any
	withPermissions bool
}

func read(list []Definition) ([]*defined, error) {
	var out []*defined
	for i, d := range list {
		c, err := d.read()
		if err != nil {
			if d.ClassName == "" {
				return nil, fmt.Errorf("definition %d: %w", i, err)
			}
			return nil, fmt.Errorf("class %s: %w", d.ClassName, err)
		}
		if slices.ContainsFunc(out, func(o *defined) bool { return o.name == c.name }) {
			return nil, fmt.Errorf("class %s: it is defined twice", c.name)
		}
		out = append(out, c)
	}
	return out, nil
}

func (d Definition) read() (*defined, error) {
	if d.ClassName == "" {
		return nil, errors.New("it has no className")
	}
	out := &defined{name: d.ClassName}
	var err error
	if out.fields, err = object("fields", d.Fields); err != nil {
		return nil, err
	}
	if out.indexes, err = object("indexes", d.Indexes); err != nil {
		return nil, err
	}
	permissions, err := object("classLevelPermissions", d.ClassLevelPermissions)
	if err != nil {
		return nil, err
	}
	out.withPermissions = len(permissions.Names) > 0
	out.permissions = permissions.Values
	out.permissions["addField"] = map[string]any{}
	out.fields = without(out.fields, func(name string) bool { return fromStart(d.ClassName, name) })
	out.indexes = without(out.indexes, func(name string) bool { return reserved(d.ClassName, name) })
	for _, name := range out.fields.Names {
		if err := checkField(out.fields.Values[name]); err != nil {
			return nil, fmt.Errorf("field %s: %w", name, err)
		}
	}
	return out, nil
}

// checkField refuses what would be dropped in silence, or would be taken for an operation.
func checkField(v any) error {
	f, ok := v.(map[string]any)
	if !ok {
		return errors.New("it is not an object")
	}
	for name, v := range f {
		switch name {
		case "type", "targetClass":
			if _, ok := v.(string); !ok {
				return fmt.Errorf("%s is not a text", name)
			}
		case "required":
			if _, ok := v.(bool); !ok {
				return fmt.Errorf("%s is neither true nor false", name)
			}
		case "defaultValue":
		default:
			return fmt.Errorf("unknown member %q", name)
		}
	}
	return nil
}

// object reads a member that is an object, or missing.
func object(member string, data []byte) (*query.Object, error) {
	if len(data) == 0 || string(data) == "null" {
		return &query.Object{Values: map[string]any{}}, nil
	}
	o, err := query.DecodeObject(data)
	if err != nil {
		return nil, fmt.Errorf("%s is not an object", member)
	}
	if o.Values == nil {
		o.Values = map[string]any{}
	}
	return o, nil
}

func without(o *query.Object, drop func(string) bool) *query.Object {
	out := &query.Object{Values: map[string]any{}}
	for _, name := range o.Names {
		if !drop(name) {
			out.Names = append(out.Names, name)
			out.Values[name] = o.Values[name]
		}
	}
	return out
}

// fromStart reports whether the class has the field from its creation.
func fromStart(class, name string) bool {
	return slices.ContainsFunc(slices.Concat(schema.Base(), schema.Default(class)), func(c schema.Column) bool { return c.Name == name })
}

// reserved reports whether an index is the server's own.
func reserved(class, name string) bool {
	own := map[string][]string{
		schema.User: {"case_insensitive_username", "case_insensitive_email", "username_1", "email_1"},
		schema.Role: {"name_1"}, "_Idempotency": {"reqId_1"},
	}
	return name == "_id_" || slices.Contains(own[class], name)
}

// body is an object as the body of a request holds it.
func body(o *query.Object) []byte {
	if o == nil {
		return none
	}
	dst := []byte{'{'}
	for i, name := range o.Names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(query.AppendString(dst, name), ':')
		dst = query.AppendJSON(dst, o.Values[name])
	}
	return append(dst, '}')
}
