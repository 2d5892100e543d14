package read

import (
	"slices"

	"github.com/parsescale/parsescale/server/pipeline"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// grouping is a pipeline's group, column by column: first what is shown beside the key, then the keys, then the values.
type grouping struct {
	r     *reading
	class *schema.Class
	q     *Aggregation
	names []string
	keys  int // where the keys begin
}

var functions = map[pipeline.Func]string{pipeline.Sum: "sum", pipeline.Count: "count", pipeline.Max: "max", pipeline.Min: "min", pipeline.Avg: "avg"}

// groups answers a pipeline with a group.
func (r *reading) groups(out []byte, class *schema.Class, where query.Expr, q *Aggregation) ([]byte, error) {
	p := q.Pipeline
	g := grouping{r: r, class: class, q: q}
	ask := &storage.Aggregate{Schema: r.sch, Class: class, Where: where, Limit: p.Limit, Skip: p.Skip}
	add := func(name string, c storage.Aggregated) {
		g.names = append(g.names, name)
		ask.Columns = append(ask.Columns, c)
	}
	for _, name := range p.Group.Also {
		if slices.ContainsFunc(p.Group.Keys, func(k pipeline.Key) bool { return k.Field == name }) {
			add(name, storage.Aggregated{Field: name})
		}
	}
	g.keys = len(g.names)
	for _, k := range p.Group.Keys {
		add(k.Name, storage.Aggregated{Field: k.Field, Part: string(k.Part)})
		if !slices.Contains(ask.By, k.Field) {
			ask.By = append(ask.By, k.Field)
		}
	}
	for _, v := range p.Group.Values {
		add(v.Name, storage.Aggregated{Field: v.Field, Func: functions[v.Func]})
	}
	if err := g.check(ask); err != nil {
		return out, err
	}
	first := true
	err := r.s.Aggregate(r.ctx, ask, func(values []any) error {
		if !first {
			out = append(out, ',')
		}
		first = false
		out = g.row(out, values)
		return r.bounded(out)
	})
	return out, err
}

// check sees to it that $project and $sort name columns of the result.
func (g *grouping) check(ask *storage.Aggregate) error {
	p := g.q.Pipeline
	for _, name := range p.Fields {
		if name != "objectId" && !slices.Contains(g.names, name) {
			return noColumn(name)
		}
	}
	for _, s := range p.Sort {
		from := len(ask.Order)
		for i, name := range g.names {
			isKey := i >= g.keys && i < g.keys+len(p.Group.Keys)
			field := ask.Columns[i]
			if name == s.Name || isKey && (s.Name == "objectId" || field.Field == s.Name && field.Part == "") {
				ask.Order = append(ask.Order, storage.AggregateOrder{Column: i, Desc: s.Desc})
			}
		}
		if len(ask.Order) == from {
			return noColumn(s.Name)
		}
	}
	return nil
}

// row appends one result: the values, the class's relations, and as objectId the key: one value, an object of several,
// or null.
func (g *grouping) row(dst []byte, values []any) []byte {
	p := g.q.Pipeline
	dst = append(dst, '{')
	start := len(dst)
	member := func(name string) {
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(query.AppendString(dst, name), ':')
	}
	end := g.keys + len(p.Group.Keys)
	for i, v := range values {
		name := g.names[i]
		hidden := !g.q.Raw && !pipeline.IsName(name)
		switch {
		case i >= g.keys && i < end, v == nil, hidden, slices.Contains(g.names[i+1:], name),
			p.Projected && !slices.Contains(p.Fields, name), g.class.Fields[name].Type == schema.Relation:
			continue
		}
		member(name)
		dst = g.value(dst, name, v)
	}
	for _, name := range relations(g.class) {
		member(name)
		dst = query.AppendJSON(dst, query.Relation{ClassName: g.class.Fields[name].TargetClass})
	}
	if p.Projected && p.Unkeyed {
		return append(dst, '}')
	}
	member("objectId")
	switch {
	case len(p.Group.Keys) == 0 || p.Group.Single && values[g.keys] == nil:
		dst = append(dst, "null"...)
	case p.Group.Single:
		dst = g.value(dst, "objectId", values[g.keys])
	default:
		dst = append(dst, '{')
		start = len(dst)
		for i := g.keys; i < end; i++ {
			if values[i] != nil && !slices.Contains(g.names[i+1:end], g.names[i]) {
				member(g.names[i])
				dst = g.value(dst, g.names[i], values[i])
			}
		}
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// value appends a value. As in parse-server it has the form that a field of that name has in the class: an id is a
// pointer only under the name of a Pointer field, and so with the names of files.
func (g *grouping) value(dst []byte, name string, v any) []byte {
	f := g.class.Fields[name]
	text, isText := v.(string)
	switch v := v.(type) {
	case query.Pointer:
		text, isText = v.ObjectID, true
	case query.File:
		text, isText = v.Name, true
	case query.Date:
		if name == "createdAt" || name == "updatedAt" {
			return append(query.AppendTime(append(dst, '"'), v.Time), '"')
		}
	}
	switch {
	case isText && f.Type == schema.Pointer:
		return query.AppendJSON(dst, query.Pointer{ClassName: f.TargetClass, ObjectID: text})
	case isText && f.Type == schema.File:
		return g.r.appendFile(dst, text)
	case isText:
		return query.AppendString(dst, text)
	}
	return query.AppendJSON(dst, v)
}
