//go:build unix

package socketpair

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// New makes a connected pair of stream sockets, of which no process inherits an end by accident: ours as a connection, and the
// other process's as a file that can be passed on.
func New(name string) (ours *net.UnixConn, theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a pair of sockets for %s: %w", name, err)
	}
	theirs = os.NewFile(uintptr(fds[1]), name)
	if ours, err = Take(os.NewFile(uintptr(fds[0]), name)); err != nil {
		_ = theirs.Close()
		return nil, nil, fmt.Errorf("cannot use a pair of sockets for %s: %w", name, err)
	}
	return ours, theirs, nil
}

// Take makes a connection of an end. The file is closed.
func Take(f *os.File) (*net.UnixConn, error) {
	defer f.Close()
	c, err := net.FileConn(f) // with a descriptor of its own
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		_ = c.Close()
		return nil, errors.New("it is no unix socket")
	}
	return u, nil
}
