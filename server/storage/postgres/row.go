package postgres

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage/rowjson"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

// plan is how the rows of a class are read and shown: worked out once.
type plan struct {
	*rowjson.Plan
	formats []int16 // in which form the server sends each column
	byID    []byte  // the SELECT of one object
	lock    []byte  // the same, and nobody else may change the object
	// Those of a class's requests that share round trips.
	lookups company[*lookup]
	finds   company[*lookup]
	inserts company[*insertion]
	paces   paces
}

func newPlan(p *rowjson.Plan) *plan {
	out := &plan{Plan: p, formats: make([]int16, len(p.Columns))}
	for i, c := range p.Columns {
		switch f := c.Field; {
		case f.Type == schema.Number, f.Type == schema.Boolean, f.Type == schema.Date, f.Type == schema.GeoPoint,
			f.Type == schema.Polygon, f.Texts:
			out.formats[i] = binaryFormat
		}
	}
	return out
}

// plan returns the plan for all columns of the class.
func (c *catalog) plan(class *schema.Class) *plan {
	if p, ok := c.plans.Load(class); ok {
		return p.(*plan)
	}
	p := newPlan(rowjson.NewPlan(class))
	var b sqlbuild.Builder
	b.ByID(dialect{}, class, p.Names)
	p.byID = b.SQL
	p.lock = append(append([]byte(nil), b.SQL...), " FOR UPDATE"...)
	// Only classes of this catalog are kept, so that the map doesn't grow with what callers make up.
	if c.schema.Classes[class.Name] == class {
		c.plans.Store(class, p)
	}
	return p
}

// values are the values of a row as the server sent them; package rowjson says what their methods are for.
type values struct {
	plan *plan
	row  [][]byte
}

var _ rowjson.Values = (*values)(nil)

func (v *values) Null(i int) bool { return v.row[i] == nil }

func (v *values) Text(i int) string { return string(v.row[i]) }

func (v *values) Milliseconds(i int) int64 { return milliseconds(v.row[i]) }

func (v *values) AppendJSON(dst []byte, i int) []byte {
	f := v.plan.Columns[i].Field
	switch f.Type {
	case schema.String, schema.Pointer, schema.File:
		return appendText(dst, v.row[i])
	case schema.Number:
		return query.AppendJSON(dst, float(v.row[i]))
	case schema.Boolean:
		return strconv.AppendBool(dst, len(v.row[i]) == 1 && v.row[i][0] == 1)
	case schema.GeoPoint:
		return query.AppendJSON(dst, geoPoint(v.row[i]))
	case schema.Polygon:
		return query.AppendJSON(dst, polygon(v.row[i]))
	}
	return appendCompact(dst, v.row[i])
}

func (v *values) AppendStrings(dst []string, i int) []string {
	var buf [64]byte
	for _, s := range textArray(v.row[i]) {
		dst = append(dst, string(appendText(buf[:0], s)))
	}
	return dst
}

func (v *values) Value(i int, c *rowjson.Column) (any, error) {
	data := v.row[i]
	switch f := c.Field; {
	case f.Texts:
		list := []any{}
		for _, s := range textArray(data) {
			list = append(list, string(s))
		}
		return list, nil
	case f.Type == schema.String:
		return string(data), nil
	case f.Type == schema.Number:
		return float(data), nil
	case f.Type == schema.Boolean:
		return len(data) == 1 && data[0] == 1, nil
	case f.Type == schema.Date:
		return query.Date{Time: time.UnixMilli(milliseconds(data)).UTC()}, nil
	case f.Type == schema.Pointer:
		return query.Pointer{ClassName: f.TargetClass, ObjectID: string(data)}, nil
	case f.Type == schema.File:
		return query.File{Name: string(data)}, nil
	case f.Type == schema.GeoPoint:
		return geoPoint(data), nil
	case f.Type == schema.Polygon:
		return polygon(data), nil
	case f.Type == schema.Object, f.Type == schema.Array, f.Type == schema.Bytes:
		return query.Decode(data)
	}
	return nil, fmt.Errorf("a column of the unknown type %s", c.Field.Type)
}

func float(v []byte) float64 {
	if len(v) != 8 {
		return math.NaN()
	}
	return math.Float64frombits(binary.BigEndian.Uint64(v))
}

func geoPoint(v []byte) query.GeoPoint {
	if len(v) != 16 {
		return query.GeoPoint{}
	}
	return query.GeoPoint{Longitude: float(v[:8]), Latitude: float(v[8:])}
}

func polygon(v []byte) query.Polygon {
	p := query.Polygon{}
	if len(v) < 4 {
		return p
	}
	for v = v[4:]; len(v) >= 16; v = v[16:] {
		p.Coordinates = append(p.Coordinates, [2]float64{float(v[8:16]), float(v[:8])})
	}
	return p
}

// textArray reads a text[] of one dimension. Its elements are parts of v; a NULL is left out.
func textArray(v []byte) [][]byte {
	if len(v) < 20 {
		return nil // an empty one has no dimension
	}
	var out [][]byte
	for v = v[20:]; len(v) >= 4; {
		n := int(int32(binary.BigEndian.Uint32(v)))
		v = v[4:]
		if n < 0 {
			continue
		}
		if n > len(v) {
			break
		}
		out = append(out, v[:n:n])
		v = v[n:]
	}
	return out
}

// appendText appends a text as a JSON string.
func appendText(dst, s []byte) []byte {
	for _, c := range s {
		if c < 0x20 || c == '"' || c == '\\' {
			return query.AppendString(dst, string(s))
		}
	}
	dst = append(append(dst, '"'), s...) // the server sends valid UTF-8
	return append(dst, '"')
}
