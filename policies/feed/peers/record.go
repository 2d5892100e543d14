package peers

import (
	"errors"
	"fmt"
	"time"

	"github.com/parsescale/parsescale/policies/parts"
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
	b = parts.AppendText(b, r.from)
	b = parts.AppendNumber(b, r.seq)
	switch r.kind {
	case beat:
		strict := byte(0)
		if r.strict {
			strict = 1
		}
		b = append(b, strict)
		b = parts.AppendNumber(b, uint64(max(r.held, 0)))
		b = parts.AppendNumber(b, r.open)
		b = parts.AppendNumber(b, uint64(len(r.heard)))
		for _, h := range r.heard {
			b = parts.AppendText(b, h.name)
			b = parts.AppendNumber(b, h.seq)
		}
	case changed, prepared:
		b = append(b, r.payload...)
	case done:
		b = parts.AppendNumber(b, r.of)
	}
	return b
}

// parse reads a record. payload is a part of b.
func parse(b []byte) (r record, err error) {
	if len(b) > 0 && b[0] != format {
		return r, fmt.Errorf("%w: it has format %d, this gateway knows %d; install the same version on all gateways", errMalformed, b[0], format)
	}
	p := parts.Reader{Rest: b}
	p.Byte()
	r.kind = kind(p.Byte())
	r.from, r.seq = name(&p), p.Number()
	switch r.kind {
	case beat:
		r.strict = p.Byte() != 0
		held := p.Number()
		r.held = time.Duration(min(held, 1<<62))
		r.open = p.Number()
		n := p.Number()
		if n > maxHeard {
			return r, errMalformed
		}
		for range n {
			r.heard = append(r.heard, heard{name(&p), p.Number()})
			if p.Bad {
				break
			}
		}
	case changed, prepared:
		r.payload, p.Rest = p.Rest, nil
	case done:
		r.of = p.Number()
	case leave:
	default:
		p.Bad = true
	}
	if p.Bad || len(p.Rest) > 0 || r.from == "" || r.seq == 0 {
		return r, errMalformed
	}
	return r, nil
}

// name takes the name of a gateway.
func name(p *parts.Reader) string {
	s := p.Text()
	if len(s) > maxName {
		p.Bad = true
	}
	return s
}
