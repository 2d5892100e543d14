//go:build unix && !solaris

package succession

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// reusePort lets others of this user listen on the same address, as Caddy's own listeners do: a configuration that goes
// over from one kind to the other needs both at once.
func reusePort(_, _ string, c syscall.RawConn) error {
	var set error
	if err := c.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}); err != nil {
		return err
	}
	return set
}
