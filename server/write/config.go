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

// ConfigID is the id of the one row of _GlobalConfig.
const ConfigID = "1"

// PutConfig changes parameters of the app's configuration: values or operations by name, and which of them the master key
// alone may read. The caller must be checked already.
func (p *Path) PutConfig(ctx context.Context, c auth.Caller, params, masterKeyOnly *query.Object, id string) (*Result, error) {
	if err := p.denied.check(params); err != nil {
		return nil, err
	}
	var edits []edit
	for _, name := range params.Names {
		only, _ := masterKeyOnly.Values[name].(bool)
		for _, v := range []struct {
			name  string
			value any
		}{{"params." + name, params.Values[name]}, {"masterKeyOnly." + name, only}} {
			e, err := parseEdit(v.name, v.value)
			if err != nil {
				return nil, err
			}
			if e.kind == relation {
				return nil, parseerror.New(parseerror.IncorrectType, "%s: a parameter can't be a relation", name)
			}
			edits = append(edits, e)
		}
	}
	return p.Do(ctx, c, id, func(tx storage.Tx, a *auth.Auth) (*Result, error) {
		sch, err := tx.Schema(ctx)
		if err != nil {
			return nil, err
		}
		w := &writing{Path: p, ctx: ctx, tx: tx, sch: sch, a: a, name: schema.GlobalConfig, class: sch.Class(schema.GlobalConfig), id: ConfigID, request: &request{body: params}}
		return &Result{Status: 200, Body: []byte(`{"result":true}`)}, w.putConfig(edits)
	})
}

func (w *writing) putConfig(edits []edit) (err error) {
	if w.class == nil || len(w.class.Columns) == 0 {
		if w.class, err = w.tx.PutClass(w.ctx, schema.New(schema.GlobalConfig, nil)); err != nil {
			return err
		}
		w.tx.Emit(change.Change{Class: w.name, Kind: change.Schema})
	}
	if w.old, err = w.tx.Lock(w.ctx, w.class, w.id); err != nil {
		return err
	}
	if w.row = maps.Clone(w.old); w.row == nil {
		w.row = storage.Object{"objectId": w.id}
	}
	for i := range edits {
		e := &edits[i]
		if err := checkKeys(e.raw, false); err != nil {
			return err
		}
		v, err := e.apply(w.row[e.root], false)
		if err != nil {
			return err
		}
		w.put(e.root, v)
	}
	if w.old == nil {
		w.touched = slices.Sorted(maps.Keys(w.row))
		return w.insert()
	}
	if len(w.touched) == 0 {
		return nil
	}
	return w.save()
}
