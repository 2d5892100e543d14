package sqlite

import (
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

// Distance implements sqlbuild.Dialect.
func (dialect) Distance(b *sqlbuild.Builder, col string, p query.GeoPoint) {
	b.Raw("parse_distance(" + col + ",")
	b.Arg(schema.GeoPoint, json(p))
	b.Raw(")")
}

// InBox implements sqlbuild.Dialect.
func (dialect) InBox(b *sqlbuild.Builder, col string, corner, other query.GeoPoint) {
	b.Raw("parse_in_box(" + col + ",")
	b.Arg(schema.GeoPoint, json(corner))
	b.Raw(",")
	b.Arg(schema.GeoPoint, json(other))
	b.Raw(")")
}

// Inside implements sqlbuild.Dialect.
func (dialect) Inside(b *sqlbuild.Builder, col string, p query.Polygon) {
	b.Raw("parse_inside(" + col + ",")
	b.Arg(schema.Polygon, json(p))
	b.Raw(")")
}

// Covers implements sqlbuild.Dialect.
func (dialect) Covers(b *sqlbuild.Builder, col string, p query.GeoPoint) {
	b.Raw("parse_inside(")
	b.Arg(schema.GeoPoint, json(p))
	b.Raw("," + col + ")")
}
