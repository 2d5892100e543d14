package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/rowjson"
)

var _ storage.Analyst = (*snapshot)(nil)

// Distinct implements storage.Analyst.
func (s *snapshot) Distinct(ctx context.Context, f *storage.Find, path query.Path, each func(value any) error) error {
	field, err := s.conn.builder.Distinct(dialect{s.catalog}, f, path)
	if err != nil || s.conn.builder.Empty {
		return err
	}
	return s.rows(ctx, "find the values of "+f.Class.Name, []schema.Field{field}, func(values []any) error { return each(values[0]) })
}

// Aggregate implements storage.Analyst.
func (s *snapshot) Aggregate(ctx context.Context, q *storage.Aggregate, each func(values []any) error) error {
	types, err := s.conn.builder.Aggregate(dialect{s.catalog}, q)
	if err != nil || s.conn.builder.Empty {
		return err
	}
	return s.rows(ctx, "aggregate objects of "+q.Class.Name, types, each)
}

// rows runs the statement that was built, whose columns have these types.
func (s *snapshot) rows(ctx context.Context, what string, types []schema.Field, each func([]any) error) error {
	p := &rowjson.Plan{Names: make([]string, len(types)), Columns: make([]rowjson.Column, len(types))}
	for i, f := range types {
		p.Columns[i].Field = f
	}
	if s.writing {
		ctx = context.Background()
	}
	cur, err := s.conn.query(ctx, s.conn.builder.SQL, s.conn.builder.Args, max(len(types), 1))
	if err != nil {
		return s.failed(ctx, what, err)
	}
	defer cur.close()
	v := &values{plan: newPlan(p), row: cur.row}
	out := make([]any, len(types))
	for {
		ok, err := cur.next()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return s.failed(ctx, what, err)
		}
		if !ok {
			return nil
		}
		for i := range out {
			out[i] = nil
			if v.Null(i) {
				continue
			}
			if out[i], err = v.Value(i, &p.Columns[i]); err != nil {
				return fmt.Errorf("cannot %s: %w", what, err)
			}
		}
		if err := each(out); err != nil {
			return err
		}
	}
}

// Explain implements storage.Analyst: SQLite's query plan in the form of PostgreSQL's.
func (s *snapshot) Explain(_ context.Context, f *storage.Find) ([]byte, error) {
	p := s.catalog.plan(f.Class)
	b := &s.conn.builder
	if err := b.Find(dialect{s.catalog}, f, p.Names); err != nil {
		return nil, err
	}
	if b.Empty {
		return []byte(`[{"Plan":{"Node Type":"Result"}}]`), nil
	}
	nodes := map[int64]map[string]any{}
	root := map[string]any{"Node Type": "Query"}
	nodes[0] = root
	err := s.conn.each("EXPLAIN QUERY PLAN "+string(b.SQL), 4, b.Args, func(row []driver.Value) error {
		id, _ := row[0].(int64)
		parent, _ := row[1].(int64)
		detail, _ := row[3].(string)
		node := map[string]any{"Node Type": detail}
		nodes[id] = node
		if nodes[parent] == nil {
			parent = 0
		}
		plans, _ := nodes[parent]["Plans"].([]any)
		nodes[parent]["Plans"] = append(plans, node)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot explain a query: %w", err)
	}
	return query.AppendJSON(nil, []any{map[string]any{"Plan": root}}), nil
}
