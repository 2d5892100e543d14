package decoding

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/parsescale/parsescale/server/query"
)

// Types of columns, by their numbers in every PostgreSQL database.
const (
	oidBool        = 16
	oidText        = 25
	oidJSON        = 114
	oidPoint       = 600
	oidPolygon     = 604
	oidFloat8      = 701
	oidTexts       = 1009
	oidVarchar     = 1043
	oidTimestamptz = 1184
	oidJSONB       = 3802
)

// decodeColumn returns the value of a column, from its text form, as package query wants it. The type of the column decides, and
// for a text what _SCHEMA says of the field. It returns false for what it can't be sure of; the field is then unknown.
func decodeColumn(oid uint32, f field, text []byte) (any, bool) {
	s := string(text)
	switch oid {
	case oidText, oidVarchar:
		switch f.kind {
		case "String":
			return s, true
		case "Pointer":
			return query.Pointer{ClassName: f.target, ObjectID: s}, f.target != ""
		case "File":
			return query.File{Name: s}, true
		}
	case oidBool:
		return s == "t", s == "t" || s == "f"
	case oidFloat8:
		n, err := strconv.ParseFloat(s, 64)
		return n, err == nil
	case oidTimestamptz:
		t, err := time.Parse("2006-01-02 15:04:05.999999-07", s)
		return query.Date{Time: time.UnixMilli(t.UnixMilli()).UTC()}, err == nil
	case oidJSONB, oidJSON:
		v, err := query.Decode(bytes.Clone(text))
		return v, err == nil
	case oidTexts:
		return decodeTexts(s)
	case oidPoint:
		p, rest, ok := decodePoint(s)
		return query.GeoPoint{Longitude: p[0], Latitude: p[1]}, ok && rest == ""
	case oidPolygon:
		return decodePolygon(s)
	}
	return nil, false
}

// decodePoint reads (x,y) and returns what follows it.
func decodePoint(s string) (p [2]float64, rest string, ok bool) {
	inner, rest, ok := strings.Cut(s, ")")
	if !ok || !strings.HasPrefix(inner, "(") {
		return p, "", false
	}
	x, y, ok := strings.Cut(inner[1:], ",")
	if !ok {
		return p, "", false
	}
	var errX, errY error
	p[0], errX = strconv.ParseFloat(x, 64)
	p[1], errY = strconv.ParseFloat(y, 64)
	return p, rest, errX == nil && errY == nil
}

// decodePolygon reads ((x,y),…), where x is the longitude.
func decodePolygon(s string) (any, bool) {
	if len(s) < 2 || s[0] != '(' || s[len(s)-1] != ')' {
		return nil, false
	}
	var out query.Polygon
	for s = s[1 : len(s)-1]; ; s = s[1:] {
		p, rest, ok := decodePoint(s)
		if !ok {
			return nil, false
		}
		out.Coordinates = append(out.Coordinates, [2]float64{p[1], p[0]})
		if s = rest; s == "" {
			return out, true
		}
		if s[0] != ',' {
			return nil, false
		}
	}
}

// decodeTexts reads an array of texts of one dimension: {a,"b c",NULL}. A NULL is left out.
func decodeTexts(s string) (any, bool) {
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' {
		return nil, false
	}
	list := []any{}
	for s = s[1 : len(s)-1]; s != ""; {
		var element string
		if s[0] == '"' {
			var b strings.Builder
			i := 1
			for ; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' {
					if i++; i == len(s) {
						return nil, false
					}
				}
				b.WriteByte(s[i])
			}
			if i >= len(s) {
				return nil, false
			}
			element, s = b.String(), s[i+1:]
			list = append(list, element)
		} else {
			end := strings.IndexByte(s, ',')
			if end < 0 {
				end = len(s)
			}
			element, s = s[:end], s[end:]
			if element == "" || strings.ContainsAny(element, `{}"\`) {
				return nil, false
			}
			if !strings.EqualFold(element, "NULL") {
				list = append(list, element)
			}
		}
		if s == "" {
			break
		}
		if s[0] != ',' || len(s) == 1 {
			return nil, false
		}
		s = s[1:]
	}
	return list, true
}
