package write

import (
	"maps"
	"slices"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/schema"
)

const (
	// maxName is how many bytes PostgreSQL keeps of a table's or column's name: longer ones would be cut, and two of
	// them could become one.
	maxName = 63
	// maxFields bounds the fields of a class; databases bound the columns of a table.
	maxFields = 1000
)

// grow checks the edits against the class and adds to it what it lacks: fields, or the class itself. isUpdate says that
// the object exists. To name a field that is new to the class, be it with null, the caller needs the permission addField,
// which may depend on the object: then needsGrant.
func (w *writing) grow(isUpdate bool) (needsGrant bool, err error) {
	class := w.class
	if class == nil {
		class = schema.New(w.name, nil)
	}
	fresh := map[string]schema.Field{}
	unknown := false // a field is named that the class doesn't have, and doesn't get either
	for i := range w.edits {
		e := &w.edits[i]
		if err := w.checkName(e); err != nil {
			return false, err
		}
		if !e.typ {
			_, internal := w.internalField(e.root)
			unknown = unknown || class.Fields[e.root].Type == "" && !internal && !isDelete(e.raw)
			continue
		}
		have, ok := class.Fields[e.root]
		if !ok {
			have, ok = fresh[e.root]
		}
		if !ok {
			have, ok = w.internalField(e.root)
		}
		if ok {
			if err := have.Check(w.name, e.root, e.want); err != nil {
				return false, err
			}
			continue
		}
		if e.want.Type == schema.Relation && e.want.TargetClass == "" {
			return false, parseerror.New(parseerror.IncorrectType, "This is not a valid Relation")
		}
		fresh[e.root] = e.want
	}
	// The server's own classes are known before they have a table.
	stored := w.class != nil && len(w.class.Columns) > 0
	if len(fresh) == 0 && stored && !unknown {
		return false, nil
	}
	if schema.IsVolatile(w.name) && len(fresh) > 0 {
		for name := range fresh {
			return false, parseerror.New(parseerror.InvalidKeyName, "Invalid field name: %s.", name)
		}
	}
	if len(class.Fields)+len(fresh) > maxFields {
		return false, parseerror.New(parseerror.OperationForbidden, "Class %s would have more than %d fields", w.name, maxFields)
	}
	if w.class != nil && (len(fresh) > 0 || unknown) {
		grant, err := w.a.Permit(w.class, "addField", isUpdate)
		if err != nil {
			return false, err
		}
		needsGrant = !grant.All()
	}
	if len(fresh) == 0 && stored {
		return needsGrant, nil
	}
	return needsGrant, w.putClass(class, fresh, w.fieldOrder())
}

// putClass stores the class with further fields and announces that nothing that was known of it holds any more.
// order is the order in which new fields get their columns.
func (w *writing) putClass(class *schema.Class, fresh map[string]schema.Field, order []string) error {
	next := *class
	next.Columns = append(slices.Clone(class.Columns), order...)
	next.Fields = maps.Clone(class.Fields)
	maps.Copy(next.Fields, fresh)
	stored, err := w.tx.PutClass(w.ctx, &next)
	if err != nil {
		return err
	}
	w.tx.Emit(change.Change{Class: class.Name, Kind: change.Schema})
	if w.sch, err = w.tx.Schema(w.ctx); err != nil {
		return err
	}
	// Another process may have added a field of the same name a moment before.
	for _, name := range slices.Sorted(maps.Keys(fresh)) {
		if err := stored.Fields[name].Check(class.Name, name, fresh[name]); err != nil {
			return err
		}
	}
	if class.Name == w.name {
		w.class = stored
	}
	return nil
}

// fieldOrder returns the fields in the order of the body.
func (w *writing) fieldOrder() []string {
	out := make([]string, 0, len(w.edits))
	for i := range w.edits {
		out = append(out, w.edits[i].root)
	}
	return out
}

// checkName checks the name of the field that an edit is about. The maintenance key may write internal fields too.
func (w *writing) checkName(e *edit) error {
	if e.path != nil && e.root == "authData" && w.name == schema.User {
		return parseerror.New(parseerror.InvalidKeyName, "Invalid field name for update: %s", e.name)
	}
	if _, ok := w.internalField(e.root); ok {
		return nil
	}
	if err := schema.CheckFieldName(e.root, w.name); err != nil {
		return err
	}
	if len(e.root) > maxName {
		return parseerror.New(parseerror.InvalidKeyName, "Invalid field name: %s.", e.root)
	}
	return nil
}

// internalField returns an internal field that the caller may write. The ACL is written by its own name alone.
func (w *writing) internalField(name string) (schema.Field, bool) {
	if !w.a.Maintenance || name == "_rperm" || name == "_wperm" {
		return schema.Field{}, false
	}
	for _, c := range schema.Internal(w.name) {
		if c.Name == name {
			return c.Field, true
		}
	}
	return schema.Field{}, false
}
