package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/rowjson"
)

var _ storage.Analyst = (*snapshot)(nil)

// Distinct implements storage.Analyst.
func (s *snapshot) Distinct(ctx context.Context, f *storage.Find, path query.Path, each func(value any) error) error {
	b, err := s.builder()
	if err != nil {
		return err
	}
	field, err := b.Distinct(dialect{}, f, path)
	if err != nil || b.Empty {
		return err
	}
	return s.rows(ctx, "find the values of "+f.Class.Name, []schema.Field{field}, func(values []any) error { return each(values[0]) })
}

// Aggregate implements storage.Analyst.
func (s *snapshot) Aggregate(ctx context.Context, q *storage.Aggregate, each func(values []any) error) error {
	b, err := s.builder()
	if err != nil {
		return err
	}
	types, err := b.Aggregate(dialect{}, q)
	if err != nil || b.Empty {
		return err
	}
	return s.rows(ctx, "aggregate objects of "+q.Class.Name, types, each)
}

// rows runs the statement that was built, whose columns have these types.
func (s *snapshot) rows(ctx context.Context, what string, types []schema.Field, each func([]any) error) error {
	columns := &rowjson.Plan{Names: make([]string, len(types)), Columns: make([]rowjson.Column, len(types))}
	for i, f := range types {
		columns.Columns[i].Field = f
	}
	p := newPlan(columns)
	v := &values{plan: p}
	out := make([]any, len(types))
	var stopped error
	err := s.query(ctx, s.built.SQL, p.formats, s.built.Args, func(r [][]byte) error {
		v.row = r
		for i := range out {
			out[i] = nil
			if v.Null(i) {
				continue
			}
			if out[i], stopped = v.Value(i, &columns.Columns[i]); stopped != nil {
				stopped = fmt.Errorf("cannot %s: %w", what, stopped)
				return stopped
			}
		}
		stopped = each(out)
		return stopped
	})
	if stopped != nil || err == nil {
		return stopped
	}
	return queryError(what, err)
}

// Explain implements storage.Analyst.
func (s *snapshot) Explain(ctx context.Context, f *storage.Find) ([]byte, error) {
	b, err := s.builder()
	if err != nil {
		return nil, err
	}
	if err := b.Find(dialect{}, f, s.catalog.plan(f.Class).Names); err != nil {
		return nil, err
	}
	if b.Empty {
		return []byte(`[{"Plan":{"Node Type":"Result"}}]`), nil
	}
	var plan bytes.Buffer
	var malformed error
	err = s.query(ctx, append([]byte("EXPLAIN (FORMAT JSON) "), b.SQL...), nil, b.Args, func(r [][]byte) error {
		malformed = json.Compact(&plan, r[0])
		return malformed
	})
	switch {
	case malformed != nil:
		return nil, fmt.Errorf("cannot read the plan of a query: %w", malformed)
	case err != nil:
		return nil, queryError("explain a query", err)
	}
	return plan.Bytes(), nil
}
