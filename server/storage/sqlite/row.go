package sqlite

import (
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/storage"
)

// row is the current row of a cursor.
type row struct {
	plan   *plan
	values []driver.Value
	// shape is the one that visible was worked out for.
	shape            *storage.Shape
	visible          []bool
	showACL          bool
	visibleRelations []bool
}

// ObjectID implements storage.Row.
func (r *row) ObjectID() string {
	id, _ := r.values[r.plan.objectID].(string)
	return id
}

// see works out which columns the shape shows, once for all rows.
func (r *row) see(s *storage.Shape) {
	if r.shape == s && r.visible != nil {
		return
	}
	r.shape = s
	r.visible = make([]bool, len(r.plan.columns))
	for i, c := range r.plan.columns {
		r.visible[i] = !c.internal && shows(s, c.name)
	}
	r.visibleRelations = make([]bool, len(r.plan.relations))
	for i, c := range r.plan.relations {
		r.visibleRelations[i] = shows(s, c.name)
	}
	r.showACL = shows(s, "ACL")
}

func shows(s *storage.Shape, name string) bool {
	if s.Hide[name] {
		return false
	}
	switch name {
	case "objectId", "createdAt", "updatedAt", "ACL", storage.ScoreColumn:
		return true
	}
	return s.Keep == nil || s.Keep[name]
}

var publicShape storage.Shape

// AppendJSON implements storage.Row.
func (r *row) AppendJSON(dst []byte, s *storage.Shape) []byte {
	if s == nil {
		s = &publicShape
	}
	r.see(s)
	dst = append(dst, '{')
	first := len(dst)
	for i := range r.plan.columns {
		v := r.values[i]
		if v == nil || !r.visible[i] {
			continue
		}
		c := &r.plan.columns[i]
		before := len(dst)
		if before > first {
			dst = append(dst, ',')
		}
		dst = append(dst, c.prefix...)
		if c.kind == kindPointer && s.Pointer != nil {
			id, _ := v.(string)
			out, ok := s.Pointer(dst, c.name, query.Pointer{ClassName: c.field.TargetClass, ObjectID: id})
			if ok {
				dst = out
			} else {
				dst = dst[:before]
			}
			continue
		}
		dst = c.appendValue(dst, v, s)
	}
	for i := range r.plan.relations {
		if r.visibleRelations[i] {
			dst = append(comma(dst, first), r.plan.relations[i].prefix...)
		}
	}
	if r.showACL {
		dst = r.appendACL(dst, first)
	}
	if s.Embedded {
		dst = append(comma(dst, first), r.plan.embedded...)
	}
	if s.Extra != nil {
		start := len(dst)
		dst = s.Extra(dst)
		if start == first && len(dst) > start && dst[start] == ',' {
			dst = append(dst[:start], dst[start+1:]...)
		}
	}
	return append(dst, '}')
}

func comma(dst []byte, first int) []byte {
	if len(dst) > first {
		return append(dst, ',')
	}
	return dst
}

func (c *column) appendValue(dst []byte, v driver.Value, s *storage.Shape) []byte {
	switch v := v.(type) {
	case string:
		switch c.kind {
		case kindJSON:
			return append(dst, v...)
		case kindPointer:
			dst = append(dst, `{"objectId":`...)
			dst = query.AppendString(dst, v)
			return append(dst, c.suffix...)
		case kindFile:
			dst = append(dst, `{"__type":"File","name":`...)
			dst = query.AppendString(dst, v)
			if s.FileURL != nil {
				dst = append(dst, `,"url":"`...)
				dst = append(s.FileURL(dst, v), '"')
			}
			return append(dst, '}')
		}
		return query.AppendString(dst, v)
	case int64:
		switch c.kind {
		case kindBoolean:
			if v != 0 {
				return append(dst, "true"...)
			}
			return append(dst, "false"...)
		case kindTime:
			dst = appendTime(append(dst, '"'), v)
			return append(dst, '"')
		case kindDate:
			dst = append(dst, `{"__type":"Date","iso":"`...)
			return append(appendTime(dst, v), `"}`...)
		}
		return query.AppendJSON(dst, float64(v))
	}
	return query.AppendJSON(dst, v)
}

// appendTime appends milliseconds since 1970 as 2006-01-02T15:04:05.000Z.
func appendTime(dst []byte, ms int64) []byte {
	t := time.UnixMilli(ms).UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return query.AppendTime(dst, t)
	}
	hour, minute, second := t.Clock()
	milli := t.Nanosecond() / 1e6
	return append(dst,
		byte('0'+year/1000), byte('0'+year/100%10), byte('0'+year/10%10), byte('0'+year%10), '-',
		byte('0'+month/10), byte('0'+month%10), '-', byte('0'+day/10), byte('0'+day%10), 'T',
		byte('0'+hour/10), byte('0'+hour%10), ':', byte('0'+minute/10), byte('0'+minute%10), ':',
		byte('0'+second/10), byte('0'+second%10), '.', byte('0'+milli/100), byte('0'+milli/10%10), byte('0'+milli%10), 'Z')
}

// Object implements storage.Row.
func (r *row) Object() (storage.Object, error) {
	o := make(storage.Object, len(r.values))
	for i := range r.plan.columns {
		v := r.values[i]
		if v == nil {
			continue
		}
		c := &r.plan.columns[i]
		value, err := c.decode(v)
		if err != nil {
			return nil, fmt.Errorf("cannot read the field %s of object %s: %w", c.name, r.ObjectID(), err)
		}
		o[c.name] = value
	}
	return o, nil
}

func (c *column) decode(v driver.Value) (any, error) {
	switch v := v.(type) {
	case string:
		switch c.kind {
		case kindJSON:
			return query.Decode([]byte(v))
		case kindPointer:
			return query.Pointer{ClassName: c.field.TargetClass, ObjectID: v}, nil
		case kindFile:
			return query.File{Name: v}, nil
		}
		return v, nil
	case int64:
		switch c.kind {
		case kindBoolean:
			return v != 0, nil
		case kindTime, kindDate:
			return query.Date{Time: time.UnixMilli(v).UTC()}, nil
		}
		return float64(v), nil
	case float64:
		return v, nil
	}
	return nil, fmt.Errorf("unexpected value of type %T in a column of type %s", v, c.field.Type)
}
