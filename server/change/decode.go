package change

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
)

// preallocated bounds what is allocated on the word of a count, before its elements have been read.
const preallocated = 256

// Decode decodes a frame from its type and payload. Nothing of payload is kept.
func Decode(t Type, payload []byte) (Frame, error) {
	f := Frame{Type: t}
	switch t {
	case TypeStart:
		if err := json.Unmarshal(payload, &f.Start); err != nil {
			// The error may quote the payload, which holds secrets.
			return Frame{}, fmt.Errorf("cannot decode a start frame: %w", ErrMalformed)
		}
	case TypeReady:
		if err := json.Unmarshal(payload, &f.Ready); err != nil {
			return Frame{}, fmt.Errorf("cannot decode a ready frame: %w", ErrMalformed)
		}
	case TypeFailed:
		f.Reason = string(payload)
	case TypeAck, TypeDone, TypeAbort, TypePrepare:
		d := decoder{b: payload}
		f.ID = d.uint64()
		if t == TypePrepare {
			f.Changes = d.changes()
		}
		if d.err == nil && len(d.b) > 0 {
			d.fail()
		}
		if d.err != nil {
			return Frame{}, fmt.Errorf("cannot decode a %s frame: %w", t, d.err)
		}
	case TypeStop, TypePing, TypePong, TypeDrained:
		if len(payload) > 0 {
			return Frame{}, fmt.Errorf("cannot decode a %s frame: %w", t, ErrMalformed)
		}
	default:
		return Frame{}, fmt.Errorf("cannot decode a frame of type %d: %w", t, ErrMalformed)
	}
	return f, nil
}

// decoder reads from b. After the first fault every read gives a zero value, and err is set.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail() {
	if d.err == nil {
		d.err = ErrMalformed
	}
	d.b = nil
}

func (d *decoder) changes() []Change {
	n := d.count(4)
	list := make([]Change, 0, min(n, preallocated))
	var prev Change
	for range n {
		c := d.change(&prev)
		if d.err != nil {
			return nil
		}
		list = append(list, c)
		prev = c
	}
	return list
}

func (d *decoder) change(prev *Change) Change {
	c := Change{Kind: Kind(d.byte())}
	flags := d.byte()
	if d.err == nil && (c.Kind < Create || c.Kind > Purge || flags >= hasTouched<<1) {
		d.fail()
	}
	if c.App = prev.App; flags&sameApp == 0 {
		c.App = d.string()
	}
	if c.Class = prev.Class; flags&sameClass == 0 {
		c.Class = d.string()
	}
	c.ObjectID = d.string()
	c.Version = d.uvarint()
	if flags&hasTouched != 0 {
		if c.Touched = d.strings(); c.Touched == nil {
			c.Touched = []string{}
		}
	}
	if flags&hasBefore != 0 {
		c.Before = d.image()
	}
	if flags&hasAfter != 0 {
		c.After = d.image()
	}
	return c
}

func (d *decoder) image() *Image {
	i := &Image{}
	switch d.byte() {
	case 0:
	case 1:
		i.Partial = true
	default:
		d.fail()
	}
	for d.err == nil {
		switch d.byte() {
		case 0:
			i.Omitted = d.strings()
			return i
		case 1:
			if i.Fields == nil {
				i.Fields = map[string]any{}
			}
			name := d.string()
			i.Fields[name] = d.value(0)
		default:
			d.fail()
		}
	}
	return i
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) uint64() uint64 {
	if len(d.b) < 8 {
		d.fail()
		return 0
	}
	v := binary.BigEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

func (d *decoder) float() float64 { return math.Float64frombits(d.uint64()) }

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count reads the number of elements that take at least size bytes each, and refuses more than there can be.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)/size) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) string() string {
	n := d.count(1)
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) strings() []string {
	n := d.count(1)
	if n == 0 {
		return nil
	}
	list := make([]string, 0, min(n, preallocated))
	for range n {
		list = append(list, d.string())
	}
	return list
}
