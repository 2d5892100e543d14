package postgres

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

// dialect spells queries for PostgreSQL. The zero value is ready.
type dialect struct{}

var _ sqlbuild.Dialect = dialect{}

// AppendTable implements sqlbuild.Dialect.
func (dialect) AppendTable(dst []byte, class string) []byte { return sqlbuild.AppendIdent(dst, class) }

// AppendColumn implements sqlbuild.Dialect.
func (dialect) AppendColumn(dst []byte, _, field string) []byte {
	return sqlbuild.AppendIdent(dst, field)
}

// AppendPlaceholder implements sqlbuild.Dialect. The cast settles how the argument is sent; an Array goes without, for
// its column may be jsonb or text[].
func (dialect) AppendPlaceholder(dst []byte, n int, t schema.Type) []byte {
	dst = strconv.AppendInt(append(dst, '$'), int64(n), 10)
	switch t {
	case schema.Array:
		return dst
	case sqlbuild.Integer:
		return append(dst, "::bigint"...)
	}
	return append(append(dst, "::"...), columnType(schema.Field{Type: t})...)
}

// columnType is the type of a field's column, parse-server's.
func columnType(f schema.Field) string {
	switch f.Type {
	case schema.Number:
		return "double precision"
	case schema.Boolean:
		return "boolean"
	case schema.Date:
		return "timestamp with time zone"
	case schema.GeoPoint:
		return "point"
	case schema.Polygon:
		return "polygon"
	case schema.Object, schema.Bytes:
		return "jsonb"
	case schema.Array:
		if f.Texts {
			return "text[]"
		}
		return "jsonb"
	}
	return "text"
}

// Encode implements sqlbuild.Dialect. ok is also false of what PostgreSQL can't hold: the character NUL, a date outside
// its calendar.
func (dialect) Encode(f schema.Field, v any) (any, bool) {
	switch f.Type {
	case schema.String:
		s, ok := v.(string)
		return encodeText(s, ok)
	case schema.Number:
		n, ok := v.(float64)
		return n, ok
	case schema.Boolean:
		set, ok := v.(bool)
		return set, ok
	case schema.Date:
		d, ok := v.(query.Date)
		return d, ok && d.Year() > -4700 && d.Year() < 290000
	case schema.Pointer:
		p, ok := v.(query.Pointer)
		return encodeText(p.ObjectID, ok)
	case schema.File:
		file, ok := v.(query.File)
		return encodeText(file.Name, ok)
	case schema.GeoPoint:
		p, ok := v.(query.GeoPoint)
		return string(appendPoint(nil, p.Longitude, p.Latitude)), ok
	case schema.Polygon:
		p, ok := v.(query.Polygon)
		return encodePolygon(p), ok && len(p.Coordinates) > 0
	case schema.Array:
		if list, ok := v.([]any); ok && f.Texts {
			return encodeTexts(list)
		}
	}
	got, ok := schema.Infer(v)
	text := query.AppendJSON(nil, v)
	return string(text), ok && got.Type == f.Type && !holdsNUL(text)
}

func encodeText(s string, ok bool) (any, bool) {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return s, ok && strings.IndexByte(s, 0) < 0
}

// storable is a text to look for. One that no column can hold, with which a statement would fail as a whole, becomes one
// that is nowhere.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFF")
}

func encodeTexts(list []any) (any, bool) {
	out := array{kind: typeText, items: make([]any, len(list))}
	for i, v := range list {
		s, ok := v.(string)
		if out.items[i], ok = encodeText(s, ok); !ok {
			return nil, false
		}
	}
	return out, true
}

// holdsNUL reports whether a JSON text has the escape of the character NUL, which jsonb can't hold.
func holdsNUL(text []byte) bool {
	for rest := text; ; {
		i := bytes.Index(rest, []byte(`\u0000`))
		if i < 0 {
			return false
		}
		slashes := 0
		for i-slashes > 0 && rest[i-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return true
		}
		rest = rest[i+len(`\u0000`):]
	}
}

func appendPoint(dst []byte, x, y float64) []byte {
	// Adding 0 turns -0 into 0: equal points have one text.
	dst = strconv.AppendFloat(append(dst, '('), x+0, 'g', -1, 64)
	dst = strconv.AppendFloat(append(dst, ','), y+0, 'g', -1, 64)
	return append(dst, ')')
}

// encodePolygon writes the ring, closed, with longitude before latitude.
func encodePolygon(p query.Polygon) string {
	dst := []byte{'('}
	for i, c := range sqlbuild.CloseRing(p).Coordinates {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendPoint(dst, c[1], c[0])
	}
	return string(append(dst, ')'))
}

// Lower implements sqlbuild.Dialect.
func (dialect) Lower() string { return "LOWER" }

// Readers implements sqlbuild.Dialect.
func (dialect) Readers(b *sqlbuild.Builder, col string, readers []string) {
	b.Raw(col + " IS NULL OR " + col + " && ")
	bind(b, texts(readers), "text[]")
}

// bind binds an argument of the type that is named.
func bind(b *sqlbuild.Builder, arg any, sqlType string) {
	b.Args = append(b.Args, arg)
	b.SQL = strconv.AppendInt(append(b.SQL, '$'), int64(len(b.Args)), 10)
	b.Raw("::" + sqlType)
}

// Equals implements sqlbuild.Dialect.
func (dialect) Equals(b *sqlbuild.Builder, col string, f schema.Field, arg any) {
	if f.Type == schema.GeoPoint || f.Type == schema.Polygon {
		b.Raw(col + " ~= ")
		b.Arg(f.Type, arg)
		return
	}
	b.Raw(col + " = ")
	b.Arg(f.Type, arg)
}

// In implements sqlbuild.Dialect: one array, so that there is one statement whatever the number of values.
func (dialect) In(b *sqlbuild.Builder, col string, f schema.Field, args []any, not bool) {
	kind, sqlType := uint32(typeText), "text[]"
	switch f.Type {
	case schema.Number:
		kind, sqlType = typeFloat8, "double precision[]"
	case schema.Boolean:
		kind, sqlType = typeBool, "boolean[]"
	case schema.Date:
		kind, sqlType = typeTimestamptz, "timestamp with time zone[]"
	case schema.Object, schema.Bytes, schema.Array:
		kind, sqlType = typeJSONB, "jsonb[]"
	case schema.GeoPoint:
		col, sqlType = col+"::text", "text[]::point[]::text[]"
	case schema.Polygon:
		col, sqlType = col+"::text", "text[]::polygon[]::text[]"
	}
	b.Raw(col)
	if not {
		b.Raw(" <> ALL(")
	} else {
		b.Raw(" = ANY(")
	}
	bind(b, array{kind: kind, items: args}, sqlType)
	b.Raw(")")
}

// Regex implements sqlbuild.Dialect. Whether the pattern is one is found out by the database; see queryError.
func (dialect) Regex(b *sqlbuild.Builder, operand func(), pattern, options string) error {
	operand()
	if strings.Contains(options, "i") {
		b.Raw(" ~* ")
	} else {
		b.Raw(" ~ ")
	}
	bind(b, storable(sqlbuild.Pattern(pattern, options)), "text")
	return nil
}
