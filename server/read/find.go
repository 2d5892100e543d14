package read

import (
	"strconv"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// question is a find once everything that decides it is known.
type question struct {
	class   *schema.Class // nil: there is no such class
	name    string
	op      string // get or find, for the class-level permissions
	where   query.Expr
	order   []query.Sort
	protect auth.Protection
	fields  fields
	embed   bool // included objects name their class
	results int  // how many to expect
	last    bool // nothing is asked of the snapshot after it
	score   bool // results have a score
}

// find appends the answer to a find.
func (r *reading) find(out []byte, q *query.Query) ([]byte, error) {
	k, err := r.ask("find", q)
	if err != nil {
		return nil, err
	}
	limit := q.Limit
	switch {
	case limit < 0:
		limit = r.o.DefaultLimit
	case r.o.MaxLimit > 0 && limit > r.o.MaxLimit:
		limit = r.o.MaxLimit
	}
	var extra func([]byte) []byte
	if q.Redirect != "" {
		extra = func(dst []byte) []byte {
			return query.AppendString(append(dst, `,"className":`...), k.name)
		}
	}
	out = append(out, `{"results":[`...)
	// parse-server doesn't ask for permission to find nothing: count with limit 0 needs that to count alone.
	switch {
	case limit == 0:
	case q.Explain != "":
		if out, err = r.plan(out, k, limit, q.Skip); err != nil {
			return nil, err
		}
	default:
		k.last = r.alone && !q.Count
		if out, err = r.results(out, k, limit, q.Skip, extra); err != nil {
			return nil, err
		}
	}
	out = append(out, ']')
	if q.Count {
		n, err := r.count(k)
		if err != nil {
			return nil, err
		}
		out = strconv.AppendInt(append(out, `,"count":`...), n, 10)
	}
	return append(out, '}'), nil
}

func (r *reading) get(class, id string, q *query.Query, extra func([]byte) []byte) ([]byte, error) {
	g := query.Query{Class: class, Where: &query.Compare{Path: "objectId", Op: query.Eq, Value: id}}
	if q != nil {
		g.Keys, g.ExcludeKeys, g.Include, g.IncludeAll = q.Keys, q.ExcludeKeys, q.Include, q.IncludeAll
	}
	k, err := r.ask("get", &g)
	if err != nil {
		return nil, err
	}
	k.op, k.last = "get", r.alone
	out, err := r.results(make([]byte, 0, 512), k, 1, 0, extra)
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		r.d.Add(k.name, id)
		r.missing = true
		return nil, parseerror.NotFound()
	}
	return out, nil
}

// ask checks and completes a query. method is find or get.
func (r *reading) ask(method string, q *query.Query) (*question, error) {
	if err := r.rules.CheckClass(r.a.Caller, method, q.Class); err != nil {
		return nil, err
	}
	if q.Explain != "" && !r.a.Master && !r.o.AllowPublicExplain {
		return nil, noExplain()
	}
	k := &question{name: q.Class, score: q.Score}
	own, err := r.target(k, q.Redirect)
	if err != nil {
		return nil, err
	}
	k.class = r.sch.Class(k.name)
	k.protect = r.rules.Protection(k.class, r.a)
	r.alike(k.name, k.class)
	if asksOthers(q.Where) {
		r.shared = false
	}
	where, err := r.authorize(q.Where, r.scope(k.name, k.class, k.protect, q.Where))
	if err != nil {
		return nil, err
	}
	if k.order, err = r.sorts(q.Order, r.scope(k.name, k.class, k.protect, q.Where)); err != nil {
		return nil, err
	}
	k.op = operation(own, q.Where)
	k.where = and(where, own)
	if k.fields, err = r.choose(k.class, q); err != nil {
		return nil, err
	}
	return k, nil
}

// redirect changes the class to the one that the field relates to, if it is a relation, and checks that one too.
func (r *reading) redirect(k *question, key string) error {
	c := r.sch.Class(k.name)
	if key == "" || c == nil || c.Fields[key].Type != schema.Relation {
		return nil
	}
	k.name = c.Fields[key].TargetClass
	r.d.AddClass(k.name)
	return r.rules.CheckClass(r.a.Caller, "find", k.name)
}

// target finds out of which class the objects are that are asked for, and which of them are the caller's own, if those are
// all that may be seen; nil: all may.
func (r *reading) target(k *question, redirect string) (own query.Expr, err error) {
	if err := r.redirect(k, redirect); err != nil {
		return nil, err
	}
	if own, err = r.own(k.name); err != nil {
		return nil, err
	}
	return own, r.rules.CheckExists(r.a.Caller, r.sch, k.name)
}

// operation is what a where needs the permission for: get or find.
func operation(own, where query.Expr) string {
	if own == nil && isOneID(where) {
		return "get"
	}
	return "find"
}

// isOneID reports whether a where is {"objectId":"…"} and nothing else, which asks for get rather than find.
func isOneID(e query.Expr) bool {
	if a, ok := e.(query.And); ok && len(a) == 1 {
		e = a[0]
	}
	c, ok := e.(*query.Compare)
	if !ok || c.Path != "objectId" || c.Op != query.Eq {
		return false
	}
	_, ok = c.Value.(string)
	return ok
}

// results appends the objects, separated by commas.
func (r *reading) results(out []byte, k *question, limit, skip int, extra func([]byte) []byte) ([]byte, error) {
	f, err := r.permitted(k, k.op)
	if err != nil || f == nil {
		return out, err
	}
	f.Order, f.Limit, f.Skip, f.Score = k.order, limit, skip, k.score
	f.Columns = k.fields.columns(k.class, k.protect)
	if len(k.fields.include) > 0 || r.a.Maintenance {
		return r.included(out, k, f, extra)
	}
	f.Last = k.last
	show := r.shaper(k, extra)
	start, first := len(out), true
	err = r.look(f, func() { out, first = out[:start], true }, func(row storage.Row) error {
		shape, err := show.of(row)
		if err != nil {
			return err
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = row.AppendJSON(out, shape)
		return nil
	})
	return out, err
}

// plan appends the database's plan for the find.
func (r *reading) plan(out []byte, k *question, limit, skip int) ([]byte, error) {
	f, err := r.permitted(k, k.op)
	if err != nil || f == nil || k.class == nil {
		return out, err
	}
	r.d.NoStore()
	f.Order, f.Limit, f.Skip = k.order, limit, skip
	return r.explained(out, f)
}

func (r *reading) count(k *question) (int64, error) {
	f, err := r.permitted(k, "count")
	if err != nil || f == nil {
		return 0, err
	}
	return r.number(f)
}

// permitted asks the class-level permissions and returns the find they leave; nil when it can have no results.
func (r *reading) permitted(k *question, op string) (*storage.Find, error) {
	grant, err := r.a.Permit(k.class, op, false)
	if err != nil {
		return nil, err
	}
	r.permittedToAll(k.class, op)
	if k.class == nil {
		// It has no objects, but what it is asked is checked like any other question.
		return &storage.Find{Schema: r.sch, Class: &schema.Class{Name: k.name}, Limit: -1, Where: k.where}, nil
	}
	if grant.Nobody {
		if op == "get" {
			r.missing = true
			return nil, parseerror.NotFound()
		}
		return nil, nil
	}
	return &storage.Find{
		Schema: r.sch, Class: k.class, Limit: -1, Readers: r.a.Readers(),
		Where: and(k.where, grant.Where()),
	}, nil
}
