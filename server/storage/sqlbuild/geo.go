package sqlbuild

import (
	"math"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
)

// place appends a condition on a column of a type of geometry. Other columns have no place, and a place inside a JSON
// column isn't looked for.
func (b *Builder) place(path query.Path, want schema.Type, condition func(col string)) {
	t, ok := b.resolve(path)
	switch {
	case !ok:
	case t.path != nil || t.field.Type != want:
		b.Raw("FALSE")
	default:
		condition(t.col)
	}
}

func (b *Builder) near(e *query.Near) {
	b.place(e.Path, schema.GeoPoint, func(col string) {
		if math.IsInf(e.Metres, 1) {
			b.Raw(col + " IS NOT NULL")
			return
		}
		b.dialect.Distance(b, col, e.Point)
		b.Raw(" <= ")
		b.Arg(schema.Number, e.Metres)
	})
}

// nearest returns the conditions of a where that have the results sorted by distance.
func nearest(e query.Expr, list []*query.Near) []*query.Near {
	switch e := e.(type) {
	case query.And:
		for _, term := range e {
			list = nearest(term, list)
		}
	case *query.Near:
		if e.Sort {
			list = append(list, e)
		}
	}
	return list
}
