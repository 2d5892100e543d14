package postgres

import (
	"strconv"

	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

// appendPath appends what is at the path below a column, as jsonb, or with last "->>" as text. As with parse-server a
// number in a path counts the elements of an array and is never the name of a member.
func appendPath(b *sqlbuild.Builder, col string, path []string, last string) {
	b.Raw(col)
	for i, part := range path {
		if i == len(path)-1 {
			b.Raw(" " + last + " ")
		} else {
			b.Raw(" -> ")
		}
		if n, err := strconv.ParseInt(part, 10, 32); err == nil {
			bind(b, strconv.FormatInt(n, 10), "int")
			continue
		}
		bind(b, part, "text")
	}
}

// PathText implements sqlbuild.Dialect.
func (dialect) PathText(b *sqlbuild.Builder, col string, path []string) {
	b.Raw("(")
	appendPath(b, col, path, "->>")
	b.Raw(")")
}

// pathIf is the value as sqlType where it is JSON of the kind, else NULL.
func pathIf(b *sqlbuild.Builder, col string, path []string, kind, sqlType string) {
	b.Raw("CASE WHEN jsonb_typeof(")
	appendPath(b, col, path, "->")
	b.Raw(") = '" + kind + "' THEN (")
	appendPath(b, col, path, "->")
	b.Raw(")::" + sqlType + " END")
}

// PathNumber implements sqlbuild.Dialect.
func (dialect) PathNumber(b *sqlbuild.Builder, col string, path []string) {
	pathIf(b, col, path, "number", "double precision")
}

// NumberText implements sqlbuild.Dialect: jsonb keeps numbers in decimal, without exponent.
func (dialect) NumberText(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// PathBool implements sqlbuild.Dialect.
func (dialect) PathBool(b *sqlbuild.Builder, col string, path []string) {
	pathIf(b, col, path, "boolean", "boolean")
}

// PathExists implements sqlbuild.Dialect.
func (dialect) PathExists(b *sqlbuild.Builder, col string, path []string) {
	b.Raw("(COALESCE(jsonb_typeof(")
	appendPath(b, col, path, "->")
	b.Raw("),'null') <> 'null')")
}

// PathHolds implements sqlbuild.Dialect.
func (dialect) PathHolds(b *sqlbuild.Builder, col string, path []string, values []any) {
	b.Raw("(")
	appendPath(b, col, path, "->")
	b.Raw(") @> ")
	bind(b, jsonValue(values), "jsonb")
}

// PathOrder implements sqlbuild.Dialect.
func (dialect) PathOrder(b *sqlbuild.Builder, col string, path []string, desc bool) {
	b.Raw("(")
	appendPath(b, col, path, "->")
	b.Raw(")" + sqlbuild.Direction(desc))
}

// PathJSON implements sqlbuild.Dialect.
func (dialect) PathJSON(b *sqlbuild.Builder, col string, path []string) {
	b.Raw("NULLIF(")
	appendPath(b, col, path, "->")
	b.Raw(",'null'::jsonb)")
}

// Elements implements sqlbuild.Dialect.
func (dialect) Elements(b *sqlbuild.Builder, arrays func()) {
	b.Raw("SELECT NULLIF(e.v,'null'::jsonb) AS v FROM (")
	arrays()
	b.Raw(") AS r, jsonb_array_elements(CASE jsonb_typeof(r.a) WHEN 'array' THEN r.a END) AS e(v)")
}

// DatePart implements sqlbuild.Dialect.
func (dialect) DatePart(b *sqlbuild.Builder, col, part string) {
	b.Raw("EXTRACT(" + part + " FROM " + col + " AT TIME ZONE 'UTC')::integer::double precision")
}
