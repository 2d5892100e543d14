package succession

import (
	"errors"
	"net"
	"runtime"

	"golang.org/x/sys/unix"
)

// bind calls listen, and, if this process may not have the port, once more with the capability for it. It needs only be permitted to
// take that, as by `setcap cap_net_bind_service=+p`; so does Caddy for its own networks.
func bind(listen func() (net.Listener, error)) (net.Listener, error) {
	l, err := listen()
	if !errors.Is(err, unix.EACCES) {
		return l, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: capabilities belong to a thread, which ends with this goroutine
		if setEffective(unix.CAP_NET_BIND_SERVICE, true) == nil {
			l, err = listen()
			_ = setEffective(unix.CAP_NET_BIND_SERVICE, false) // the first thread doesn't end
		}
	}()
	<-done
	return l, err
}

// setEffective turns a capability below 32 of this thread on or off. To turn it on it has to be permitted.
func setEffective(capability uint, on bool) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	data[0].Effective &^= 1 << capability
	if on {
		data[0].Effective |= 1 << capability
	}
	return unix.Capset(&header, &data[0])
}
