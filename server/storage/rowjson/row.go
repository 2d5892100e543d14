package rowjson

import (
	"fmt"
	"time"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/storage"
)

// Values are the values of the current row, by the index of their column in the plan.
type Values interface {
	// Null reports whether there is no value. The other methods are called only where there is one.
	Null(i int) bool
	// AppendJSON appends the value as JSON. It isn't asked for dates; of pointers and files it gives id and name.
	AppendJSON(dst []byte, i int) []byte
	// Text returns a text, the id of a pointer, the name of a file.
	Text(i int) string
	// Milliseconds returns a date as milliseconds since 1970.
	Milliseconds(i int) int64
	// AppendStrings appends the elements of an _rperm or _wperm, each as a JSON string, quotes and all. They may be
	// parts of the row's memory.
	AppendStrings(dst []string, i int) []string
	// Value decodes the value of the column.
	Value(i int, c *Column) (any, error)
}

// Row is the current row of a cursor. It implements storage.Row.
type Row struct {
	plan   *Plan
	values Values
	// shape is the one that visible was worked out for.
	shape            *storage.Shape
	visible          []bool
	showACL          bool
	visibleRelations []bool
	// readers and writers are kept for their memory.
	readers, writers []string
}

// NewRow returns the row whose values are read through v.
func NewRow(p *Plan, v Values) *Row { return &Row{plan: p, values: v} }

// ObjectID implements storage.Row.
func (r *Row) ObjectID() string {
	if i := r.plan.objectID; i >= 0 && !r.values.Null(i) {
		return r.values.Text(i)
	}
	return ""
}

// see works out which columns the shape shows, once for all rows.
func (r *Row) see(s *storage.Shape) {
	if r.shape == s && r.visible != nil {
		return
	}
	r.shape = s
	r.visible = make([]bool, len(r.plan.Columns))
	for i, c := range r.plan.Columns {
		r.visible[i] = !c.internal && shows(s, c.Name)
	}
	r.visibleRelations = make([]bool, len(r.plan.relations))
	for i, c := range r.plan.relations {
		r.visibleRelations[i] = shows(s, c.Name)
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
func (r *Row) AppendJSON(dst []byte, s *storage.Shape) []byte {
	if s == nil {
		s = &publicShape
	}
	r.see(s)
	dst = append(dst, '{')
	first := len(dst)
	for i := range r.plan.Columns {
		if !r.visible[i] || r.values.Null(i) {
			continue
		}
		c := &r.plan.Columns[i]
		before := len(dst)
		if before > first {
			dst = append(dst, ',')
		}
		dst = append(dst, c.prefix...)
		if c.kind == kindPointer && s.Pointer != nil {
			out, ok := s.Pointer(dst, c.Name, query.Pointer{ClassName: c.Field.TargetClass, ObjectID: r.values.Text(i)})
			if ok {
				dst = out
			} else {
				dst = dst[:before]
			}
			continue
		}
		dst = r.appendValue(dst, i, c, s)
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

func (r *Row) appendValue(dst []byte, i int, c *Column, s *storage.Shape) []byte {
	switch c.kind {
	case kindTime:
		dst = appendTime(append(dst, '"'), r.values.Milliseconds(i))
		return append(dst, '"')
	case kindDate:
		dst = append(dst, `{"__type":"Date","iso":"`...)
		return append(appendTime(dst, r.values.Milliseconds(i)), `"}`...)
	case kindPointer:
		dst = append(dst, `{"objectId":`...)
		dst = r.values.AppendJSON(dst, i)
		return append(dst, c.suffix...)
	case kindFile:
		dst = append(dst, `{"__type":"File","name":`...)
		dst = r.values.AppendJSON(dst, i)
		if s.FileURL != nil {
			dst = append(dst, `,"url":"`...)
			dst = append(s.FileURL(dst, r.values.Text(i)), '"')
		}
		return append(dst, '}')
	}
	return r.values.AppendJSON(dst, i)
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
func (r *Row) Object() (storage.Object, error) {
	o := make(storage.Object, len(r.plan.Columns))
	for i := range r.plan.Columns {
		if r.values.Null(i) {
			continue
		}
		c := &r.plan.Columns[i]
		value, err := r.values.Value(i, c)
		if err != nil {
			return nil, fmt.Errorf("cannot read the field %s of object %s: %w", c.Name, r.ObjectID(), err)
		}
		o[c.Name] = value
	}
	return o, nil
}
