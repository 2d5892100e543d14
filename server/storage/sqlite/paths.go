package sqlite

import (
	"strconv"
	"strings"

	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

// jsonPath is the SQLite JSON path of components that are words: digits are an index of an array, the rest names.
func jsonPath(path []string) string {
	dst := []byte{'$'}
	for _, part := range path {
		if n, err := strconv.ParseUint(part, 10, 31); err == nil {
			dst = append(strconv.AppendUint(append(dst, '['), n, 10), ']')
			continue
		}
		dst = append(append(append(dst, '.', '"'), part...), '"')
	}
	return string(dst)
}

// bindPath binds the path and returns the SQL that refers to it any number of times.
func bindPath(b *sqlbuild.Builder, path []string) string {
	b.Args = append(b.Args, jsonPath(path))
	return "?" + strconv.Itoa(len(b.Args))
}

// authID returns the expression that the index of an auth provider's ids is on, if the path leads to such an id. Of an
// expression with parameters SQLite couldn't tell that it is the same.
func authID(col string, path []string) (string, bool) {
	if !strings.HasSuffix(col, `"authData"`) || len(path) != 2 || path[1] != "id" || !schema.ValidFieldName(path[0], "") {
		return "", false
	}
	return `json_extract(` + col + `,'$."` + path[0] + `"."id"')`, true
}

// PathText implements sqlbuild.Dialect.
func (dialect) PathText(b *sqlbuild.Builder, col string, path []string) {
	if expr, ok := authID(col, path); ok {
		b.Raw(expr)
		return
	}
	p := bindPath(b, path)
	b.Raw("CASE json_type(" + col + "," + p + ") WHEN 'text' THEN " + col + " ->> " + p + " WHEN 'null' THEN NULL ELSE " + col + " -> " + p + " END")
}

// PathNumber implements sqlbuild.Dialect.
func (dialect) PathNumber(b *sqlbuild.Builder, col string, path []string) {
	p := bindPath(b, path)
	b.Raw("CASE WHEN json_type(" + col + "," + p + ") IN ('integer','real') THEN " + col + " ->> " + p + " END")
}

// NumberText implements sqlbuild.Dialect.
func (dialect) NumberText(v float64) string { return json(v) }

// PathBool implements sqlbuild.Dialect.
func (dialect) PathBool(b *sqlbuild.Builder, col string, path []string) {
	p := bindPath(b, path)
	b.Raw("CASE json_type(" + col + "," + p + ") WHEN 'true' THEN 1 WHEN 'false' THEN 0 END")
}

// PathExists implements sqlbuild.Dialect.
func (dialect) PathExists(b *sqlbuild.Builder, col string, path []string) {
	p := bindPath(b, path)
	b.Raw("(COALESCE(json_type(" + col + "," + p + "),'null') <> 'null')")
}

// PathHolds implements sqlbuild.Dialect.
func (dialect) PathHolds(b *sqlbuild.Builder, col string, path []string, values []any) {
	p := bindPath(b, path)
	b.Raw("parse_jsonb_contains(" + col + " -> " + p + ",")
	b.Arg(schema.Array, json(values))
	b.Raw(")")
}

// PathOrder implements sqlbuild.Dialect: by type, then by number of members, then by value.
func (dialect) PathOrder(b *sqlbuild.Builder, col string, path []string, desc bool) {
	p := bindPath(b, path)
	dir := sqlbuild.Direction(desc)
	b.Raw("CASE json_type(" + col + "," + p + ") WHEN 'null' THEN 0 WHEN 'text' THEN 1 WHEN 'integer' THEN 2 WHEN 'real' THEN 2" +
		" WHEN 'false' THEN 3 WHEN 'true' THEN 3 WHEN 'array' THEN 4 WHEN 'object' THEN 5 END" + dir +
		",(SELECT count(*) FROM json_each(" + col + "," + p + "))" + dir + "," + col + " ->> " + p + dir)
}

// PathJSON implements sqlbuild.Dialect.
func (dialect) PathJSON(b *sqlbuild.Builder, col string, path []string) {
	b.Raw("NULLIF(" + col + " -> " + bindPath(b, path) + ",'null')")
}

// Elements implements sqlbuild.Dialect.
func (dialect) Elements(b *sqlbuild.Builder, arrays func()) {
	b.Raw("SELECT r.a -> e.fullkey AS v FROM (")
	arrays()
	b.Raw(") AS r, json_each(r.a) AS e WHERE e.type <> 'null'")
}

// DatePart implements sqlbuild.Dialect.
func (dialect) DatePart(b *sqlbuild.Builder, col, part string) {
	b.Raw("parse_date_part(")
	b.Arg(schema.String, part)
	b.Raw("," + col + ")")
}
