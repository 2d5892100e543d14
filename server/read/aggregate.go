package read

import (
	"context"
	"maps"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/pipeline"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// Aggregation is what GET /aggregate/:className asks for.
type Aggregation struct {
	Class    string
	Pipeline *pipeline.Pipeline
	// Explain asks for the database's plan instead. As in parse-server it is shown only with Raw.
	Explain bool
	// Raw leaves results as they are: fields whose names couldn't be those of a class aren't taken away.
	Raw bool
}

// Aggregate answers a pipeline: {"results":[…]}. Nobody but the master key may ask, for no permissions are looked at.
func (p *Path) Aggregate(ctx context.Context, c auth.Caller, q *Aggregation) (*Result, error) {
	return p.analyse(ctx, c, q.Class, func(r *reading, class *schema.Class, out []byte) ([]byte, error) {
		where, err := r.authorize(q.Pipeline.Match, scope{name: q.Class, class: class})
		switch {
		case err != nil:
			return out, err
		case q.Explain && !q.Raw:
			return append(out, "{}"...), nil
		case q.Explain:
			return r.explained(out, &storage.Find{Schema: r.sch, Class: class, Where: where, Limit: q.Pipeline.Limit, Skip: q.Pipeline.Skip})
		case q.Pipeline.Group == nil:
			return r.rows(out, class, where, q.Pipeline)
		}
		return r.groups(out, class, where, q)
	})
}

// Distinct answers GET /aggregate/:className?distinct=path: the different values at a path, of the objects that satisfy
// a where.
func (p *Path) Distinct(ctx context.Context, c auth.Caller, name string, path query.Path, where query.Expr) (*Result, error) {
	return p.analyse(ctx, c, name, func(r *reading, class *schema.Class, out []byte) ([]byte, error) {
		where, err := r.authorize(where, scope{name: name, class: class})
		if err != nil {
			return out, err
		}
		f := &storage.Find{Schema: r.sch, Class: class, Where: where}
		first := true
		err = r.s.Distinct(r.ctx, f, path, func(v any) error {
			if !first {
				out = append(out, ',')
			}
			first = false
			switch v := v.(type) {
			case query.Date:
				out = append(query.AppendTime(append(out, '"'), v.Time), '"')
			case query.File:
				out = query.AppendString(out, v.Name)
			default:
				out = query.AppendJSON(out, v)
			}
			return r.bounded(out)
		})
		return out, err
	})
}

// analyse answers a question of the master key about a class. One that isn't there has no results.
func (p *Path) analyse(ctx context.Context, c auth.Caller, name string, f func(*reading, *schema.Class, []byte) ([]byte, error)) (*Result, error) {
	res := &Result{}
	err := p.in(ctx, c, res, func(r *reading) error {
		if !r.a.Master {
			return parseerror.Forbidden("unauthorized: master key is required")
		}
		if r.a.ReadOnly && name == schema.Session {
			return parseerror.Denied(parseerror.OperationForbidden, "The read-only master key can't analyse the class %s, which has tokens", name)
		}
		r.d.NoStore()
		out := []byte(`{"results":[`)
		if class := r.sch.Class(name); class != nil {
			var err error
			if out, err = f(r, class, out); err != nil {
				return err
			}
		}
		res.Body = append(out, "]}"...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// bounded refuses an answer that has grown too large.
func (r *reading) bounded(out []byte) error {
	if r.o.MaxAnswer > 0 && len(out) > r.o.MaxAnswer {
		return r.tooLarge()
	}
	return nil
}

func (r *reading) explained(out []byte, f *storage.Find) ([]byte, error) {
	plan, err := r.s.Explain(r.ctx, f)
	if err != nil {
		return out, err
	}
	return append(append(append(out, `{"QUERY PLAN":`...), plan...), '}'), nil
}

// rows answers a pipeline without a group: whole objects, or the fields of $project.
func (r *reading) rows(out []byte, class *schema.Class, where query.Expr, p *pipeline.Pipeline) ([]byte, error) {
	f := &storage.Find{Schema: r.sch, Class: class, Where: where, Limit: p.Limit, Skip: p.Skip}
	for _, s := range p.Sort {
		if err := sortable(class, s.Name); err != nil {
			return out, err
		}
		f.Order = append(f.Order, query.Sort{Path: query.Path(s.Name), Desc: s.Desc})
	}
	shape := storage.Shape{FileURL: r.o.FileURL, Hide: map[string]bool{"ACL": true}}
	if !p.All {
		if err := project(&shape, class, p.Fields); err != nil {
			return out, err
		}
		f.Columns = append([]string{}, p.Fields...)
	}
	// A user who is linked to no provider shows no authData.
	unlinked := shape
	if class.Name == schema.User {
		shape.Hide["password"], shape.Hide["sessionToken"] = true, true
		unlinked = shape
		unlinked.Hide = maps.Clone(shape.Hide)
		unlinked.Hide["authData"] = true
	}
	first := true
	err := r.s.Find(r.ctx, f, func(row storage.Row) error {
		show := &shape
		if class.Name == schema.User {
			o, err := row.Object()
			if err != nil {
				return err
			}
			if emptyAuthData(o["authData"]) {
				show = &unlinked
			}
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = row.AppendJSON(out, show)
		return r.bounded(out)
	})
	return out, err
}

// project has the fields shown, and relations; an object without its id has a null one.
func project(shape *storage.Shape, class *schema.Class, fields []string) error {
	shape.Keep = map[string]bool{}
	for name, field := range class.Fields {
		shape.Keep[name] = field.Type == schema.Relation
	}
	for _, name := range fields {
		if _, ok := class.Column(name); !ok {
			return noColumn(name)
		}
		shape.Keep[name] = true
	}
	for _, name := range [...]string{"objectId", "createdAt", "updatedAt"} {
		shape.Hide[name] = !shape.Keep[name]
	}
	if shape.Hide["objectId"] {
		shape.Extra = func(dst []byte) []byte { return append(dst, `,"objectId":null`...) }
	}
	return nil
}

func noColumn(name string) error {
	return parseerror.New(parseerror.InvalidQuery, "column %q does not exist", name)
}

func sortable(class *schema.Class, name string) error {
	f, ok := class.Column(name)
	switch {
	case !ok:
		return noColumn(name)
	case f.Type == schema.GeoPoint:
		return parseerror.New(parseerror.InvalidQuery, "could not identify an ordering operator for type point")
	case f.Type == schema.Polygon:
		return parseerror.New(parseerror.InvalidQuery, "could not identify an ordering operator for type polygon")
	}
	return nil
}
