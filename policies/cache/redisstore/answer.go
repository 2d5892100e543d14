package redisstore

import (
	"bytes"
	"errors"
	"time"

	"github.com/parsescale/parsescale/policies/coding"
	"github.com/parsescale/parsescale/policies/parts"
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
	b = parts.AppendNumber(b, uint64(a.Status))
	b = parts.AppendNumber(b, uint64(max(a.Stored.UnixMilli(), 0)))
	b = parts.AppendText(b, a.ETag)
	b = parts.AppendText(b, a.Reads)
	b = parts.AppendNumber(b, uint64(len(a.Header)))
	for _, f := range a.Header {
		b = parts.AppendText(parts.AppendText(b, f.Name), f.Value)
	}
	b = parts.AppendNumber(b, uint64(len(a.Position)))
	for name, n := range a.Position {
		b = parts.AppendNumber(parts.AppendText(b, name), n)
	}
	if len(a.Body) >= minPacked {
		if packed := e.Encode(coding.Zstd, a.Body); packed != nil {
			return append(append(b, byte(coding.Zstd)), packed...)
		}
	}
	return append(append(b, byte(coding.Identity)), a.Body...)
}

// parse decodes an answer.
func parse(b []byte) (*Answer, error) {
	p := parts.Reader{Rest: b}
	if p.Byte() != format {
		return nil, errMalformed
	}
	a := &Answer{Status: int(min(p.Number(), 999))}
	a.Stored = time.UnixMilli(int64(min(p.Number(), 1<<53)))
	a.ETag, a.Reads = p.Text(), p.Text()
	n := p.Number()
	if n > maxFields {
		return nil, errMalformed
	}
	for range n {
		a.Header = append(a.Header, Field{p.Text(), p.Text()})
	}
	if n = p.Number(); n > maxPosition {
		return nil, errMalformed
	}
	a.Position = make(map[string]uint64, n)
	for range n {
		name := p.Text()
		a.Position[name] = p.Number()
	}
	in := coding.Coding(p.Byte())
	if p.Bad {
		return nil, errMalformed
	}
	switch in {
	case coding.Identity:
		a.Body = bytes.Clone(p.Rest) // else it holds the rest, too
	case coding.Zstd:
		var err error
		if a.Body, err = coding.Decode(p.Rest, maxBody); err != nil {
			return nil, err
		}
	default:
		return nil, errMalformed
	}
	return a, nil
}
