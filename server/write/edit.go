package write

import (
	"strings"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
)

// kind is what an edit does.
type kind uint8

const (
	set kind = iota
	unset
	increment
	add
	addUnique
	remove
	relation
)

// edit is what a body says of one field, or with a path of a place inside it.
type edit struct {
	name string   // as in the body
	root string   // the field
	path []string // below the field; nil: the field itself
	kind kind
	raw  any          // the value or the operation, as decoded
	want schema.Field // the type it asks for
	typ  bool         // want is meant; null and Delete ask for none
}

// parseEdit reads one member of a body. Whether an operation's operands are right is found out when it is applied, after
// the types: parse-server's order of errors.
func parseEdit(name string, v any) (edit, error) {
	e := edit{name: name, root: name, raw: v}
	if i := strings.IndexByte(name, '.'); i > 0 {
		e.root, e.path = name[:i], strings.Split(name[i+1:], ".")
	}
	var err error
	e.kind, e.want, e.typ, err = infer(v)
	if err != nil {
		return e, err
	}
	if v == nil {
		e.kind = unset
	}
	if e.path != nil && e.kind != relation {
		e.want, e.typ = schema.Field{Type: schema.Object}, true
		if isIndex(e.path[0]) {
			e.want.Type = schema.Array
		}
	}
	return e, nil
}

// infer returns what a value does and the type it asks for.
func infer(v any) (k kind, f schema.Field, typed bool, err error) {
	switch v := v.(type) {
	case map[string]any:
		if op, ok := v["__op"]; ok && query.Truthy(op) {
			return inferOp(op, v)
		}
		if t, ok := v["__type"]; ok && query.Truthy(t) {
			return inferIncomplete(t, v)
		}
	case query.Bytes:
		if v.Base64 == "" {
			return set, f, false, notValid("Bytes")
		}
	case query.File:
		if v.Name == "" {
			return set, f, false, notValid("File")
		}
	case query.Relation:
		if v.ClassName == "" {
			return set, f, false, notValid("Relation")
		}
		return relation, schema.Field{Type: schema.Relation, TargetClass: v.ClassName}, true, nil
	}
	f, typed = schema.Infer(v)
	return set, f, typed, nil
}

// inferIncomplete deals with objects whose "__type" the decoder couldn't complete.
func inferIncomplete(t any, v map[string]any) (kind, schema.Field, bool, error) {
	name, ok := t.(string)
	if !ok {
		name = string(query.AppendJSON(nil, t))
	}
	class, _ := v["className"].(string)
	if name == "Pointer" && class != "" && !query.Truthy(v["objectId"]) {
		// parse-server takes a pointer to nothing for no pointer.
		return unset, schema.Field{Type: schema.Pointer, TargetClass: class}, true, nil
	}
	return set, schema.Field{}, false, notValid(name)
}

func inferOp(op any, v map[string]any) (kind, schema.Field, bool, error) {
	name, _ := op.(string)
	switch name {
	case "Increment":
		return increment, schema.Field{Type: schema.Number}, true, nil
	case "Delete":
		return unset, schema.Field{}, false, nil
	case "Add":
		return add, schema.Field{Type: schema.Array}, true, nil
	case "AddUnique":
		return addUnique, schema.Field{Type: schema.Array}, true, nil
	case "Remove":
		return remove, schema.Field{Type: schema.Array}, true, nil
	case "AddRelation", "RemoveRelation":
		objects, ok := v["objects"].([]any)
		if !ok {
			return relation, schema.Field{}, false, parseerror.New(parseerror.InvalidJSON, "objects to add must be an array")
		}
		f := schema.Field{Type: schema.Relation}
		if len(objects) == 0 {
			return relation, f, false, nil
		}
		if p, ok := objects[0].(query.Pointer); ok {
			f.TargetClass = p.ClassName
		}
		return relation, f, true, nil
	case "Batch":
		ops, _ := v["ops"].([]any)
		if len(ops) == 0 {
			return relation, schema.Field{}, false, parseerror.New(parseerror.InvalidJSON, "ops must be an array of operations")
		}
		first, _ := ops[0].(map[string]any)
		if first == nil || first["__op"] == "Batch" {
			return relation, schema.Field{}, false, parseerror.New(parseerror.InvalidJSON, "ops must be an array of operations")
		}
		_, f, typed, err := infer(first)
		return relation, f, typed, err
	}
	if name == "" {
		name = string(query.AppendJSON(nil, op))
	}
	return set, schema.Field{}, false, parseerror.New(parseerror.CommandUnavailable, "The %s operator is not supported yet.", name)
}

func notValid(name string) error {
	return parseerror.New(parseerror.IncorrectType, "This is not a valid %s", name)
}

func isIndex(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != "" && len(s) <= 9
}

// checkKeys refuses the names inside of values that queries couldn't reach, or would take for operators: of a new object
// at every depth, in an update, as parse-server does it, in the value itself.
func checkKeys(v any, deep bool) error {
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			if strings.ContainsAny(name, "$.") {
				return parseerror.New(parseerror.InvalidNestedKey, "Nested keys should not contain the '$' or '.' characters")
			}
			if deep {
				if err := checkKeys(e, true); err != nil {
					return err
				}
			}
		}
	case []any:
		if deep {
			for _, e := range v {
				if err := checkKeys(e, true); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
