package succession

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

func listen(t *testing.T, s *Sockets, address string) net.Listener {
	t.Helper()
	l, err := s.Listen(context.Background(), "tcp", address, net.ListenConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// serve accepts until the listener is closed.
func serve(l net.Listener) (served func() int) {
	n, done := 0, make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n++
			_, _ = c.Write([]byte("x"))
			_ = c.Close()
		}
	}()
	return func() int { <-done; return n }
}

// TestListenersChange replaces the listener of an address again and again while clients connect. None is refused or reset.
func TestListenersChange(t *testing.T) {
	s := NewSockets()
	first := listen(t, s, "127.0.0.1:0")
	address := first.Addr().String()
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c, err := net.Dial("tcp", address)
				if err != nil {
					t.Errorf("cannot connect: %v", err)
					return
				}
				if n, err := c.Read(make([]byte, 1)); n != 1 {
					t.Errorf("not served: %v", err)
				}
				_ = c.Close()
			}
		})
	}
	current, served := first, serve(first)
	for range 200 {
		next := listen(t, s, "127.0.0.1:0") // what counts is what it was asked for
		nextServed := serve(next)
		_ = current.Close()
		served()
		current, served = next, nextServed
	}
	close(stop)
	clients.Wait()
	_ = current.Close()
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("the last listener is closed, and the socket isn't")
	}
}

// TestShut: while it is shut connections wait, and a listener that is closed then ends.
func TestShut(t *testing.T) {
	s := NewSockets()
	l := listen(t, s, "127.0.0.1:0")
	accepted := make(chan error)
	accept := func(l net.Listener) {
		c, err := l.Accept()
		if c != nil {
			_ = c.Close()
		}
		accepted <- err
	}
	go accept(l)
	s.Shut()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	late := listen(t, s, "127.0.0.1:0")
	select {
	case err := <-accepted:
		t.Fatalf("accepted while shut: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	go accept(late)
	_ = late.Close()
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the closed listener says %v", err)
	}
	s.Open()
	if err := <-accepted; err != nil {
		t.Error(err)
	}
}

// TestVersionsOfIP: listeners of one port for IPv4 and for IPv6 have a socket each.
func TestVersionsOfIP(t *testing.T) {
	s := NewSockets()
	four := listen(t, s, "127.0.0.1:0")
	_, port, err := net.SplitHostPort(four.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ network, address, same string }{
		{"tcp4", "127.0.0.1:" + port, "tcp4/127.0.0.1:" + port},
		{"tcp6", "[::1]:" + port, "tcp6/[::1]:" + port},
	} {
		l, err := s.Listen(context.Background(), test.network, test.address, net.ListenConfig{})
		if err != nil {
			if test.network == "tcp6" && !hasIPv6() {
				continue
			}
			t.Fatalf("%s: %v", test.network, err)
		}
		if s.byAddress[test.same] == nil || l.Addr().String() != test.address {
			t.Errorf("%s listens on %s", test.network, l.Addr())
		}
		_ = l.Close()
	}
	if _, err := s.Listen(context.Background(), "tcp4", "[::1]:"+port, net.ListenConfig{}); err == nil {
		t.Error("an address of IPv6 is one of IPv4")
	}
}

func hasIPv6() bool {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err == nil {
		_ = l.Close()
	}
	return err == nil
}
