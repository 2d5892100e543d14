package websockets

import "encoding/binary"

// frames follows the frames of one direction of a WebSocket (RFC 6455, section 5.2), to know where one ends.
type frames struct {
	head    [10]byte // what is there of the current frame's head, without the mask
	have    int
	payload uint64 // what is missing of the current frame, the mask included
	inside  bool   // the head is whole, and the rest isn't
	closed  bool   // a close frame has ended
}

// opClose is the opcode of a close frame.
const opClose = 8

// between reports whether no frame has begun that hasn't ended.
func (f *frames) between() bool { return f.have == 0 && !f.inside }

// next takes bytes up to the end of a frame, and returns how many these are: all of p, if none ends in it.
func (f *frames) next(p []byte) int {
	taken := 0
	for !f.inside {
		if taken == len(p) {
			return taken
		}
		f.head[f.have] = p[taken]
		f.have++
		taken++
		f.readHead()
	}
	n := min(f.payload, uint64(len(p)-taken))
	f.payload -= n
	if f.payload == 0 {
		f.closed = f.closed || f.head[0]&0x0f == opClose
		f.inside, f.have = false, 0
	}
	return taken + int(n) //nolint:gosec // at most len(p)
}

// readHead looks whether the head is whole.
func (f *frames) readHead() {
	if f.have < 2 {
		return
	}
	length := uint64(f.head[1] & 0x7f)
	switch {
	case length == 126 && f.have < 4, length == 127 && f.have < 10:
		return
	case length == 126:
		length = uint64(binary.BigEndian.Uint16(f.head[2:]))
	case length == 127:
		length = binary.BigEndian.Uint64(f.head[2:])
	}
	if f.head[1]&0x80 != 0 {
		length += 4 // the mask
	}
	f.inside, f.payload = true, length
}
