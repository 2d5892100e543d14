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
	"github.com/parsescale/parsescale/server/trigger"
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
		only := query.Truthy(masterKeyOnly.Values[name])
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
	if res, err := p.Repeated(ctx, c, trigger.ConfigClass, trigger.Saves, id); res != nil || err != nil {
		return res, err
	}
	ask, err := p.askConfig(ctx, c, params)
	if err != nil {
		return nil, err
	}
	var all map[string]any // the parameters as they are then
	res, err := p.Do(ctx, c, id, func(tx storage.Tx, a *auth.Auth) (*Result, error) {
		sch, err := tx.Schema(ctx)
		if err != nil {
			return nil, err
		}
		w := &writing{Path: p, ctx: ctx, tx: tx, sch: sch, a: a, name: schema.GlobalConfig, class: sch.Class(schema.GlobalConfig), id: ConfigID, request: &request{body: params}}
		err = w.putConfig(edits)
		all, _ = w.row["params"].(map[string]any)
		return &Result{Status: 200, Body: []byte(`{"result":true}`)}, err
	})
	if ask == nil || err != nil || res.Repeated {
		return res, err
	}
	after := ask.Then(trigger.AfterSave)
	after.Object, after.Original = trigger.Found(trigger.ConfigClass, all), ask.Original
	if err := p.code.Run(ctx, after); err != nil {
		return nil, err
	}
	return res, nil
}

// askConfig asks BeforeSave of the configuration, which may refuse what is sent, but not change it. The request is nil if
// there are no triggers.
func (p *Path) askConfig(ctx context.Context, c auth.Caller, params *query.Object) (*trigger.Request, error) {
	if p.code == nil {
		return nil, nil
	}
	set, err := p.code.Triggers(ctx, trigger.ConfigClass)
	if err != nil || !set.Has(trigger.BeforeSave, trigger.AfterSave) {
		return nil, err
	}
	var ask *trigger.Request
	err = p.store.Read(ctx, func(s storage.Snapshot) error {
		a, err := auth.ResolveAt(ctx, s, c, p.o.Now())
		if err != nil {
			return err
		}
		user, err := p.reads.User(ctx, s, a)
		if err != nil {
			return err
		}
		sch, err := s.Schema(ctx)
		if err != nil {
			return err
		}
		row, err := s.Get(ctx, sch.Class(schema.GlobalConfig), ConfigID)
		if err != nil {
			return err
		}
		ask = trigger.By(trigger.BeforeSave, trigger.ConfigClass, a, user)
		ask.Object = trigger.Found(trigger.ConfigClass, params.Values)
		if row != nil {
			was, _ := row["params"].(map[string]any)
			ask.Original = trigger.Found(trigger.ConfigClass, was)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ask, p.code.Run(ctx, ask)
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
