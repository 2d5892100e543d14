package handover

import (
	"errors"
	"net"
	"os"
	"reflect"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/sys/unix"
)

// socket is a listener that has one of its own.
type socket interface {
	net.Listener
	syscall.Conn
	SetDeadline(t time.Time) error
}

// socketOf returns the listener of the socket that l listens on; nil: it isn't known. Caddy wraps what it opens in a type that
// nobody else can name, and that has it in a field. Other wrappers, such as TLS, give their connections something more.
func socketOf(l net.Listener) socket {
	for range 4 {
		if s, ok := l.(*net.TCPListener); ok {
			return s
		}
		v := reflect.ValueOf(l)
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct || v.Type().PkgPath() != reflect.TypeFor[caddy.NetworkAddress]().PkgPath() {
			return nil
		}
		field := v.FieldByName("Listener")
		if !field.IsValid() || !field.CanInterface() {
			return nil
		}
		inner, ok := field.Interface().(net.Listener)
		if !ok {
			return nil
		}
		l = inner
	}
	return nil
}

// waiting accepts all connections that wait in the socket, and doesn't wait itself.
func waiting(s socket) (out []net.Conn) {
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	_ = raw.Control(func(fd uintptr) {
		for {
			n, _, err := unix.Accept4(int(fd), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			switch {
			case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED):
				continue
			case err != nil:
				return
			}
			f := os.NewFile(uintptr(n), "")
			c, err := net.FileConn(f) // a duplicate
			_ = f.Close()
			if err == nil {
				out = append(out, c)
			}
		}
	})
	return out
}
