//go:build unix

package exchange

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// listener makes what tells whether nothing came from the other side of an unused connection. There is nobody who waits for
// the server to close it, so one looks before it is used.
func listener(raw net.Conn) (quiet func() bool) {
	s, ok := raw.(syscall.Conn)
	if !ok {
		return always
	}
	fd, err := s.SyscallConn()
	if err != nil {
		return always
	}
	var silent bool
	asked := make([]unix.PollFd, 1)
	look := func(fd uintptr) {
		asked[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
		n, err := unix.Poll(asked, 0)
		silent = err == nil && n == 0
	}
	return func() bool { return fd.Control(look) == nil && silent }
}
