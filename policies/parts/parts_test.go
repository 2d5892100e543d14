package parts

import (
	"bytes"
	"testing"
)

func TestParts(t *testing.T) {
	b := AppendText(AppendNumber([]byte{7}, 1<<40), "text")
	b = AppendText(b, []byte("more"))
	read := func(b []byte) (c byte, n uint64, s, more string, r Reader) {
		r.Rest = b
		return r.Byte(), r.Number(), r.Text(), r.Text(), r
	}
	c, n, s, more, r := read(append(bytes.Clone(b), "rest"...))
	if c != 7 || n != 1<<40 || s != "text" || more != "more" || string(r.Rest) != "rest" || r.Bad {
		t.Errorf("%d %d %q %q, %q is left, bad %v", c, n, s, more, r.Rest, r.Bad)
	}
	for cut := range len(b) {
		if _, _, _, _, r := read(b[:cut]); !r.Bad || len(r.Rest) > 0 {
			t.Errorf("the first %d bytes: bad %v, %q is left", cut, r.Bad, r.Rest)
		}
	}
	endless := Reader{Rest: bytes.Repeat([]byte{0xff}, 11)}
	if n := endless.Number(); n != 0 || !endless.Bad || endless.Byte() != 0 {
		t.Errorf("a number without an end: %d, bad %v", n, endless.Bad)
	}
}
