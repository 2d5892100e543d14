package peers

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// kind is what a record says.
type kind byte

const (
	// beat: how far its sender has heard the others.
	beat kind = iota + 1
	// changed: changes that were committed, or given up.
	changed
	// prepared: changes about to be committed, once every gateway has heard of them.
	prepared
	// done: an earlier prepared of the sender is committed or given up.
	done
	// leave: the sender commits nothing more and sends nothing more.
	leave
)

// record is one entry of the log. A sender's records are numbered from 1 without gaps; what is missing is lost.
type record struct {
	from string
	seq  uint64
	kind kind

	// of a beat
	strict bool // the sender's writes wait for the others
	// held is for how long the sender's oldest write that isn't in the log has been open.
	held time.Duration
	// open is the number of the sender's oldest prepared without a done; its own number if there is none.
	open  uint64
	heard []heard

	payload []byte // of changed and prepared: a change.Frame
	of      uint64 // of done: the number of the prepared
}

// heard is how far the records of one gateway have been read and applied.
type heard struct {
	name string
	seq  uint64
}

// format is the first byte of every record. A gateway that reads another one can't know what it says.
const format = 1

// Bounds of what is read.
const (
	maxName  = 200
	maxHeard = 4096
)

var errMalformed = errors.New("the record is malformed")

func (r *record) append(b []byte) []byte {
	b = append(b, format, byte(r.kind))
	b = appendName(b, r.from)
	b = binary.AppendUvarint(b, r.seq)
	switch r.kind {
	case beat:
		strict := byte(0)
		if r.strict {
			strict = 1
		}
		b = append(b, strict)
		b = binary.AppendUvarint(b, uint64(max(r.held, 0)))
		b = binary.AppendUvarint(b, r.open)
		b = binary.AppendUvarint(b, uint64(len(r.heard)))
		for _, h := range r.heard {
			b = appendName(b, h.name)
			b = binary.AppendUvarint(b, h.seq)
		}
	case changed, prepared:
		b = append(b, r.payload...)
	case done:
		b = binary.AppendUvarint(b, r.of)
	}
	return b
}

func appendName(b []byte, name string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(name))), name...)
}

// parse reads a record. payload is a part of b.
func parse(b []byte) (r record, err error) {
	if len(b) > 0 && b[0] != format {
		return r, fmt.Errorf("%w: it has format %d, this gateway knows %d; install the same version on all gateways", errMalformed, b[0], format)
	}
	p := parser{b: b}
	p.byte()
	r.kind = kind(p.byte())
	r.from, r.seq = p.name(), p.number()
	switch r.kind {
	case beat:
		r.strict = p.byte() != 0
		held := p.number()
		r.held = time.Duration(min(held, 1<<62))
		r.open = p.number()
		n := p.number()
		if n > maxHeard {
			return r, errMalformed
		}
		for range n {
			r.heard = append(r.heard, heard{p.name(), p.number()})
			if p.bad {
				break
			}
		}
	case changed, prepared:
		r.payload, p.b = p.b, nil
	case done:
		r.of = p.number()
	case leave:
	default:
		p.bad = true
	}
	if p.bad || len(p.b) > 0 || r.from == "" || r.seq == 0 {
		return r, errMalformed
	}
	return r, nil
}

// parser takes a record's parts off its front.
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

func (p *parser) name() string {
	n := p.number()
	if n > maxName || n > uint64(len(p.b)) {
		p.bad, p.b = true, nil
		return ""
	}
	s := string(p.b[:n])
	p.b = p.b[n:]
	return s
}
