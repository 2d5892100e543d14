package sqlbuild

import (
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
)

// Integer is the type of arguments that aren't compared with a column: a limit, a count.
const Integer schema.Type = "integer"

// Dialect is how one database spells what a query means. Its methods append SQL to the Builder they are given; col is
// the SQL of a column, as Builder.Column returns it.
//
// The conditions on arrays are NULL where the array is, as every comparison with NULL is.
type Dialect interface {
	// AppendTable and AppendColumn append the quoted name under which the database knows a class and a field.
	AppendTable(dst []byte, class string) []byte
	AppendColumn(dst []byte, class, field string) []byte
	// AppendPlaceholder appends the reference to argument n, counted from 1, that is compared with a column of type t.
	AppendPlaceholder(dst []byte, n int, t schema.Type) []byte
	// Encode returns what the driver takes for v in a column of field f; ok is false when v has another type.
	// v isn't nil.
	Encode(f schema.Field, v any) (arg any, ok bool)
	// Readers is true of rows whose column col, an _rperm, is NULL or holds one of readers.
	Readers(b *Builder, col string, readers []string)
	// Lower names the function that turns text into lower case, in every script.
	Lower() string
	// Equals: the column holds the value that Encode made arg of; a GeoPoint or Polygon one that is the same within
	// PostgreSQL's tolerance. It isn't asked about arrays.
	Equals(b *Builder, col string, f schema.Field, arg any)
	// In: the column holds one of the values that Encode made args of, or with not, holds another one.
	In(b *Builder, col string, f schema.Field, args []any, not bool)
	// ArrayAny: the array holds one of values. ArrayAll: it holds as many elements whose text is that of one of values
	// as there are values. ArrayPrefix: the same for elements that start with one of prefixes. ArrayWithin: each of its
	// elements is contained in values, as jsonb's <@ sees it.
	ArrayAny(b *Builder, col string, values []any)
	ArrayAll(b *Builder, col string, values []any)
	ArrayPrefix(b *Builder, col string, prefixes []string)
	ArrayWithin(b *Builder, col string, values []any)
	// ArrayAnyOf: the array holds one of the values of column v of the table expression sub, which are those of a
	// column of field f.
	ArrayAnyOf(b *Builder, col string, f schema.Field, sub string)
	// PathText is the value at the path below the column as text (jsonb's ->>), PathNumber and PathBool the value as
	// such when it has that type, else NULL. PathExists is true where something is at the path. PathHolds: what is at
	// the path contains the array of values, as jsonb's @> sees it.
	PathText(b *Builder, col string, path []string)
	PathNumber(b *Builder, col string, path []string)
	// NumberText is what PathText makes of a number.
	NumberText(v float64) string
	PathBool(b *Builder, col string, path []string)
	PathExists(b *Builder, col string, path []string)
	PathHolds(b *Builder, col string, path []string, values []any)
	// PathOrder appends terms of ORDER BY that sort as jsonb does; path is empty for the column itself.
	PathOrder(b *Builder, col string, path []string, desc bool)
	// PathJSON is the value at the path below the column as JSON, NULL when there is none or it is null. Elements is
	// the SELECT, as a column v, of the elements as JSON of the arrays that another SELECT yields as a column a.
	PathJSON(b *Builder, col string, path []string)
	Elements(b *Builder, arrays func())
	// DatePart is a part of a Date column in UTC, by its name in EXTRACT, rounded to a whole number.
	DatePart(b *Builder, col, part string)
	// Distance is how many metres a GeoPoint column is from a point over PostGIS's sphere. InBox and Inside: the point
	// is in a box, in a polygon; Covers: the Polygon of the column has a point in it.
	Distance(b *Builder, col string, p query.GeoPoint)
	InBox(b *Builder, col string, corner, other query.GeoPoint)
	Inside(b *Builder, col string, p query.Polygon)
	Covers(b *Builder, col string, p query.GeoPoint)
	// Text: the column of field f, a text or JSON with texts in it, matches a term of full text search. A bad term is an
	// error with parse-server's code. TextRank is how well it does, from 0 to 1.
	Text(b *Builder, f schema.Field, col string, language, term string) error
	TextRank(b *Builder, f schema.Field, col string, language, term string)
	// Regex: the text that operand appends matches the pattern. A bad pattern is an error with parse-server's code.
	Regex(b *Builder, operand func(), pattern, options string) error
}
