package handover

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// address is a loopback address that several servers take over from each other, as Caddy's configurations do.
type address struct {
	t     *testing.T
	desk  *Desk
	below *sharedListener
}

func newAddress(t *testing.T) *address {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &address{t, NewDesk(), &sharedListener{Listener: l, accepted: make(chan net.Conn)}}
}

// sharedListener stays open when a server closes what open returned, as Caddy's does.
type sharedListener struct {
	net.Listener
	accepted chan net.Conn
	start    sync.Once
}

type lease struct {
	*sharedListener
	done chan struct{}
}

func (s *sharedListener) open() net.Listener {
	s.start.Do(func() {
		go func() {
			for {
				c, err := s.Listener.Accept()
				if err != nil {
					return
				}
				s.accepted <- c
			}
		}()
	})
	return &lease{s, make(chan struct{})}
}

func (l *lease) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *lease) Close() error { close(l.done); return nil }

// serve starts a server.
func (a *address) serve(h http.HandlerFunc) *http.Server {
	s := &http.Server{Handler: h, ConnState: new(Staying).Tell}
	a.desk.NextTurn()
	go s.Serve(a.desk.Listen(a.below.open()))
	a.t.Cleanup(func() { s.Close() })
	return s
}

func (a *address) dial() (net.Conn, *bufio.Reader) {
	a.t.Helper()
	c, err := net.Dial("tcp", a.below.Addr().String())
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return c, bufio.NewReader(c)
}

// ask sends a request and returns the answer's body.
func ask(t *testing.T, c net.Conn, r *bufio.Reader, request string) string {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, r)
}

func readAnswer(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", text, r.Method, b)
	}
}

const (
	get  = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
)

func shutdown(t *testing.T, s *http.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

// TestIdleConnectionLivesOn is the point of it all: the client keeps its connection, and the new server answers.
func TestIdleConnectionLivesOn(t *testing.T) {
	a := newAddress(t)
	server := a.serve(says("first"))
	c, r := a.dial()
	if got := ask(t, c, r, get); got != "first GET " {
		t.Fatalf("got %q", got)
	}
	for i := range 3 {
		next := a.serve(says(fmt.Sprint("server ", i)))
		shutdown(t, server)
		if got, want := ask(t, c, r, post), fmt.Sprintf("server %d POST body", i); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		server = next
	}
}

// TestHalfARequest is sent to the old server and completed under the new one.
func TestHalfARequest(t *testing.T) {
	for cut := 1; cut < len(post); cut++ {
		a := newAddress(t)
		old := a.serve(says("old"))
		c, r := a.dial()
		ask(t, c, r, get)
		if _, err := io.WriteString(c, post[:cut]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // either has or hasn't read it: both are right
		a.serve(says("new"))
		done := make(chan struct{})
		go func() { defer close(done); shutdown(t, old) }()
		time.Sleep(time.Millisecond)
		got := ask(t, c, r, post[cut:])
		if got != "new POST body" && got != "old POST body" {
			t.Errorf("cut at %d: got %q", cut, got)
		}
		<-done
	}
}

// TestWithoutSuccessor ends connections as ever.
func TestWithoutSuccessor(t *testing.T) {
	a := newAddress(t)
	old := a.serve(says("old"))
	c, r := a.dial()
	ask(t, c, r, get)
	shutdown(t, old)
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection should have ended: %v", err)
	}
}

// TestNotHandedOver lists the connections that end with their server, because what is on its way can't be known.
func TestNotHandedOver(t *testing.T) {
	t.Run("a handler that gives up", func(t *testing.T) {
		a := newAddress(t)
		var calls atomic.Int32
		release, entered := make(chan struct{}), make(chan struct{})
		abort := func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			_, _ = io.ReadAll(r.Body)
			close(entered)
			<-release
			panic(http.ErrAbortHandler)
		}
		old := a.serve(abort)
		c, r := a.dial()
		if _, err := io.WriteString(c, post); err != nil {
			t.Fatal(err)
		}
		<-entered
		a.serve(func(http.ResponseWriter, *http.Request) { calls.Add(1) })
		done := make(chan struct{})
		go func() { defer close(done); shutdown(t, old) }()
		time.Sleep(5 * time.Millisecond) // the listener is closed
		close(release)
		<-done
		if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("the connection should have ended: %v", err)
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("the request was handled %d times", n)
		}
	})
	t.Run("HTTP/2 without TLS", func(t *testing.T) {
		t.Parallel() // it takes 5 s
		a := newAddress(t)
		old := a.serve(says("old"))
		c, r := a.dial()
		if _, err := io.WriteString(c, "PRI * HT"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
		a.serve(says("new"))
		shutdown(t, old) // takes the connection for idle after 5 s
		if b, err := r.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("the connection should have ended: %q, %v", b, err)
		}
	})
	t.Run("HTTP/2 that was answered", func(t *testing.T) {
		a := newAddress(t)
		serve := func(text string) *http.Server {
			s := &http.Server{Handler: says(text), ConnState: new(Staying).Tell, Protocols: new(http.Protocols)}
			s.Protocols.SetHTTP1(true)
			s.Protocols.SetUnencryptedHTTP2(true)
			go s.Serve(a.desk.Listen(a.below.open()))
			t.Cleanup(func() { s.Close() })
			return s
		}
		old := serve("old")
		c, r := a.dial()
		for _, frame := range []string{
			"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00",             // SETTINGS
			"\x00\x00\x00\x04\x01\x00\x00\x00\x00" + "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678", // its ACK, PING
		} {
			if _, err := io.WriteString(c, frame); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
		}
		serve("new")
		shutdown(t, old)
		c.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.ReadAll(r); err != nil {
			t.Errorf("the connection should have ended: %v", err)
		}
	})
	for name, second := range map[string]string{
		"a request after one that ends while the server does": get,
		"a head without its body after one":                   "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			a := newAddress(t)
			release, entered := make(chan struct{}), make(chan struct{})
			old := a.serve(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "3")
				w.(http.Flusher).Flush() // the head promises to keep the connection
				close(entered)
				<-release
				io.WriteString(w, "old")
			})
			c, r := a.dial()
			if _, err := io.WriteString(c, get+second); err != nil {
				t.Fatal(err)
			}
			<-entered
			a.serve(says("new"))
			done := make(chan struct{})
			go func() { defer close(done); shutdown(t, old) }()
			time.Sleep(5 * time.Millisecond) // the listener is closed
			close(release)
			readAnswer(t, r)
			<-done
			if b, err := r.ReadByte(); err == nil {
				t.Errorf("the connection should have ended: %q", b)
			}
		})
	}
	t.Run("a client that went ahead", func(t *testing.T) {
		a := newAddress(t)
		old := a.serve(says("old"))
		c, r := a.dial()
		if _, err := io.WriteString(c, get+get); err != nil {
			t.Fatal(err)
		}
		readAnswer(t, r)
		readAnswer(t, r)
		a.serve(says("new"))
		shutdown(t, old)
		if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("the connection should have ended: %v", err)
		}
	})
	t.Run("a client that left", func(t *testing.T) {
		a := newAddress(t)
		old := a.serve(says("old"))
		c, r := a.dial()
		ask(t, c, r, get)
		c.Close()
		a.serve(says("new"))
		shutdown(t, old)
	})
}

// TestEndsWhileTheServerDoes keeps the connection of a request whose answer began before the change and ends after it: its
// head promised so.
func TestEndsWhileTheServerDoes(t *testing.T) {
	a := newAddress(t)
	release, entered := make(chan struct{}), make(chan struct{})
	old := a.serve(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Length", "3")
		w.(http.Flusher).Flush()
		close(entered)
		<-release
		io.WriteString(w, "old")
	})
	c, r := a.dial()
	if _, err := io.WriteString(c, post); err != nil {
		t.Fatal(err)
	}
	<-entered
	a.serve(says("new"))
	done := make(chan struct{})
	go func() { defer close(done); shutdown(t, old) }()
	time.Sleep(5 * time.Millisecond)
	close(release)
	if got := readAnswer(t, r); got != "old" {
		t.Errorf("got %q", got)
	}
	if got := ask(t, c, r, get); got != "new GET " {
		t.Errorf("got %q", got)
	}
	<-done
}

func TestRequestLength(t *testing.T) {
	for request, want := range map[string]int{
		"":                              -1,
		"GET / HTTP/1.1\r\nHost: x\r\n": -1,
		get:                             len(get),
		get + "GET":                     len(get),
		post:                            len(post),
		post[:len(post)-2]:              len(post),
		"POST / HTTP/1.1\r\ncontent-LENGTH:  12 \r\n\r\n":        len("POST / HTTP/1.1\r\ncontent-LENGTH:  12 \r\n\r\n") + 12,
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0": -1,
		"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n": -1,
		"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n":           -1,
		"POST / HTTP/1.1\r\nX-Content-Length: 5\r\n\r\n":         len("POST / HTTP/1.1\r\nX-Content-Length: 5\r\n\r\n"),
	} {
		if got := requestLength([]byte(request)); got != want {
			t.Errorf("%q: %d, want %d", request, got, want)
		}
	}
}

// TestClosedBeforeIdleIsTold shuts a server down in the moment in which it takes a connection for idle and hasn't said so.
func TestClosedBeforeIdleIsTold(t *testing.T) {
	a := newAddress(t)
	var old *http.Server
	var once sync.Once
	var staying Staying
	old = &http.Server{Handler: says("old"), ConnState: func(c net.Conn, state http.ConnState) {
		if state == http.StateIdle {
			once.Do(func() {
				a.serve(says("new"))
				shutdown(t, old)
			})
		}
		staying.Tell(c, state)
	}}
	go old.Serve(a.desk.Listen(a.below.open()))
	c, r := a.dial()
	if got := ask(t, c, r, post); got != "old POST body" {
		t.Errorf("got %q", got)
	}
	if got := ask(t, c, r, post); got != "new POST body" {
		t.Errorf("got %q", got)
	}
}

// TestChangesUnderLoad replaces the server again and again while clients write on connections that they keep, and never
// repeat a request. Every request is answered and handled once.
func TestChangesUnderLoad(t *testing.T) {
	a := newAddress(t)
	var handled atomic.Int64
	count := func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		handled.Add(1)
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		_, _ = w.Write(b)
	}
	server := a.serve(count)
	var stop atomic.Bool
	var sent, broken atomic.Int64
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() {
			var c net.Conn
			var r *bufio.Reader
			body := strings.Repeat("x", 3000)
			request := fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			for !stop.Load() {
				if c == nil {
					c, r = a.dial()
				}
				sent.Add(1)
				_, err := io.WriteString(c, request)
				var res *http.Response
				if err == nil {
					res, err = http.ReadResponse(r, nil)
				}
				if err == nil {
					_, err = io.Copy(io.Discard, res.Body)
				}
				if err != nil {
					broken.Add(1)
					t.Logf("broken: %v", err)
				}
				if err != nil || res.Close {
					c.Close()
					c = nil
				}
			}
		})
	}
	var old sync.WaitGroup
	for range 100 {
		time.Sleep(10 * time.Millisecond)
		next := a.serve(count)
		before := server
		old.Go(func() { shutdown(t, before) })
		server = next
	}
	stop.Store(true)
	clients.Wait()
	old.Wait()
	t.Logf("%d requests, %d handled, %d broken", sent.Load(), handled.Load(), broken.Load())
	if n := broken.Load(); n > 0 {
		t.Errorf("%d of %d requests broke", n, sent.Load())
	}
	if handled.Load() != sent.Load()-broken.Load() {
		t.Errorf("%d requests were sent, %d broke and %d were handled", sent.Load(), broken.Load(), handled.Load())
	}
}

func BenchmarkRequest(b *testing.B) {
	for _, wrapped := range []bool{false, true} {
		b.Run(fmt.Sprintf("wrapped=%t", wrapped), func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			addr := l.Addr().String()
			s := &http.Server{Handler: says("")}
			if wrapped {
				l, s.ConnState = NewDesk().Listen(l), new(Staying).Tell
			}
			go s.Serve(l)
			defer s.Close()
			c, err := net.Dial("tcp", addr)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			answer := make([]byte, 4096)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := io.WriteString(c, get); err != nil {
					b.Fatal(err)
				}
				if _, err := c.Read(answer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
