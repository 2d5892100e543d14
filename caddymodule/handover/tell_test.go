package handover

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestStaying counts connections of HTTP/1.1 over TLS and those that say nothing, not those of HTTP/2.
func TestStaying(t *testing.T) {
	var s Staying
	server := httptest.NewUnstartedServer(says("x"))
	server.Config.ConnState = s.Tell
	server.EnableHTTP2 = true
	server.Listener = NewDesk().Listen(server.Listener)
	server.StartTLS()
	defer server.Close()
	opens := func(want int, when string) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); s.Open() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: %d are open, want %d", when, s.Open(), want)
			}
		}
	}
	get := func(c *http.Client, major int) {
		t.Helper()
		res, err := c.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.ProtoMajor != major {
			t.Fatalf("HTTP/%d, %v", res.ProtoMajor, err)
		}
	}
	two := server.Client()
	get(two, 2)
	opens(0, "HTTP/2")

	one := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // a certificate of the test's own
	for range 3 {
		get(one, 1)
		opens(1, "HTTP/1.1")
	}
	silent, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	opens(2, "one before the handshake")
	silent.Close()
	opens(1, "it is gone")
	one.CloseIdleConnections()
	opens(0, "HTTP/1.1 is gone")
}

// TestRetire: a server that is retired accepts no more, and goes on with what it has accepted; all of that was told.
func TestRetire(t *testing.T) {
	a := newAddress(t)
	old := a.serve(says("old"))
	kept, keptReader := a.dial()
	if got := ask(t, kept, keptReader, get); got != "old GET " {
		t.Fatalf("got %q", got)
	}
	a.desk.Retire(t.Context()) // there is none before
	c, r := a.dial()
	if got := ask(t, c, r, get); got != "old GET " {
		t.Errorf("the only server was retired: %q", got)
	}
	a.serve(says("new"))
	for range 2 {
		a.desk.Retire(t.Context())
	}
	for range 20 {
		c, r := a.dial()
		if got := ask(t, c, r, get); got != "new GET " {
			t.Errorf("a new connection: %q", got)
		}
	}
	if got := ask(t, kept, keptReader, get); got != "old GET " {
		t.Errorf("one from before: %q", got)
	}
	shutdown(t, old)
	if got := ask(t, kept, keptReader, post); got != "new POST body" {
		t.Errorf("when the old one has ended: %q", got)
	}
}

// TestRetireNobody: a listener from which nobody accepts isn't waited for without end.
func TestRetireNobody(t *testing.T) {
	a := newAddress(t)
	l := a.desk.Listen(a.below.open())
	defer l.Close()
	a.serve(says("new"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	a.desk.Retire(ctx)
	if ctx.Err() == nil {
		t.Error("it was taken for one whose server waits")
	}
	for i := range 3 {
		c, r := a.dial()
		if got := ask(t, c, r, get); got != "new GET " {
			t.Errorf("%d: %q", i, got)
		}
	}
}

// TestRetireTells: when Retire returns, each connection that an old server has accepted is either told or given to the new one.
func TestRetireTells(t *testing.T) {
	for range 30 {
		a := newAddress(t)
		var s Staying
		old := &http.Server{Handler: says("old"), ConnState: s.Tell}
		go old.Serve(wrapped{a.desk.Listen(a.below.open())})
		t.Cleanup(func() { old.Close() })
		dialled := make(chan net.Conn)
		go func() {
			defer close(dialled)
			for range 20 {
				c, err := net.Dial("tcp", a.below.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				dialled <- c
			}
		}()
		var conns []net.Conn
		for range 5 {
			conns = append(conns, <-dialled)
		}
		a.serve(says("new"))
		a.desk.Retire(t.Context())
		before := s.Open()
		for c := range dialled {
			conns = append(conns, c)
		}
		time.Sleep(time.Millisecond)
		if now := s.Open(); now != before {
			t.Fatalf("%d were told when the old server was retired, %d later", before, now)
		}
		var byOld int
		for _, c := range conns {
			c.SetDeadline(time.Now().Add(10 * time.Second))
			if ask(t, c, bufio.NewReader(c), get) == "old GET " {
				byOld++
			}
			c.Close()
		}
		if byOld != before {
			t.Fatalf("the old server answered %d, %d were told", byOld, before)
		}
	}
}

// wrapped hides that its connections are a desk's, and takes a moment for each.
type wrapped struct{ net.Listener }

func (w wrapped) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	time.Sleep(100 * time.Microsecond)
	return struct{ net.Conn }{c}, nil
}
