package write

import (
	"context"
	"maps"
	"slices"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// writing is one write in one transaction.
type writing struct {
	*Path
	ctx context.Context
	tx  storage.Tx
	sch *schema.Schema
	a   *auth.Auth
	now query.Date

	name  string
	class *schema.Class // nil: there is none yet
	id    string
	*request

	old storage.Object // as it was; nil for a new object
	row storage.Object // as it will be
	// touched are the columns that change, in order.
	touched []string
	links   []link
	answer  answer
	// alone: nothing else is written in the transaction.
	alone bool
	// holds is asked about the locked object before it is changed; nil: it needn't be.
	holds func(storage.Object) error
	// mail sends the user the link that proves the address, once the write is committed; nil: none is to be sent.
	mail func(user storage.Object)
	// refused: a new user is kept, but told to verify the address first.
	refused bool
}

// answer collects the members of a response body in order.
type answer struct {
	names  []string
	values map[string]any
}

func (a *answer) set(name string, v any) {
	if a.values == nil {
		a.values = map[string]any{}
	}
	if _, there := a.values[name]; !there {
		a.names = append(a.names, name)
	}
	a.values[name] = v
}

func (a *answer) body() []byte { return appendObject(nil, a.names, a.values) }

// begin checks what doesn't depend on the object: who may write to such a class at all, and the body.
func (p *Path) begin(ctx context.Context, tx storage.Tx, a *auth.Auth, op, class string, req *request) (*writing, error) {
	if err := p.rules.CheckClass(a.Caller, op, class); err != nil {
		return nil, err
	}
	sch, err := tx.Schema(ctx)
	if err != nil {
		return nil, err
	}
	w := &writing{
		Path: p, ctx: ctx, tx: tx, sch: sch, a: a, name: class, class: sch.Class(class), request: req,
		now: query.Date{Time: p.o.Now().UTC().Truncate(1e6)},
	}
	if op == "delete" {
		return w, nil
	}
	if err := p.rules.CheckExists(a.Caller, sch, class); err != nil {
		return nil, err
	}
	if !schema.ValidClassName(class) {
		if schema.IsVolatile(class) {
			return nil, parseerror.New(parseerror.InvalidClassName, "invalid className: %s", class)
		}
		return nil, schema.CheckClassName(class)
	}
	// Join tables have no objects; relations are changed by operations on their owners.
	if len(class) > maxName && w.class == nil || class[0] == '_' && !schema.IsSystem(class) {
		return nil, parseerror.New(parseerror.InvalidJSON, "schema class name does not revalidate")
	}
	if req.err != nil {
		return nil, req.err
	}
	return w, nil
}

// touch notes that a column changes.
func (w *writing) touch(column string) {
	if !slices.Contains(w.touched, column) {
		w.touched = append(w.touched, column)
	}
}

// put sets a column of the row; nil unsets it.
func (w *writing) put(column string, v any) {
	w.touch(column)
	if v == nil {
		delete(w.row, column)
	} else {
		w.row[column] = v
	}
}

// last reports whether the change of the object itself ends the transaction.
func (w *writing) last() bool {
	return w.alone && w.name != schema.User && len(w.links) == 0 && !w.shows()
}

// insert stores the row as a new object and announces it.
func (w *writing) insert() error {
	if w.last() && w.body.Values["objectId"] == nil {
		w.tx.Last()
	}
	if err := w.tx.Insert(w.ctx, w.class, w.row); err != nil {
		return w.duplicate(err)
	}
	w.tx.Emit(change.Change{
		Class: w.name, ObjectID: w.id, Kind: change.Create,
		After: image(w.class, w.row), Touched: slices.Sorted(maps.Keys(w.row)),
	})
	return w.relate()
}

// save stores the touched columns of the row and announces the update.
func (w *writing) save() error {
	set := make(storage.Object, len(w.touched))
	for _, c := range w.touched {
		set[c] = w.row[c]
	}
	if w.last() {
		w.tx.Last()
	}
	if err := w.tx.Update(w.ctx, w.class, w.id, set); err != nil {
		return w.duplicate(err)
	}
	touched := slices.Clone(w.touched)
	for _, l := range w.links {
		if !slices.Contains(touched, l.field) {
			touched = append(touched, l.field)
		}
	}
	w.tx.Emit(change.Change{
		Class: w.name, ObjectID: w.id, Kind: change.Update,
		Before: image(w.class, w.old), After: image(w.class, w.row), Touched: touched,
	})
	return w.relate()
}

// remove deletes an object and announces it.
func (w *writing) remove(class *schema.Class, id string, o storage.Object) error {
	if err := w.tx.Delete(w.ctx, class, id); err != nil {
		return err
	}
	w.tx.Emit(change.Change{Class: class.Name, ObjectID: id, Kind: change.Delete, Before: image(class, o)})
	return nil
}
