//go:build unix

package postgres

import (
	"bytes"
	"context"
	"net"
	"testing"
)

// TestQuiet: what the server says by itself is heard, also if it comes together with an answer, of whatever length.
func TestQuiet(t *testing.T) {
	s := open(t, database(t))
	dial, talks := s.primary.location.config.DialFunc, false
	s.primary.location.config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &talkative{c.(*net.TCPConn), &talks}, nil
	}
	// 8192 bytes are read at a time from what was read ahead: an answer of 36 more than the text fills them.
	for _, n := range []int{1, 1000, 8192 - 36} {
		talks = false
		c, err := s.primary.take(ctx, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, talks = range []bool{false, true} {
			if err := c.each("SELECT repeat('x',$1::bigint::int)", []any{int64(n)}, func([][]byte) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if c.quiet() == talks {
				t.Errorf("after %d bytes, while the server says something: %t; it is taken for quiet: %t", n, talks, !talks)
			}
		}
		c.close()
		s.primary.give(c)
	}
}

// talkative is a connection to a server that says something after each answer.
type talkative struct {
	*net.TCPConn
	talks *bool
}

func (c *talkative) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if *c.talks && bytes.HasSuffix(p[:n], []byte("Z\x00\x00\x00\x05I")) {
		n += copy(p[n:], "N\x00\x00\x00\x05\x00")
	}
	return n, err
}
