package read

import (
	"maps"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/trigger"
)

// method is what kind of a find it is: one after one object by its id, or the sub-query of another one.
type method struct{ get, sub bool }

func (m method) op() string {
	if m.get {
		return "get"
	}
	return "find"
}

// finding is what a find has found: objects as JSON.
type finding struct {
	items   [][]byte
	count   int64
	counted bool
}

// find looks for objects of a class, and has the app's code take part.
func (f *asking) find(class string, params query.Params, m method) (*finding, error) {
	params, objects, err := f.before(class, params, m)
	if err != nil {
		return nil, err
	}
	out := &finding{}
	if objects != nil {
		out.items, err = f.admitted(class, objects, params, m)
	} else {
		out, err = f.look(class, params, m)
	}
	if err != nil {
		return nil, err
	}
	out.items, err = f.after(class, params, out.items, m)
	return out, err
}

// before asks BeforeFind. It returns the parameters that it leaves, and the objects that it answers with; nil: it doesn't.
func (f *asking) before(class string, params query.Params, m method) (query.Params, []*trigger.Object, error) {
	set, err := f.triggers(class)
	if !set.Has(trigger.BeforeFind) || err != nil {
		return params, nil, err
	}
	r := f.ask.For(trigger.BeforeFind, class)
	if r.Query, err = trigger.NewQuery(params); err != nil {
		return nil, nil, err
	}
	r.Count, r.IsGet = truthyParam(params["count"]), m.get
	if err := f.code.Run(f.ctx, r); err != nil {
		return nil, nil, err
	}
	f.ask.Context = r.Context
	return r.Query.Params(params), r.Objects, nil
}

func truthyParam(p query.Param) bool {
	v, err := p.Value()
	return err == nil && v != nil && v != false && v != "" && v != 0.0
}

// admitted returns the objects that BeforeFind answers with. Those that are stored were perhaps found with more rights than
// the caller has, so they are found again.
func (f *asking) admitted(class string, objects []*trigger.Object, params query.Params, m method) ([][]byte, error) {
	var ids []any
	for _, o := range objects {
		if o.ID() != "" {
			ids = append(ids, o.ID())
		}
	}
	if f.a.Privileged() || len(ids) == 0 {
		return f.items(class, objects)
	}
	where := map[string]any{"objectId": map[string]any{"$in": ids}}
	if m.get {
		where = map[string]any{"objectId": ids[0]}
	}
	params = maps.Clone(params)
	params["where"] = query.Param{JSON: query.AppendJSON(nil, where)}
	found, err := f.look(class, params, m)
	if err != nil {
		return nil, err
	}
	return found.items, nil
}

// items returns objects of the app's code as JSON, which name their class, if they aren't too large together. What is
// protected from the caller stays so, whoever put it there.
func (f *asking) items(class string, objects []*trigger.Object) ([][]byte, error) {
	items := make([][]byte, len(objects))
	size := 0
	for i, o := range objects {
		if o == nil {
			return nil, parseerror.New(parseerror.ScriptFailed, "Script failed.")
		}
		values := o.JSON()
		if _, there := o.Values()["className"]; !there && o.ClassName == "" {
			delete(values, "className")
		}
		for _, name := range [...]string{class, o.ClassName} {
			for field := range f.rules.Protection(f.sch.Class(name), f.a).Of(o.ID(), o.Values()) {
				delete(values, field)
			}
		}
		items[i] = query.AppendJSON(nil, values)
		if size += len(items[i]); f.o.MaxAnswer > 0 && size > f.o.MaxAnswer {
			return nil, f.tooLarge()
		}
	}
	return items, nil
}

// after asks AfterFind.
func (f *asking) after(class string, params query.Params, items [][]byte, m method) ([][]byte, error) {
	set, err := f.triggers(class)
	if !set.Has(trigger.AfterFind) || err != nil || truthyParam(params["explain"]) {
		return items, err
	}
	r := f.ask.For(trigger.AfterFind, class)
	if r.Query, err = trigger.NewQuery(params); err != nil {
		return nil, err
	}
	r.IsGet, r.Objects = m.get, make([]*trigger.Object, len(items))
	for i, item := range items {
		values, err := decoded(item)
		if err != nil {
			return nil, err
		}
		of := class
		if name, ok := values["className"].(string); ok {
			of = name
		}
		r.Objects[i] = trigger.Found(of, values)
	}
	if err := f.code.Run(f.ctx, r); err != nil {
		return nil, err
	}
	return f.items(class, r.Objects)
}

// look asks the database.
func (f *asking) look(class string, params query.Params, m method) (*finding, error) {
	params, err := f.withoutSubQueries(params)
	if err != nil {
		return nil, err
	}
	q, err := query.ParseParams(class, params, f.limits)
	if err != nil {
		return nil, err
	}
	out := &finding{counted: q.Count}
	var rows []*record
	var k *question
	var last *reading
	err = f.stage(func(r *reading) (err error) {
		last, rows, out.items = r, nil, nil
		if k, err = r.ask(m.op(), q); err != nil {
			return err
		}
		if m.get {
			k.op = "get"
		}
		limit := f.limit(q, m)
		switch {
		case limit == 0:
		case q.Explain != "":
			plan, err := r.plan(nil, k, limit, q.Skip)
			if err != nil {
				return err
			}
			out.items = [][]byte{plan}
		default:
			find, err := r.permitted(k, k.op)
			if err != nil {
				return err
			}
			if find != nil {
				find.Order, find.Limit, find.Skip, find.Score = k.order, limit, q.Skip, k.score
				find.Columns = k.fields.columns(k.class, k.protect)
				if rows, err = r.records(k, find); err != nil {
					return err
				}
			}
		}
		if q.Count {
			out.count, err = r.count(k)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range k.fields.include {
		if err := f.include(rows, &k.fields.include[i]); err != nil {
			return nil, err
		}
	}
	var extra func([]byte) []byte
	if q.Redirect != "" {
		extra = func(dst []byte) []byte { return query.AppendString(append(dst, `,"className":`...), k.name) }
	}
	size := 0
	for _, rec := range rows {
		item, err := last.appendRecord(nil, rec, extra)
		if err != nil {
			return nil, err
		}
		if size += len(item); f.o.MaxAnswer > 0 && size > f.o.MaxAnswer {
			return nil, f.tooLarge()
		}
		out.items = append(out.items, item)
	}
	return out, nil
}

// limit is the most results that are looked for. A sub-query has all that it names no limit for.
func (f *asking) limit(q *query.Query, m method) int {
	limit := q.Limit
	switch {
	case m.get:
		return 1
	case m.sub:
		if limit <= 0 {
			limit = -1
		}
		if bound := f.o.SubqueryLimit; bound > 0 && !f.a.Privileged() && (limit < 0 || limit > bound) {
			limit = bound
		}
		// One more than may be, which is then refused: nobody's memory holds a whole class.
		if limit < 0 || limit > maxAnswered+1 {
			limit = maxAnswered + 1
		}
	case limit < 0:
		return f.o.DefaultLimit
	case f.o.MaxLimit > 0 && limit > f.o.MaxLimit:
		return f.o.MaxLimit
	}
	return limit
}
