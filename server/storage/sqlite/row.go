package sqlite

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"time"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage/rowjson"
)

// values are the driver's values of a row; row.go of package rowjson says what their methods are for.
type values struct {
	plan *plan
	row  []driver.Value
}

var _ rowjson.Values = (*values)(nil)

func (v *values) Null(i int) bool { return v.row[i] == nil }

func (v *values) Text(i int) string {
	text, _ := v.row[i].(string)
	return text
}

func (v *values) Milliseconds(i int) int64 {
	ms, _ := v.row[i].(int64)
	return ms
}

func (v *values) AppendJSON(dst []byte, i int) []byte {
	switch value := v.row[i].(type) {
	case string:
		if v.plan.json[i] {
			return append(dst, value...)
		}
		return query.AppendString(dst, value)
	case int64:
		if v.plan.Columns[i].Field.Type == schema.Boolean {
			if value != 0 {
				return append(dst, "true"...)
			}
			return append(dst, "false"...)
		}
		return query.AppendJSON(dst, float64(value))
	default:
		return query.AppendJSON(dst, value)
	}
}

// AppendStrings takes the strings out of the JSON array as they stand there.
func (v *values) AppendStrings(dst []string, i int) []string {
	text := v.Text(i)
	if len(text) < 2 {
		return dst
	}
	for rest := text[1 : len(text)-1]; rest != ""; {
		var one string
		one, rest = cutString(rest)
		dst = append(dst, one)
	}
	return dst
}

// cutString takes the first JSON string, quotes and all, off the inside of an array that query.AppendJSON wrote. Equal
// strings are equal texts there, so nothing needs to be decoded.
func cutString(list string) (first, rest string) {
	for i := 1; i < len(list); i++ {
		switch list[i] {
		case '\\':
			i++
		case '"':
			return list[:i+1], strings.TrimPrefix(list[i+1:], ",")
		}
	}
	return list, ""
}

func (v *values) Value(i int, c *rowjson.Column) (any, error) {
	switch value := v.row[i].(type) {
	case string:
		switch {
		case v.plan.json[i]:
			return query.Decode([]byte(value))
		case c.Field.Type == schema.Pointer:
			return query.Pointer{ClassName: c.Field.TargetClass, ObjectID: value}, nil
		case c.Field.Type == schema.File:
			return query.File{Name: value}, nil
		}
		return value, nil
	case int64:
		switch c.Field.Type {
		case schema.Boolean:
			return value != 0, nil
		case schema.Date:
			return query.Date{Time: time.UnixMilli(value).UTC()}, nil
		}
		return float64(value), nil
	case float64:
		return value, nil
	}
	return nil, fmt.Errorf("unexpected value of type %T in a column of type %s", v.row[i], c.Field.Type)
}
