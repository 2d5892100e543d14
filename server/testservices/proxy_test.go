package testservices

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// echo starts a server that says its name and then what it is told.
func echo(t *testing.T, name string) string {
	t.Helper()
	return listen(t, func(c net.Conn) {
		io.WriteString(c, name)
		io.Copy(c, c)
	})
}

// listen starts a server that does so with each connection. All are closed when the test ends.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return l.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { c.Close() })
	return c
}

// hear checks what comes next, and says when.
func hear(t *testing.T, c net.Conn, want string) time.Time {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("got %.100q, %v; want %.100q", got[:n], err, want)
	}
	return time.Now()
}

func say(t *testing.T, c net.Conn, what string) time.Time {
	t.Helper()
	now := time.Now()
	if _, err := io.WriteString(c, what); err != nil {
		t.Fatal(err)
	}
	return now
}

// unheard checks that nothing comes for a while.
func unheard(t *testing.T, c net.Conn, while time.Duration) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(while))
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil || !err.(net.Error).Timeout() {
		t.Errorf("%d bytes come, %v", n, err)
	}
	c.SetReadDeadline(time.Now().Add(time.Minute))
}

func TestProxy(t *testing.T) {
	const delay = 50 * time.Millisecond
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, p *Proxy, c net.Conn)
	}{
		{"passes on what is said", func(t *testing.T, _ *Proxy, c net.Conn) {
			much := strings.Repeat("0123456789", 100_000)
			go io.WriteString(c, much)
			hear(t, c, much)
		}},
		{"delays both directions, of a connection that is open and of a new one", func(t *testing.T, p *Proxy, c net.Conn) {
			p.Delay(delay)
			begin := time.Now()
			another := dial(t, p.Address)
			if took := hear(t, another, "one").Sub(begin); took < delay {
				t.Errorf("the server is heard after %s", took)
			}
			for _, c := range []net.Conn{c, another} {
				begin := say(t, c, "a")
				if took := hear(t, c, "a").Sub(begin); took < 2*delay {
					t.Errorf("the answer comes after %s", took)
				}
			}
		}},
		{"delays what follows no longer", func(t *testing.T, p *Proxy, c net.Conn) {
			const long, times = time.Second, 10
			p.Delay(long)
			begin := time.Now()
			for range times {
				say(t, c, "a")
				time.Sleep(time.Millisecond) // so that each goes for itself
			}
			if took := hear(t, c, strings.Repeat("a", times)).Sub(begin); took < 2*long || took > times*long {
				t.Errorf("%d answers come after %s", times, took)
			}
		}},
		{"delays by no less than it is told", func(t *testing.T, p *Proxy, c net.Conn) {
			p.Delay(300 * time.Microsecond)
			begin := say(t, c, "a")
			if took := hear(t, c, "a").Sub(begin); took < 600*time.Microsecond {
				t.Errorf("the answer comes after %s", took)
			}
		}},
		{"heals, and passes on what it held back", func(t *testing.T, p *Proxy, c net.Conn) {
			p.Delay(time.Hour)
			say(t, c, "a")
			unheard(t, c, delay)
			say(t, c, "b")
			p.Delay(0)
			hear(t, c, "ab")
			say(t, c, "c")
			hear(t, c, "c")
		}},
		{"keeps the order while the delay changes", func(t *testing.T, p *Proxy, c net.Conn) {
			sent := make([]byte, 2000)
			for i := range sent {
				sent[i] = byte(rand.Uint32())
			}
			go func() {
				for _, b := range sent {
					c.Write([]byte{b})
					time.Sleep(100 * time.Microsecond)
				}
			}()
			heard := make(chan []byte)
			go func() {
				got := make([]byte, len(sent))
				n, _ := io.ReadFull(c, got)
				heard <- got[:n]
			}()
			for i := 1; ; i++ {
				select {
				case got := <-heard:
					if !bytes.Equal(got, sent) {
						t.Errorf("%d of %d bytes come, or others", len(got), len(sent))
					}
					return
				case <-time.After(5 * time.Millisecond):
					p.Delay(time.Duration(i%3) * 5 * time.Millisecond)
				}
			}
		}},
		{"leads new connections to another server", func(t *testing.T, p *Proxy, c net.Conn) {
			p.To(echo(t, "two"))
			hear(t, dial(t, p.Address), "two")
			say(t, c, "a")
			hear(t, c, "a")
		}},
		{"closes connections to a server that is gone", func(t *testing.T, p *Proxy, _ net.Conn) {
			p.To("127.0.0.1:1")
			if n, err := dial(t, p.Address).Read(make([]byte, 1)); n > 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%d bytes come, %v", n, err)
			}
		}},
		{"closes what the server closes, late", func(t *testing.T, p *Proxy, _ net.Conn) {
			p.To(listen(t, func(c net.Conn) { io.WriteString(c, "bye") }))
			p.Delay(delay)
			begin := time.Now()
			c := dial(t, p.Address)
			if took := hear(t, c, "bye").Sub(begin); took < delay {
				t.Errorf("the server is heard after %s", took)
			}
			if n, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("then %d bytes come, %v", n, err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := StartProxy(t, echo(t, "one"))
			c := dial(t, p.Address)
			hear(t, c, "one")
			tt.run(t, p, c)
		})
	}
}

// noneLeft checks that the test leaves no goroutine.
func noneLeft(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// TestProxyEnds: with the test all connections end, also what is held back, and nothing goes on.
func TestProxyEnds(t *testing.T) {
	noneLeft(t)
	server := echo(t, "one")
	var c net.Conn
	ran := t.Run("a test", func(inner *testing.T) {
		p := StartProxy(inner, server)
		c = dial(t, p.Address)
		hear(inner, c, "one")
		p.Delay(time.Hour)
		for range 3 {
			say(inner, c, "a")
			time.Sleep(time.Millisecond)
		}
	})
	if !ran || c == nil {
		return // it has failed, or -run leaves it out
	}
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("its connection is still open")
	}
	if _, err := net.Dial("tcp", c.RemoteAddr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("it can still be reached: %v", err)
	}
}

// TestProxyOfClientsThatLeave: the delay can be changed while clients leave and much is on its way to them, as it is when their
// patience is over.
func TestProxyOfClientsThatLeave(t *testing.T) {
	noneLeft(t)
	t.Run("a test", func(t *testing.T) {
		p := StartProxy(t, listen(t, func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, "news"); err != nil {
					return
				}
				time.Sleep(100 * time.Microsecond)
			}
		}))
		end := time.Now().Add(2 * time.Second)
		var clients sync.WaitGroup
		defer clients.Wait()
		for range 8 {
			clients.Go(func() {
				for time.Now().Before(end) {
					c, err := net.Dial("tcp", p.Address)
					if err != nil {
						t.Error(err)
						return
					}
					io.CopyN(io.Discard, c, rand.Int64N(100))
					c.Close()
				}
			})
		}
		for time.Now().Before(end) {
			// There is no way out of a change that hangs: the proxy's end would hang too.
			changed := time.AfterFunc(20*time.Second, func() { panic("the delay isn't changed within 20 s") })
			p.Delay(time.Duration(rand.IntN(3)) * 10 * time.Millisecond)
			changed.Stop()
			time.Sleep(10 * time.Millisecond)
		}
	})
}
