package query

import (
	"cmp"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// timeForm is the one form in which dates are written.
const timeForm = "2006-01-02T15:04:05.000Z"

// AppendJSON appends v in the REST API's form. Members of maps are in jsonb order (shorter names first, then
// bytewise), typed values show "__type" first. Strings are written as JSON.stringify does, without HTML escapes, and
// numbers as ECMAScript does; an app's code may have them in any of Go's types. What JSON can't tell (NaN, an infinity, a foreign
// Go type) is null.
func AppendJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(dst, v)
	case float64:
		return appendNumber(dst, v)
	case string:
		return AppendString(dst, v)
	case Date:
		dst = append(dst, `{"__type":"Date","iso":"`...)
		dst = AppendTime(dst, v.Time)
		return append(dst, `"}`...)
	case Pointer:
		dst = append(dst, `{"__type":"Pointer","className":`...)
		dst = AppendString(dst, v.ClassName)
		dst = append(dst, `,"objectId":`...)
		dst = AppendString(dst, v.ObjectID)
		return append(dst, '}')
	case GeoPoint:
		dst = append(dst, `{"__type":"GeoPoint","latitude":`...)
		dst = appendNumber(dst, v.Latitude)
		dst = append(dst, `,"longitude":`...)
		dst = appendNumber(dst, v.Longitude)
		return append(dst, '}')
	case Polygon:
		dst = append(dst, `{"__type":"Polygon","coordinates":[`...)
		for i, p := range v.Coordinates {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendNumber(append(dst, '['), p[0])
			dst = appendNumber(append(dst, ','), p[1])
			dst = append(dst, ']')
		}
		return append(dst, `]}`...)
	case Bytes:
		dst = append(dst, `{"__type":"Bytes","base64":`...)
		return append(AppendString(dst, v.Base64), '}')
	case File:
		dst = append(dst, `{"__type":"File","name":`...)
		dst = AppendString(dst, v.Name)
		if v.URL != "" {
			dst = append(dst, `,"url":`...)
			dst = AppendString(dst, v.URL)
		}
		return append(dst, '}')
	case Relation:
		dst = append(dst, `{"__type":"Relation","className":`...)
		return append(AppendString(dst, v.ClassName), '}')
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendJSON(dst, e)
		}
		return append(dst, ']')
	case map[string]any:
		return appendMap(dst, v)
	case nil:
		return append(dst, "null"...)
	}
	switch n := reflect.ValueOf(v); {
	case n.CanInt():
		return strconv.AppendInt(dst, n.Int(), 10)
	case n.CanUint():
		return strconv.AppendUint(dst, n.Uint(), 10)
	case n.CanFloat():
		return appendNumber(dst, n.Float())
	}
	return append(dst, "null"...)
}

// AppendNames appends the names of members in jsonb order: shorter ones first, then bytewise.
func AppendNames(dst []string, m map[string]any) []string {
	start := len(dst)
	for name := range m {
		dst = append(dst, name)
	}
	slices.SortFunc(dst[start:], func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	return dst
}

func appendMap(dst []byte, m map[string]any) []byte {
	var few [16]string
	dst = append(dst, '{')
	for i, name := range AppendNames(few[:0], m) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, name), ':')
		dst = AppendJSON(dst, m[name])
	}
	return append(dst, '}')
}

// AppendTime appends an instant as the REST API shows it, without quotes: 2006-01-02T15:04:05.000Z.
func AppendTime(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, timeForm)
}

// appendNumber appends a number as ECMAScript's Number::toString does (ECMA-262, 6.1.6.1.20).
func appendNumber(dst []byte, f float64) []byte {
	switch abs := math.Abs(f); {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return append(dst, "null"...)
	case f == 0:
		return append(dst, '0')
	case abs < 1<<53 && f == math.Trunc(f):
		return strconv.AppendInt(dst, int64(f), 10)
	case abs >= 1e-6 && abs < 1e21:
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	// Go writes at least two digits of exponent: 1e-07 is ECMAScript's 1e-7.
	if n := len(dst); n-start >= 4 && dst[n-4] == 'e' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string. Invalid UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\b':
				dst = append(dst, '\\', 'b')
			case '\f':
				dst = append(dst, '\\', 'f')
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\uFFFD"...)
			start = i + 1
		}
		i += n
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
