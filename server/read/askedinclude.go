package read

import (
	"slices"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/trigger"
)

// include replaces the pointers at the end of a path, as reading.include does.
func (f *asking) include(rows []*record, p *includePath) error {
	classes, wanted := leadsTo(rows, p.path)
	found := map[query.Pointer]any{}
	for _, class := range classes {
		set, err := f.triggers(class)
		if err != nil {
			return err
		}
		for ids := range slices.Chunk(wanted[class], includeBatch) {
			if set&trigger.Finds != 0 {
				err = f.fetch(class, ids, p, found)
			} else {
				err = f.stage(func(r *reading) error { return r.fetchAll(class, ids, p, found) })
			}
			if err != nil {
				return err
			}
		}
	}
	if len(classes) > 0 {
		resolve(rows, p.path, found)
	}
	return nil
}

// fetch finds objects of one class to include, and has the app's code take part.
func (f *asking) fetch(class string, ids []string, p *includePath, found map[query.Pointer]any) error {
	m := method{get: len(ids) == 1}
	if err := f.rules.CheckClass(f.c, m.op(), class); err != nil {
		return err
	}
	var where any = ids[0]
	if !m.get {
		list := make([]any, len(ids))
		for i, id := range ids {
			list[i] = id
		}
		where = map[string]any{"$in": list}
	}
	params := query.Params{"where": {JSON: query.AppendJSON(nil, map[string]any{"objectId": where})}}
	params, _, err := f.before(class, params, m)
	if err != nil {
		return err
	}
	if params, err = f.withoutSubQueries(params); err != nil {
		return err
	}
	q, err := query.ParseParams(class, params, f.limits)
	if err != nil {
		return err
	}
	var rows []*record
	var last *reading
	err = f.stage(func(r *reading) error {
		last, rows = r, nil
		k, own, err := r.embedded(class, ids, p)
		if k == nil || err != nil {
			return err
		}
		asked, err := r.authorize(q.Where, r.scope(class, k.class, k.protect, q.Where))
		if err != nil {
			return err
		}
		k.where = and(asked, own)
		find, err := r.permitted(k, "get")
		if err != nil {
			return err
		}
		find.Columns = k.fields.columns(k.class, k.protect)
		rows, err = r.records(k, find)
		return err
	})
	if err != nil {
		return err
	}
	return f.embed(class, params, rows, last, m, found)
}

// embed puts included objects where they are found by the pointers to them, after AfterFind has seen them.
func (f *asking) embed(class string, params query.Params, rows []*record, r *reading, m method, found map[query.Pointer]any) error {
	set, err := f.triggers(class)
	if err != nil {
		return err
	}
	if !set.Has(trigger.AfterFind) {
		for _, rec := range rows {
			id, _ := rec.o["objectId"].(string)
			found[query.Pointer{ClassName: class, ObjectID: id}] = rec
		}
		return nil
	}
	items := make([][]byte, len(rows))
	for i, rec := range rows {
		rec.embed = false
		if items[i], err = r.appendRecord(nil, rec, nil); err != nil {
			return err
		}
	}
	if items, err = f.after(class, params, items, m); err != nil {
		return err
	}
	for _, item := range items {
		o, err := decoded(item)
		if err != nil {
			return err
		}
		id, _ := o["objectId"].(string)
		o["__type"], o["className"] = "Object", class
		if class == schema.User && !f.a.Master {
			delete(o, "sessionToken")
			delete(o, "authData")
		}
		found[query.Pointer{ClassName: class, ObjectID: id}] = o
	}
	return nil
}
