package storage

import (
	"context"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
)

// Analyst is the part of a Snapshot that answers questions about many objects at once.
type Analyst interface {
	// Distinct calls each for every different value that is at path in the objects of f, in order: the elements of an
	// Array field, what is at a path inside an Object. Missing values don't count. Of f only Schema, Class, Where and
	// Readers matter. A field without a column has no values.
	Distinct(ctx context.Context, f *Find, path query.Path, each func(value any) error) error
	// Aggregate calls each for every group. The values are those of q.Columns; they are good during the call only.
	Aggregate(ctx context.Context, q *Aggregate, each func(values []any) error) error
	// Explain returns the database's plan for a Find as JSON: a list whose one element has the member "Plan".
	Explain(ctx context.Context, f *Find) ([]byte, error)
}

// Aggregate is a SELECT with a GROUP BY.
type Aggregate struct {
	Schema *schema.Schema
	Class  *schema.Class
	Where  query.Expr
	// Columns are what a group's row holds.
	Columns []Aggregated
	// By are the fields the objects are grouped by; none: all make one group.
	By []string
	// Order sorts by columns, counted from 0.
	Order []AggregateOrder
	// Limit is the most rows, negative: no limit. Skip leaves out the first.
	Limit, Skip int
}

// Aggregated is one column: a field, or what a function makes of it.
type Aggregated struct {
	Field string
	// Func is "sum", "avg", "min", "max", "count" (of objects, without a Field), or "" for a field of By itself.
	Func string
	// Part is the part of a date in UTC to show, as SQL's EXTRACT names it, rounded to a whole number; "" for all.
	Part string
}

// AggregateOrder is one term of order.
type AggregateOrder struct {
	Column int
	Desc   bool
}
