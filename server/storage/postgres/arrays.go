package postgres

import (
	"strings"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

// asJSON is an array column as jsonb: the halves of an ACL are text[].
func asJSON(col string) string {
	if strings.HasSuffix(col, `"_rperm"`) || strings.HasSuffix(col, `"_wperm"`) {
		return "to_jsonb(" + col + ")"
	}
	return col
}

// elements opens a condition on the elements e of an array, NULL where there is no array; the caller closes it with
// endElements.
func elements(b *sqlbuild.Builder, col, exists string) {
	b.Raw("CASE WHEN jsonb_typeof(" + col + ") = 'array' THEN " + exists + " (SELECT 1 FROM jsonb_array_elements(" + col + ") AS e WHERE ")
}

func endElements(b *sqlbuild.Builder) { b.Raw(") END") }

// jsonValue is a JSON text to bind. It never holds NUL, with which a statement would fail as a whole: such a value
// becomes one that is nowhere.
func jsonValue(v any) string {
	text := query.AppendJSON(nil, v)
	if holdsNUL(text) {
		text = []byte(strings.ReplaceAll(string(text), `\u0000`, `\uffff`))
	}
	return string(text)
}

// ArrayAny implements sqlbuild.Dialect. For scalars jsonb's containment is the same as equality of an element, and
// cheaper.
func (dialect) ArrayAny(b *sqlbuild.Builder, col string, values []any) {
	col = asJSON(col)
	items, scalars := make([]any, len(values)), true
	for i, v := range values {
		items[i] = jsonValue(v)
		switch v.(type) {
		case nil, string, float64, bool:
		default:
			scalars = false
		}
	}
	if scalars && len(items) > 0 {
		for i := range items {
			items[i] = "[" + items[i].(string) + "]"
		}
		b.Raw(col + " @> ANY(")
		bind(b, array{kind: typeJSONB, items: items}, "jsonb[]")
		b.Raw(")")
		return
	}
	elements(b, col, "EXISTS")
	b.Raw("e.value = ANY(")
	bind(b, array{kind: typeJSONB, items: items}, "jsonb[]")
	b.Raw(")")
	endElements(b)
}

// countTexts opens "as many elements as n whose text …", with e as the text; the caller closes it with "))".
func countTexts(b *sqlbuild.Builder, col string, n int) {
	b.Raw("CASE WHEN jsonb_typeof(" + col + ") = 'array' THEN ")
	b.Arg(sqlbuild.Integer, int64(n))
	b.Raw(" = (SELECT count(*) FROM jsonb_array_elements_text(" + col + ") AS e(v) WHERE ")
}

// ArrayAll implements sqlbuild.Dialect.
func (dialect) ArrayAll(b *sqlbuild.Builder, col string, values []any) {
	countTexts(b, asJSON(col), len(values))
	b.Raw("e.v IN (SELECT jsonb_array_elements_text(")
	bind(b, jsonValue(values), "jsonb")
	b.Raw("))) END")
}

// ArrayPrefix implements sqlbuild.Dialect.
func (dialect) ArrayPrefix(b *sqlbuild.Builder, col string, prefixes []string) {
	countTexts(b, asJSON(col), len(prefixes))
	list := texts(prefixes)
	for i, p := range prefixes {
		list.items[i] = storable(p)
	}
	b.Raw("EXISTS (SELECT 1 FROM unnest(")
	bind(b, list, "text[]")
	b.Raw(") AS p(v) WHERE starts_with(e.v, p.v))) END")
}

// ArrayWithin implements sqlbuild.Dialect.
func (dialect) ArrayWithin(b *sqlbuild.Builder, col string, values []any) {
	b.Raw(asJSON(col) + " <@ ")
	bind(b, jsonValue(values), "jsonb")
}

// ArrayAnyOf implements sqlbuild.Dialect.
func (dialect) ArrayAnyOf(b *sqlbuild.Builder, col string, f schema.Field, sub string) {
	elements(b, asJSON(col), "EXISTS")
	switch f.Type {
	case schema.String, schema.Number, schema.Boolean:
		b.Raw("e.value IN (SELECT to_jsonb(v) FROM " + sub + ")")
	case schema.Pointer:
		b.Raw("e.value IN (SELECT jsonb_build_object('__type','Pointer','className',")
		bind(b, f.TargetClass, "text")
		b.Raw(",'objectId',v) FROM " + sub + ")")
	default:
		b.Raw("FALSE")
	}
	endElements(b)
}
