package sqlite

import (
	"strconv"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

// dialect spells queries for SQLite. Its catalog knows the names of tables and columns.
type dialect struct{ *catalog }

var _ sqlbuild.Dialect = dialect{}

// AppendPlaceholder implements sqlbuild.Dialect.
func (dialect) AppendPlaceholder(dst []byte, n int, _ schema.Type) []byte {
	return strconv.AppendInt(append(dst, '?'), int64(n), 10)
}

// columnType is the declared type of a field's column. The tables are STRICT, so that a value never changes its type.
func columnType(t schema.Type) string {
	switch t {
	case schema.Number:
		return "REAL"
	case schema.Boolean, schema.Date:
		return "INTEGER"
	}
	return "TEXT"
}

// Encode implements sqlbuild.Dialect: a Date is its milliseconds since 1970, so that it compares as a number; a Boolean
// is 0 or 1; a Pointer is the id and a File the name; the rest is JSON in the one form query.AppendJSON gives it, so that
// equal values are equal texts.
func (dialect) Encode(f schema.Field, v any) (any, bool) {
	switch f.Type {
	case schema.String:
		s, ok := v.(string)
		return s, ok
	case schema.Number:
		n, ok := v.(float64)
		return n, ok
	case schema.Boolean:
		set, ok := v.(bool)
		if set {
			return int64(1), ok
		}
		return int64(0), ok
	case schema.Date:
		d, ok := v.(query.Date)
		return d.UnixMilli(), ok
	case schema.Pointer:
		p, ok := v.(query.Pointer)
		return p.ObjectID, ok
	case schema.File:
		file, ok := v.(query.File)
		return file.Name, ok
	case schema.Polygon:
		p, ok := v.(query.Polygon)
		return json(sqlbuild.CloseRing(p)), ok
	}
	got, ok := schema.Infer(v)
	return json(v), ok && got.Type == f.Type
}

func json(v any) string { return string(query.AppendJSON(nil, v)) }

// Lower is a function of our own: SQLite's folds ASCII only, and one user could pass for another.
func (dialect) Lower() string { return "parse_lower" }

// Readers implements sqlbuild.Dialect.
func (d dialect) Readers(b *sqlbuild.Builder, col string, readers []string) {
	args := make([]any, len(readers))
	for i, r := range readers {
		args[i] = r
	}
	b.Raw(col + " IS NULL OR EXISTS (SELECT 1 FROM json_each(" + col + ") AS e WHERE ")
	d.In(b, "e.value", schema.Field{Type: schema.String}, args, false)
	b.Raw(")")
}

// Equals implements sqlbuild.Dialect.
func (dialect) Equals(b *sqlbuild.Builder, col string, f schema.Field, arg any) {
	if f.Type == schema.GeoPoint || f.Type == schema.Polygon {
		b.Raw("parse_same(" + col + ",")
		b.Arg(f.Type, arg)
		b.Raw(")")
		return
	}
	b.Raw(col + " = ")
	b.Arg(f.Type, arg)
}

// An IN spells out up to maxInline values; more come as one JSON array, so that statements stay few and short. So do all
// when the statement has maxArgs arguments: SQLite allows 32,766.
const (
	maxInline = 8
	maxArgs   = 8000
)

// In implements sqlbuild.Dialect.
func (dialect) In(b *sqlbuild.Builder, col string, f schema.Field, args []any, not bool) {
	b.Raw(col)
	if not {
		b.Raw(" NOT")
	}
	// A number's text is read back by SQLite with its own rounding, so numbers are bound as they are while that's possible.
	if len(b.Args) < maxArgs && (len(args) <= maxInline || f.Type == schema.Number && len(args) <= 1000) {
		b.Raw(" IN (")
		for i, a := range args {
			if i > 0 {
				b.Raw(",")
			}
			b.Arg(f.Type, a)
		}
		b.Raw(")")
		return
	}
	list := append(make([]byte, 0, 16*len(args)), '[')
	for i, a := range args {
		if i > 0 {
			list = append(list, ',')
		}
		switch a := a.(type) {
		case string:
			list = query.AppendString(list, a)
		case int64:
			list = strconv.AppendInt(list, a, 10)
		case float64:
			list = query.AppendJSON(list, a)
		}
	}
	b.Raw(" IN (SELECT value FROM json_each(")
	b.Arg(schema.Array, string(append(list, ']')))
	b.Raw("))")
}

// elements opens "EXISTS over the elements of the array", NULL for a NULL array; the caller appends the condition on e
// and closes with endElements.
func elements(b *sqlbuild.Builder, col, exists string) {
	b.Raw("CASE WHEN " + col + " NOTNULL THEN " + exists + " (SELECT 1 FROM json_each(" + col + ") AS e WHERE ")
}

func endElements(b *sqlbuild.Builder) { b.Raw(") END") }

// ArrayAny implements sqlbuild.Dialect.
func (d dialect) ArrayAny(b *sqlbuild.Builder, col string, values []any) {
	elements(b, col, "EXISTS")
	elementIn(b, values)
	endElements(b)
}

// elementIn is true of an element e, a row of json_each, that equals one of values. Elements compare by type and value;
// composite ones as JSON text.
func elementIn(b *sqlbuild.Builder, values []any) {
	var texts, numbers, composites []any
	var kinds string
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			kinds += " OR e.type='null'"
		case string:
			texts = append(texts, v)
		case float64:
			numbers = append(numbers, v)
		case bool:
			kinds += " OR e.type='" + strconv.FormatBool(v) + "'"
		default:
			composites = append(composites, v)
		}
	}
	b.Raw("(FALSE" + kinds)
	if len(texts) == 1 {
		b.Raw(" OR e.type='text' AND e.value=")
		b.Arg(schema.String, texts[0])
	} else {
		elementOf(b, "e.type='text'", texts)
	}
	// Both sides of these are texts that SQLite reads, so that its rounding is the same for both.
	elementOf(b, "e.type IN ('integer','real')", numbers)
	elementOf(b, "e.type IN ('object','array')", composites)
	b.Raw(")")
}

func elementOf(b *sqlbuild.Builder, kind string, values []any) {
	if len(values) == 0 {
		return
	}
	b.Raw(" OR " + kind + " AND e.value IN (SELECT value FROM json_each(")
	b.Arg(schema.Array, json(values))
	b.Raw("))")
}

// elementText is the text of an element as jsonb_array_elements_text gives it; NULL for a null.
func elementText(col string) string {
	return "CASE e.type WHEN 'text' THEN e.value WHEN 'null' THEN NULL ELSE " + col + " -> e.fullkey END"
}

// ArrayAll implements sqlbuild.Dialect.
func (dialect) ArrayAll(b *sqlbuild.Builder, col string, values []any) {
	texts := make([]any, len(values))
	for i, v := range values {
		if s, ok := v.(string); ok {
			texts[i] = s
		} else {
			texts[i] = json(v)
		}
	}
	b.Raw("CASE WHEN " + col + " NOTNULL THEN (SELECT count(*) FROM json_each(" + col + ") AS e WHERE " + elementText(col) +
		" IN (SELECT value FROM json_each(")
	b.Arg(schema.Array, json(texts))
	b.Raw("))) = ")
	b.Arg(sqlbuild.Integer, int64(len(values)))
	b.Raw(" END")
}

// ArrayPrefix implements sqlbuild.Dialect.
func (dialect) ArrayPrefix(b *sqlbuild.Builder, col string, prefixes []string) {
	list := make([]any, len(prefixes))
	for i, p := range prefixes {
		list[i] = p
	}
	b.Raw("CASE WHEN " + col + " NOTNULL THEN (SELECT count(*) FROM json_each(" + col + ") AS e WHERE EXISTS (SELECT 1 FROM json_each(")
	b.Arg(schema.Array, json(list))
	b.Raw(") AS p WHERE substr(" + elementText(col) + ",1,length(p.value)) = p.value)) = ")
	b.Arg(sqlbuild.Integer, int64(len(prefixes)))
	b.Raw(" END")
}

// ArrayWithin implements sqlbuild.Dialect.
func (dialect) ArrayWithin(b *sqlbuild.Builder, col string, values []any) {
	for _, v := range values {
		switch v.(type) {
		case nil, string, float64, bool:
		default:
			b.Raw("parse_jsonb_contains(")
			b.Arg(schema.Array, json(values))
			b.Raw("," + col + ")")
			return
		}
	}
	elements(b, col, "NOT EXISTS")
	b.Raw("NOT ")
	elementIn(b, values)
	endElements(b)
}

// ArrayAnyOf implements sqlbuild.Dialect.
func (dialect) ArrayAnyOf(b *sqlbuild.Builder, col string, f schema.Field, sub string) {
	elements(b, col, "EXISTS")
	switch f.Type {
	case schema.String:
		b.Raw("e.type='text' AND e.value IN (SELECT v FROM " + sub + ")")
	case schema.Number:
		b.Raw("e.type IN ('integer','real') AND e.value IN (SELECT v FROM " + sub + ")")
	case schema.Boolean:
		b.Raw("e.type IN ('true','false') AND e.value IN (SELECT v FROM " + sub + ")")
	case schema.Pointer:
		// The text of the pointer as query.AppendJSON writes it.
		b.Raw(`e.type='object' AND e.value IN (SELECT `)
		b.Arg(schema.String, `{"__type":"Pointer","className":`+json(f.TargetClass)+`,"objectId":`)
		b.Raw(" || json_quote(v) || '}' FROM " + sub + ")")
	default:
		b.Raw("FALSE")
	}
	endElements(b)
}
