//go:build unix

package postgres

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// quiet reports whether the server has neither ended the connection nor said anything that wasn't asked for, as it does
// before it ends one. What is sent on a quiet connection arrives, unless the server ends just now.
func (c *conn) quiet() bool {
	for c.unread > 0 {
		if c.skip() != nil {
			return false
		}
	}
	if c.front.ReadBufferLen() > 0 || c.ahead.Buffered() > 0 {
		return false
	}
	inner := c.net
	if t, ok := inner.(interface{ NetConn() net.Conn }); ok {
		inner = t.NetConn() // TLS has nothing to say between answers
	}
	s, ok := inner.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		quiet = err == unix.EAGAIN || err == unix.EWOULDBLOCK
	})
	return err == nil && quiet
}
