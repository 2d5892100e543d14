package redisstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"github.com/parsescale/parsescale/policies/coding"
)

// Answer is an answer of a worker, with what somebody else needs to find out whether it is still true.
type Answer struct {
	Status int
	// Header are the lines of the header, in order.
	Header []Field
	ETag   string
	Body   []byte
	// Reads is what the worker said that the answer depends on.
	Reads string
	// Stored is when the answer was given.
	Stored time.Time
	// Position is how far the gateway had heard of others, by name, when it asked.
	Position map[string]uint64
}

// Field is one line of a header.
type Field struct{ Name, Value string }

// format is the first byte of what is kept. Another one is from a gateway of another version, and isn't read.
const format = 1

// Bounds of an answer.
const (
	minPacked   = 1024    // bytes of a body from which on it is compressed
	maxValue    = 1 << 20 // bytes of what is kept, compressed
	maxBody     = 8 << 20 // bytes of a body
	maxFields   = 256
	maxPosition = 4096
)

var errMalformed = errors.New("the kept answer is malformed")

// append encodes the answer.
func (a *Answer) append(b []byte, e *coding.Encoder) []byte {
	b = append(b, format)
	b = binary.AppendUvarint(b, uint64(a.Status))
	b = binary.AppendUvarint(b, uint64(max(a.Stored.UnixMilli(), 0)))
	b = appendText(b, a.ETag)
	b = appendText(b, a.Reads)
	b = binary.AppendUvarint(b, uint64(len(a.Header)))
	for _, f := range a.Header {
		b = appendText(appendText(b, f.Name), f.Value)
	}
	b = binary.AppendUvarint(b, uint64(len(a.Position)))
	for name, n := range a.Position {
		b = binary.AppendUvarint(appendText(b, name), n)
	}
	if len(a.Body) >= minPacked {
		if packed := e.Encode(coding.Zstd, a.Body); packed != nil {
			return append(append(b, byte(coding.Zstd)), packed...)
		}
	}
	return append(append(b, byte(coding.Identity)), a.Body...)
}

func appendText[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// parse decodes an answer.
func parse(b []byte) (*Answer, error) {
	p := parser{b: b}
	if p.byte() != format {
		return nil, errMalformed
	}
	a := &Answer{Status: int(min(p.number(), 999))}
	a.Stored = time.UnixMilli(int64(min(p.number(), 1<<53)))
	a.ETag, a.Reads = p.text(), p.text()
	n := p.number()
	if n > maxFields {
		return nil, errMalformed
	}
	for range n {
		a.Header = append(a.Header, Field{p.text(), p.text()})
	}
	if n = p.number(); n > maxPosition {
		return nil, errMalformed
	}
	a.Position = make(map[string]uint64, n)
	for range n {
		name := p.text()
		a.Position[name] = p.number()
	}
	in := coding.Coding(p.byte())
	if p.bad {
		return nil, errMalformed
	}
	switch in {
	case coding.Identity:
		a.Body = bytes.Clone(p.b) // else it holds the rest, too
	case coding.Zstd:
		var err error
		if a.Body, err = coding.Decode(p.b, maxBody); err != nil {
			return nil, err
		}
	default:
		return nil, errMalformed
	}
	return a, nil
}

// parser takes an answer's parts off its front.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) byte() byte {
	if len(p.b) == 0 {
		p.bad = true
		return 0
	}
	c := p.b[0]
	p.b = p.b[1:]
	return c
}

func (p *parser) number() uint64 {
	v, n := binary.Uvarint(p.b)
	if n <= 0 {
		p.bad, p.b = true, nil
		return 0
	}
	p.b = p.b[n:]
	return v
}

func (p *parser) text() string {
	n := p.number()
	if n > uint64(len(p.b)) {
		p.bad, p.b = true, nil
		return ""
	}
	s := string(p.b[:n])
	p.b = p.b[n:]
	return s
}
