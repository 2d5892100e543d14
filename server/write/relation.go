package write

import (
	"slices"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
)

// link is members to add to or to remove from one relation of the object.
type link struct {
	field   string
	related []string
	undo    bool
}

// related reads the relation operations of an edit.
func (w *writing) related(e *edit) error {
	if _, isValue := e.raw.(query.Relation); isValue {
		// What a read shows of a relation says nothing of its members.
		return nil
	}
	op, _ := e.raw.(map[string]any)
	if op["__op"] != "Batch" {
		return w.relatedOp(e, op)
	}
	ops, _ := op["ops"].([]any)
	for _, o := range ops {
		m, _ := o.(map[string]any)
		if err := w.relatedOp(e, m); err != nil {
			return err
		}
	}
	return nil
}

func (w *writing) relatedOp(e *edit, op map[string]any) error {
	name, _ := op["__op"].(string)
	if name != "AddRelation" && name != "RemoveRelation" || e.path != nil {
		return parseerror.New(parseerror.InvalidJSON, "%s: only AddRelation and RemoveRelation can be done to a relation", e.name)
	}
	objects, ok := op["objects"].([]any)
	if !ok {
		return parseerror.New(parseerror.InvalidJSON, "objects to add must be an array")
	}
	have, ok := w.class.Fields[e.root]
	if !ok || have.Type != schema.Relation {
		if len(objects) == 0 {
			return parseerror.New(parseerror.InvalidJSON, "objects to add must not be empty")
		}
		return have.Check(w.name, e.root, e.want)
	}
	ids := make([]string, 0, len(objects))
	for _, o := range objects {
		p, _ := o.(query.Pointer)
		if err := have.Check(w.name, e.root, schema.Field{Type: schema.Relation, TargetClass: p.ClassName}); err != nil {
			return err
		}
		if !slices.Contains(ids, p.ObjectID) {
			ids = append(ids, p.ObjectID)
		}
	}
	w.links = append(w.links, link{field: e.root, related: ids, undo: name == "RemoveRelation"})
	return nil
}

// relate changes the join tables and announces each row that came or went.
func (w *writing) relate() error {
	for _, l := range w.links {
		op, kind := w.tx.Link, change.Create
		if l.undo {
			op, kind = w.tx.Unlink, change.Delete
		}
		changed, err := op(w.ctx, w.name, l.field, w.id, l.related)
		if err != nil {
			return err
		}
		for _, id := range changed {
			im := &change.Image{Fields: map[string]any{"owningId": w.id, "relatedId": id}}
			c := change.Change{Class: schema.JoinTable(w.name, l.field), Kind: kind, Touched: []string{"owningId", "relatedId"}}
			if l.undo {
				c.Before = im
			} else {
				c.After = im
			}
			w.tx.Emit(c)
		}
	}
	return nil
}
