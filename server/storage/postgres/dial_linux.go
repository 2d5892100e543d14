package postgres

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// unanswered is for how long, in milliseconds, what was sent may stay unconfirmed by the other end.
const unanswered = 20_000

// control bounds how long a connection to a machine that vanished holds a request up.
func control(network, _ string, raw syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, unanswered)
	})
	if err == nil {
		err = failed
	}
	return err
}
