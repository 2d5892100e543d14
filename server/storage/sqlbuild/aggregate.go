package sqlbuild

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// Aggregate builds the SELECT of an aggregation. types are those of its columns. What PostgreSQL can't do it refuses
// with the same words.
func (b *Builder) Aggregate(d Dialect, q *storage.Aggregate) (types []schema.Field, err error) {
	b.start(d, &storage.Find{Schema: q.Schema, Class: q.Class})
	types = make([]schema.Field, len(q.Columns))
	b.Raw("SELECT ")
	for i, c := range q.Columns {
		if i > 0 {
			b.Raw(",")
		}
		types[i] = b.aggregated(c)
		b.Raw(" AS c" + strconv.Itoa(i))
	}
	if len(q.Columns) == 0 {
		b.Raw("NULL")
	}
	b.from(q.Where)
	sep := " GROUP BY "
	for _, name := range q.By {
		if f, ok := b.field(name); ok && b.groups(f) {
			b.Raw(sep)
			b.appendColumn(name)
			sep = ","
		}
	}
	sep = " ORDER BY "
	for _, o := range q.Order {
		b.Raw(sep + "c" + strconv.Itoa(o.Column) + Direction(o.Desc))
		sep = ","
	}
	b.limit(q.Limit, q.Skip)
	return types, b.finish()
}

// field finds a field's column; an aggregation that names none is refused.
func (b *Builder) field(name string) (schema.Field, bool) {
	f, ok := b.scope.class.Column(name)
	if !ok {
		b.refuse("column %q does not exist", name)
	}
	return f, ok
}

func (b *Builder) refuse(format string, args ...any) {
	b.fail(&storage.Unsupported{Code: codeInvalidQuery, Message: fmt.Sprintf(format, args...)})
}

// aggregated appends a column and returns its type.
func (b *Builder) aggregated(c storage.Aggregated) schema.Field {
	number := schema.Field{Type: schema.Number}
	if c.Func == "count" {
		b.Raw("CAST(count(*) AS double precision)")
		return number
	}
	f, ok := b.field(c.Field)
	if !ok {
		return f
	}
	col := b.Column(c.Field)
	switch {
	case c.Part != "" && !dateParts[c.Part]:
		b.fail(fmt.Errorf("cannot take the part %q of a date", c.Part))
	case c.Part != "" && f.Type != schema.Date:
		b.refuse("$%s can only be used with Date field", c.Part)
	case c.Part != "":
		b.dialect.DatePart(b, col, c.Part)
		return number
	case c.Func == "":
		b.Raw(col)
	case (c.Func == "sum" || c.Func == "avg") && f.Type != schema.Number,
		!ordered(f.Type), f.Type == schema.Boolean:
		b.refuse("function %s(%s) does not exist", c.Func, postgresType(f.Type))
	default:
		b.Raw(c.Func + "(" + col + ")")
	}
	return f
}

// dateParts are the parts of a date that can be asked for.
var dateParts = map[string]bool{
	"DAY": true, "DOW": true, "DOY": true, "ISODOW": true, "ISOYEAR": true, "HOUR": true, "MINUTE": true, "SECOND": true,
	"MILLISECONDS": true, "MONTH": true, "WEEK": true, "YEAR": true,
}

// groups reports whether values of a type can be told apart, and refuses if not.
func (b *Builder) groups(f schema.Field) bool {
	if f.Type == schema.GeoPoint || f.Type == schema.Polygon {
		b.refuse("could not identify an equality operator for type %s", postgresType(f.Type))
		return false
	}
	return true
}

// postgresType is a type's name in messages.
func postgresType(t schema.Type) string {
	switch t {
	case schema.String, schema.Pointer, schema.File:
		return "text"
	case schema.Number:
		return "double precision"
	case schema.Date:
		return "timestamp with time zone"
	case schema.Boolean:
		return "boolean"
	case schema.GeoPoint:
		return "point"
	case schema.Polygon:
		return "polygon"
	}
	return "jsonb"
}

// Distinct builds the SELECT of the different values at a path, in order, and returns their type: that of the column, or
// Object for JSON, which comes as text.
func (b *Builder) Distinct(d Dialect, f *storage.Find, path query.Path) (schema.Field, error) {
	b.start(d, f)
	root := path.Root()
	field, ok := f.Class.Column(root)
	if !ok {
		b.Empty = true
		return field, nil
	}
	json := schema.Field{Type: schema.Object}
	switch t := (target{field: field}); {
	case len(root) < len(path):
		if !t.json() {
			b.refuse("operator does not exist: %s -> unknown", postgresType(field.Type))
			return json, b.err
		}
		b.distinct(func() { b.dialect.PathJSON(b, b.Column(root), strings.Split(string(path[len(root)+1:]), ".")) }, f.Where)
		return json, b.finish()
	case field.Type == schema.Array:
		b.Raw("SELECT DISTINCT v FROM (")
		b.dialect.Elements(b, func() {
			b.Raw("SELECT ")
			b.appendColumn(root)
			b.Raw(" AS a")
			b.from(f.Where)
		})
		b.Raw(") AS s WHERE v IS NOT NULL ORDER BY v")
		return json, b.finish()
	case !b.groups(field):
		return field, b.err
	}
	b.distinct(func() { b.appendColumn(root) }, f.Where)
	return field, b.finish()
}

func (b *Builder) distinct(value func(), where query.Expr) {
	b.Raw("SELECT DISTINCT v FROM (SELECT ")
	value()
	b.Raw(" AS v")
	b.from(where)
	b.Raw(") AS s WHERE v IS NOT NULL ORDER BY v")
}
