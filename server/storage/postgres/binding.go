package postgres

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/parsescale/parsescale/server/query"
)

// binding is the arguments of one statement in the form the server takes. It keeps its memory.
//
// A string is sent as text, whatever type the server takes it for; a float64 must stand for a double precision, a
// query.Date for a timestamptz, a bool for a boolean, an int64 for a bigint, []byte for a bytea and an array for its own
// type: their placeholders say so.
type binding struct {
	buf     []byte
	ends    []int
	values  [][]byte
	formats []int16
}

// array is a bound array of one of the types that conditions need.
type array struct {
	kind  uint32
	items []any
}

// Object ids of types.
const (
	typeBool        = 16
	typeText        = 25
	typeFloat8      = 701
	typeTimestamptz = 1184
	typeJSONB       = 3802
)

const (
	textFormat   = 0
	binaryFormat = 1
	null         = -1
)

func (b *binding) set(args []any) {
	b.buf, b.ends, b.values, b.formats = b.buf[:0], b.ends[:0], b.values[:0], b.formats[:0]
	for _, a := range args {
		format := int16(binaryFormat)
		switch a := a.(type) {
		case nil:
			b.ends, b.formats = append(b.ends, null), append(b.formats, textFormat)
			continue
		case string:
			b.buf = append(b.buf, a...)
			format = textFormat
		case []byte:
			b.buf = append(b.buf, a...)
		case array:
			b.buf = a.append(b.buf)
		default:
			b.buf = appendScalar(b.buf, a)
		}
		b.ends, b.formats = append(b.ends, len(b.buf)), append(b.formats, format)
	}
	start := 0
	for _, end := range b.ends {
		if end == null {
			b.values = append(b.values, nil)
			continue
		}
		b.values = append(b.values, b.buf[start:end:end])
		start = end
	}
	// A nil slice would be NULL, the empty text isn't.
	for i, v := range b.values {
		if v == nil && b.ends[i] != null {
			b.values[i] = []byte{}
		}
	}
}

// appendScalar appends a value in its type's binary form.
func appendScalar(dst []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return append(dst, v...)
	case float64:
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(v))
	case int64:
		return binary.BigEndian.AppendUint64(dst, uint64(v))
	case bool:
		if v {
			return append(dst, 1)
		}
		return append(dst, 0)
	case query.Date:
		return binary.BigEndian.AppendUint64(dst, uint64(microseconds(v.Time)))
	}
	panic(fmt.Sprintf("postgres: no way to bind a %T", v)) // never input: Encode and this package choose the types
}

func (a array) append(dst []byte) []byte {
	dimensions := uint32(1)
	if len(a.items) == 0 {
		dimensions = 0
	}
	dst = binary.BigEndian.AppendUint32(dst, dimensions)
	dst = binary.BigEndian.AppendUint32(dst, 0) // no NULLs
	dst = binary.BigEndian.AppendUint32(dst, a.kind)
	if dimensions == 0 {
		return dst
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(a.items)))
	dst = binary.BigEndian.AppendUint32(dst, 1) // counted from 1
	for _, v := range a.items {
		at := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		if a.kind == typeJSONB {
			dst = append(dst, 1) // the version of the format
		}
		dst = appendScalar(dst, v)
		binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	}
	return dst
}

// texts returns the strings as a text[].
func texts(list []string) array {
	a := array{kind: typeText, items: make([]any, len(list))}
	for i, s := range list {
		a.items[i] = s
	}
	return a
}

// epoch is where PostgreSQL counts time from, in milliseconds since 1970.
const epoch = 946684800000

func microseconds(t time.Time) int64 { return (t.UnixMilli() - epoch) * 1000 }

// milliseconds reads a timestamptz in its binary form.
func milliseconds(v []byte) int64 {
	if len(v) != 8 {
		return 0
	}
	us := int64(binary.BigEndian.Uint64(v))
	// Rounded down, before 1970 too.
	ms := us / 1000
	if us%1000 < 0 {
		ms--
	}
	return ms + epoch
}

// bigint reads a number that the server sends as text.
func bigint(v []byte) int64 {
	n, _ := strconv.ParseInt(string(v), 10, 64) // the server sends digits
	return n
}

func instant(t time.Time) query.Date { return query.Date{Time: t} }
