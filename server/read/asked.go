package read

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/trigger"
)

// asking is a find about which the app's code is asked. The code takes its time, so nothing is held meanwhile: between its
// parts the find looks at the database anew.
type asking struct {
	*Path
	ctx    context.Context
	c      auth.Caller
	limits query.Limits
	// ask has the caller and the context, which all the find's triggers share.
	ask *trigger.Request
	a   *auth.Auth
	sch *schema.Schema
	res *Result
}

// asks reports whether the app's code may be asked about a find or a get; q may be nil.
func (p *Path) asks(ctx context.Context, class string, q *query.Query) (bool, error) {
	if p.code == nil {
		return false, nil
	}
	if finding, err := p.code.Finding(ctx); !finding || err != nil {
		return false, err
	}
	set, err := p.code.Triggers(ctx, class)
	if q == nil || set&trigger.Finds != 0 || err != nil {
		return set&trigger.Finds != 0, err
	}
	// Which classes an include leads to is found out on the way.
	asked := len(q.Include) > 0 || q.IncludeAll
	query.Walk(q.Where, func(e query.Expr) {
		switch e.(type) {
		case *query.InQuery, *query.Select:
			asked = true
		}
	})
	return asked, nil
}

// asking prepares a find in the caller's name. method is find or get.
func (p *Path) asking(ctx context.Context, c auth.Caller, method, class string, source *query.Source) (*asking, error) {
	f := &asking{Path: p, ctx: ctx, c: c, res: &Result{}}
	if source != nil {
		f.limits = source.Limits
	}
	err := f.stage(func(r *reading) error {
		if err := r.rules.CheckClass(c, method, class); err != nil {
			return err
		}
		user, err := p.User(ctx, r.s, r.a)
		f.a, f.sch, f.ask = r.a, r.sch, trigger.By(trigger.BeforeFind, class, r.a, user)
		return err
	})
	return f, err
}

// stage looks at the database for a part of the find.
func (f *asking) stage(look func(*reading) error) error {
	part := &Result{}
	err := f.in(f.ctx, f.c, part, look)
	f.res.Reads.merge(&part.Reads)
	return err
}

// triggers returns the triggers of a class. Where those of finds take part, the answer tells nothing of the next one.
func (f *asking) triggers(class string) (trigger.Set, error) {
	set, err := f.code.Triggers(f.ctx, class)
	if set&trigger.Finds != 0 {
		f.res.Reads.NoStore()
	}
	return set, err
}

// findAsked is Find with the app's code.
func (p *Path) findAsked(ctx context.Context, c auth.Caller, q *query.Query, err error) (*Result, error) {
	if err != nil {
		return nil, err
	}
	if q.Explain != "" && !c.Master && !p.o.AllowPublicExplain {
		return nil, noExplain()
	}
	f, err := p.asking(ctx, c, "find", q.Class, q.Source)
	if err != nil {
		return nil, err
	}
	var params query.Params
	if q.Source != nil {
		params = q.Source.Params
	}
	if _, given := params["limit"]; !given {
		params = maps.Clone(params)
		if params == nil {
			params = query.Params{}
		}
		params["limit"] = query.Param{JSON: strconv.AppendInt(nil, int64(p.o.DefaultLimit), 10)}
	}
	found, err := f.find(q.Class, params, method{})
	if err != nil {
		return nil, err
	}
	out := append([]byte(nil), `{"results":[`...)
	out = append(append(out, joined(found.items)...), ']')
	if found.counted {
		out = strconv.AppendInt(append(out, `,"count":`...), found.count, 10)
	}
	f.res.Body = append(out, '}')
	return f.res, nil
}

func noExplain() error {
	return parseerror.New(parseerror.InvalidQuery, "Using the explain query parameter requires the master key")
}

// getAsked is Get with the app's code.
func (p *Path) getAsked(ctx context.Context, c auth.Caller, class, id string, q *query.Query, err error) (*Result, error) {
	if err != nil {
		return nil, err
	}
	params := query.Params{}
	var source *query.Source
	if q != nil && q.Source != nil {
		source = q.Source
		maps.Copy(params, source.Params)
	}
	delete(params, "explain") // a get has no plan to show, nor anything to count
	delete(params, "count")
	f, err := p.asking(ctx, c, "get", class, source)
	if err != nil {
		return nil, err
	}
	params["where"] = query.Param{JSON: append(query.AppendString([]byte(`{"objectId":`), id), '}')}
	found, err := f.find(class, params, method{get: true})
	if err != nil {
		return nil, err
	}
	if len(found.items) == 0 {
		return nil, parseerror.NotFound()
	}
	f.res.Body = found.items[0]
	if class == schema.User && f.a.UserID != "" {
		if f.res.Body, err = withToken(f.res.Body, f.a); err != nil {
			return nil, err
		}
	}
	return f.res, nil
}

// withToken echoes the caller's session token in the caller's own user object, as SDKs expect.
func withToken(item []byte, a *auth.Auth) ([]byte, error) {
	o, err := query.DecodeObject(item)
	if err != nil || o.Values["objectId"] != a.UserID {
		return item, err
	}
	delete(o.Values, "sessionToken")
	out := item[:len(item)-1]
	if len(o.Values) > 0 {
		out = append(out, ',')
	}
	return append(query.AppendString(append(out, `"sessionToken":`...), a.SessionToken), '}'), nil
}

// Refine asks BeforeFind about an aggregation. What it answers by itself is returned, else the parameters it leaves.
func (p *Path) Refine(ctx context.Context, c auth.Caller, class string, params query.Params) (query.Params, *Result, error) {
	if p.code == nil {
		return params, nil, nil
	}
	set, err := p.code.Triggers(ctx, class)
	if !set.Has(trigger.BeforeFind) || err != nil {
		return params, nil, err
	}
	f, err := p.asking(ctx, c, "find", class, nil)
	if err != nil {
		return nil, nil, err
	}
	next, objects, err := f.before(class, params, method{})
	if _, asked := params["distinct"]; !asked && err == nil {
		delete(next, "where") // as in parse-server, pipelines have conditions of their own
		if where, sent := params["where"]; sent {
			next["where"] = where
		}
	}
	if objects == nil || err != nil {
		return next, nil, err
	}
	items, err := f.items(class, objects)
	if err != nil {
		return nil, nil, err
	}
	f.res.Body = append(slices.Concat([]byte(`{"results":[`), joined(items)), "]}"...)
	return next, f.res, nil
}

func joined(items [][]byte) []byte {
	var out []byte
	for i, item := range items {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, item...)
	}
	return out
}
