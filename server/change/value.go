package change

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/parsescale/parsescale/server/query"
)

// maxDepth bounds how deep values are nested; query.Decode stops at the same depth.
const maxDepth = 100

// Tags of encoded values.
const (
	tagNil byte = iota
	tagFalse
	tagTrue
	tagFloat // IEEE bits, big-endian
	tagInt   // a whole number: zigzag varint
	tagString
	tagDate // milliseconds since 1970: zigzag varint
	tagPointer
	tagGeoPoint
	tagPolygon
	tagBytes
	tagFile
	tagRelation
	tagArray
	tagMap
)

// appendValue appends a REST value. It returns false, with an undefined part of the value appended, for any other
// value and for one nested too deep.
func appendValue(dst []byte, v any, depth int) ([]byte, bool) {
	if depth > maxDepth {
		return dst, false
	}
	switch v := v.(type) {
	case nil:
		return append(dst, tagNil), true
	case bool:
		if v {
			return append(dst, tagTrue), true
		}
		return append(dst, tagFalse), true
	case float64:
		// -0 is a whole number too, but has no integer form.
		if i := int64(v); float64(i) == v && i > -1<<53 && i < 1<<53 && (i != 0 || !math.Signbit(v)) {
			return binary.AppendVarint(append(dst, tagInt), i), true
		}
		return appendFloat(append(dst, tagFloat), v), true
	case string:
		return appendString(append(dst, tagString), v), true
	case query.Date:
		return binary.AppendVarint(append(dst, tagDate), v.UnixMilli()), true
	case query.Pointer:
		return appendString(appendString(append(dst, tagPointer), v.ClassName), v.ObjectID), true
	case query.GeoPoint:
		return appendFloat(appendFloat(append(dst, tagGeoPoint), v.Latitude), v.Longitude), true
	case query.Polygon:
		dst = binary.AppendUvarint(append(dst, tagPolygon), uint64(len(v.Coordinates)))
		for _, p := range v.Coordinates {
			dst = appendFloat(appendFloat(dst, p[0]), p[1])
		}
		return dst, true
	case query.Bytes:
		return appendString(append(dst, tagBytes), v.Base64), true
	case query.File:
		return appendString(appendString(append(dst, tagFile), v.Name), v.URL), true
	case query.Relation:
		return appendString(append(dst, tagRelation), v.ClassName), true
	case []any:
		dst = binary.AppendUvarint(append(dst, tagArray), uint64(len(v)))
		ok := true
		for _, e := range v {
			if dst, ok = appendValue(dst, e, depth+1); !ok {
				return dst, false
			}
		}
		return dst, true
	case map[string]any:
		dst = binary.AppendUvarint(append(dst, tagMap), uint64(len(v)))
		ok := true
		for name, e := range v {
			if dst, ok = appendValue(appendString(dst, name), e, depth+1); !ok {
				return dst, false
			}
		}
		return dst, true
	}
	return dst, false
}

func appendFloat(dst []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(f))
}

// value reads what appendValue wrote.
func (d *decoder) value(depth int) any {
	if depth > maxDepth {
		d.fail()
		return nil
	}
	switch d.byte() {
	case tagNil:
		return nil
	case tagFalse:
		return false
	case tagTrue:
		return true
	case tagFloat:
		return d.float()
	case tagInt:
		return float64(d.varint())
	case tagString:
		return d.string()
	case tagDate:
		return query.Date{Time: time.UnixMilli(d.varint()).UTC()}
	case tagPointer:
		return query.Pointer{ClassName: d.string(), ObjectID: d.string()}
	case tagGeoPoint:
		return query.GeoPoint{Latitude: d.float(), Longitude: d.float()}
	case tagPolygon:
		var p query.Polygon
		if n := d.count(16); n > 0 {
			p.Coordinates = make([][2]float64, n)
			for i := range p.Coordinates {
				p.Coordinates[i] = [2]float64{d.float(), d.float()}
			}
		}
		return p
	case tagBytes:
		return query.Bytes{Base64: d.string()}
	case tagFile:
		return query.File{Name: d.string(), URL: d.string()}
	case tagRelation:
		return query.Relation{ClassName: d.string()}
	case tagArray:
		n := d.count(1)
		list := make([]any, 0, min(n, preallocated))
		for range n {
			if d.err != nil {
				return nil
			}
			list = append(list, d.value(depth+1))
		}
		return list
	case tagMap:
		n := d.count(2)
		m := make(map[string]any, min(n, preallocated))
		for range n {
			if d.err != nil {
				return nil
			}
			name := d.string()
			m[name] = d.value(depth + 1)
		}
		return m
	}
	d.fail()
	return nil
}
