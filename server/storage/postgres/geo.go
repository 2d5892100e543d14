package postgres

import (
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

// Distance implements sqlbuild.Dialect.
func (dialect) Distance(b *sqlbuild.Builder, col string, p query.GeoPoint) {
	b.Raw("ST_DistanceSphere(" + col + "::geometry, ")
	bindPoint(b, p)
	b.Raw("::geometry)")
}

func bindPoint(b *sqlbuild.Builder, p query.GeoPoint) {
	b.Arg(schema.GeoPoint, string(appendPoint(nil, p.Longitude, p.Latitude)))
}

// InBox implements sqlbuild.Dialect.
func (dialect) InBox(b *sqlbuild.Builder, col string, corner, other query.GeoPoint) {
	b.Raw(col + " <@ box(")
	bindPoint(b, corner)
	b.Raw(",")
	bindPoint(b, other)
	b.Raw(")")
}

// Inside implements sqlbuild.Dialect.
func (dialect) Inside(b *sqlbuild.Builder, col string, p query.Polygon) {
	b.Raw(col + " <@ ")
	b.Arg(schema.Polygon, encodePolygon(p))
}

// Covers implements sqlbuild.Dialect.
func (dialect) Covers(b *sqlbuild.Builder, col string, p query.GeoPoint) {
	b.Raw(col + " @> ")
	bindPoint(b, p)
}
