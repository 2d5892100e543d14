// Package parts writes and reads messages that are parts one after another: single bytes, numbers as varints, and texts each after
// its length.
//
// It must not know what the parts mean, nor how many there are.
package parts

import "encoding/binary"

// AppendNumber appends a number.
func AppendNumber(b []byte, n uint64) []byte { return binary.AppendUvarint(b, n) }

// AppendText appends a text after its length.
func AppendText[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// Reader takes a message's parts off its front. What isn't there is zero, and makes the message Bad; so it's enough to ask at the end.
type Reader struct {
	// Rest is what wasn't read yet.
	Rest []byte
	// Bad: a part was asked for that isn't there, or is cut off.
	Bad bool
}

// Byte takes a single byte.
func (r *Reader) Byte() byte {
	if len(r.Rest) == 0 {
		r.Bad = true
		return 0
	}
	c := r.Rest[0]
	r.Rest = r.Rest[1:]
	return c
}

// Number takes a number.
func (r *Reader) Number() uint64 {
	v, n := binary.Uvarint(r.Rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.Rest = r.Rest[n:]
	return v
}

// Text takes a text. It is a copy.
func (r *Reader) Text() string {
	n := r.Number()
	if n > uint64(len(r.Rest)) {
		r.fail()
		return ""
	}
	s := string(r.Rest[:n])
	r.Rest = r.Rest[n:]
	return s
}

// fail ends the reading: where one part isn't, the next can't be told.
func (r *Reader) fail() { r.Bad, r.Rest = true, nil }
