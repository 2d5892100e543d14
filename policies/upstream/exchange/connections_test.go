package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestClosedMeanwhile: what the server did to a connection while nobody used it is seen before it is used.
func TestClosedMeanwhile(t *testing.T) {
	s := listen(t)
	conns := make(chan net.Conn)
	go func() {
		for {
			c, err := s.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
			conns <- c
		}
	}()
	for name, meddle := range map[string]func(c net.Conn){
		"it closed it":           func(c net.Conn) { c.Close() },
		"it sent another answer": func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison") },
		"it half-closed it":      func(c net.Conn) { _ = c.(*net.UnixConn).CloseWrite() },
	} {
		t.Run(name, func(t *testing.T) {
			c := s.client(t)
			for round := range 2 {
				res, told, err := c.Do(t.Context(), request("GET", "/"), nil)
				if status, body, err := read(res, err); status != 204 || body != "" || err != nil || told.Reused {
					t.Fatalf("round %d: %d %q %v %+v, want 204 on a new connection", round, status, body, err, told)
				}
				k := <-conns
				meddle(k)
				defer k.Close()
			}
		})
	}
}

// unseen is a connection that can't be looked at, so that what the server did to it shows when it is used, as it does if that
// happens just then.
type unseen struct{ net.Conn }

// TestClosedJustThen: when the server closes an unused connection too late for that to be seen, nothing has been sent, so another
// connection is taken, without a word about the server.
func TestClosedJustThen(t *testing.T) {
	for name, a := range map[string]struct {
		idle   []bool // which of the unused connections are still open, the one that is taken first being the last
		gone   bool   // nor can there be a new one
		reused bool
		left   int // unused connections that are kept afterwards
		dials  int64
	}{
		"the only one":           {idle: []bool{false}, left: 1, dials: 1},
		"all of them":            {idle: []bool{false, false, false}, left: 1, dials: 1},
		"not the one below":      {idle: []bool{false, true, false}, reused: true, left: 2},
		"and the server is gone": {idle: []bool{false, false}, gone: true, dials: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(http.ResponseWriter, *http.Request) {})
			c := s.client(t)
			dial, dials := c.Dial, int64(0)
			for _, open := range a.idle {
				k := closed(t)
				if open {
					var err error
					if k, err = dial(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				c.keep(newConn(c, unseen{k}))
			}
			c.Dial = func(ctx context.Context) (net.Conn, error) {
				if dials++; a.gone {
					return nil, errors.New("it is gone")
				}
				return dial(ctx)
			}
			res, told, err := c.Do(t.Context(), request("POST", "/"), []byte("once"))
			if _, _, err := read(res, err); (err != nil) != a.gone || told != (Account{Fit: true, Sent: !a.gone, Heard: !a.gone, Reused: a.reused}) {
				t.Errorf("%v, %+v", err, told)
			}
			if dials != a.dials || len(c.idle) != a.left {
				t.Errorf("%d new connections and %d unused ones are left, want %d and %d", dials, len(c.idle), a.dials, a.left)
			}
		})
	}
	t.Run("a new one", func(t *testing.T) {
		dials := 0
		c := &Client{MaxIdle: 9, Dial: func(context.Context) (net.Conn, error) {
			dials++
			return closed(t), nil
		}}
		if _, told, err := c.Do(t.Context(), request("POST", "/"), nil); err == nil || told != (Account{Fit: true}) || dials != 1 {
			t.Errorf("%v, %+v after %d connections, want an error, nothing sent and one connection", err, told, dials)
		}
	})
}

// closed is a connection whose other side is closed.
func closed(t *testing.T) net.Conn {
	l := listen(t)
	defer l.Close()
	here, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	there, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	there.Close()
	return here
}

// TestEnds: whatever ends an exchange ends it at once, and its connection is not used again.
func TestEnds(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/silent":
			<-r.Context().Done()
		case "/half":
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	})
	cancelled := func(t *testing.T) (context.Context, func()) { return context.WithCancel(t.Context()) }
	for name, a := range map[string]struct {
		path string
		end  func(cancel func(), res *http.Response)
		err  error // of Do
		body error // of reading
	}{
		"before an answer": {"/silent", func(cancel func(), _ *http.Response) { cancel() }, context.Canceled, nil},
		"within a body":    {"/half", func(cancel func(), _ *http.Response) { cancel() }, nil, context.Canceled},
		"by closing":       {"/half", func(_ func(), res *http.Response) { res.Body.Close() }, nil, net.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.client(t)
			ctx, cancel := cancelled(t)
			defer cancel()
			if a.err != nil {
				time.AfterFunc(20*time.Millisecond, func() { a.end(cancel, nil) })
			}
			res, told, err := c.Do(ctx, request("GET", a.path), nil)
			if !errors.Is(err, a.err) || !told.Sent {
				t.Fatalf("%v, %+v, want %v", err, told, a.err)
			}
			if err == nil {
				time.AfterFunc(20*time.Millisecond, func() { a.end(cancel, res) })
				if body, err := io.ReadAll(res.Body); !errors.Is(err, a.body) || string(body) != "half" {
					t.Fatalf("%q, %v, want half of the body and %v", body, err, a.body)
				}
				if n, err := res.Body.Read(make([]byte, 9)); n > 0 || err == nil || err == io.EOF {
					t.Fatalf("reading on gives %d bytes and %v", n, err)
				}
				res.Body.Close()
			}
			if k := c.take(); k != nil {
				t.Error("the connection is kept")
			}
		})
	}
	t.Run("while connecting", func(t *testing.T) {
		c := &Client{Dial: func(ctx context.Context) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, told, err := c.Do(ctx, request("GET", "/"), nil); !errors.Is(err, context.DeadlineExceeded) || told != (Account{Fit: true}) {
			t.Errorf("%v, %+v", err, told)
		}
	})
	t.Run("when all was read", func(t *testing.T) {
		c := s.client(t)
		ctx, cancel := cancelled(t)
		if status, _, err := read(first(c.Do(ctx, request("GET", "/nothing"), nil))); status != 200 || err != nil {
			t.Fatal(status, err)
		}
		cancel() // means nothing to the connection any more
		res, told, err := c.Do(t.Context(), request("GET", "/nothing"), nil)
		if status, _, err := read(res, err); status != 200 || err != nil || !told.Reused {
			t.Errorf("%d, %v, %+v, want the same connection", status, err, told)
		}
	})
}

func first(res *http.Response, _ Account, err error) (*http.Response, error) { return res, err }

// TestForgets: a connection that is kept holds on to nothing of the request that it was used for.
func TestForgets(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hi") })
	c := s.client(t)
	var gone atomic.Bool
	func() {
		type key struct{}
		value := make([]byte, 1<<16)
		runtime.AddCleanup(&value[0], func(gone *atomic.Bool) { gone.Store(true) }, &gone)
		ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, value))
		defer cancel()
		if _, body, err := read(first(c.Do(ctx, request("GET", "/"), nil))); body != "hi" || err != nil {
			t.Fatal(body, err)
		}
	}()
	if len(c.idle) != 1 {
		t.Fatal("the connection isn't kept")
	}
	for range 100 {
		if runtime.GC(); gone.Load() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("the context of the request is still held")
}

func TestKept(t *testing.T) {
	held := make(chan struct{})
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/held" {
			<-held
		}
	})
	t.Run("no more than MaxIdle", func(t *testing.T) {
		c := s.client(t)
		c.MaxIdle = 2
		var ks []*conn
		for range 3 {
			raw, err := c.Dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			ks = append(ks, newConn(c, raw))
		}
		for _, k := range ks {
			c.keep(k)
		}
		if len(c.idle) != 2 || !ks[0].quiet() || ks[2].quiet() {
			t.Errorf("%d connections are kept, want 2, and the third closed", len(c.idle))
		}
	})
	t.Run("none in use when told to close", func(t *testing.T) {
		c := s.client(t)
		done := make(chan error)
		go func() {
			_, _, err := read(first(c.Do(context.Background(), request("GET", "/held"), nil)))
			done <- err
		}()
		for s.accepted.Load() < 4 {
			time.Sleep(time.Millisecond)
		}
		c.CloseIdleConnections()
		close(held)
		if err := <-done; err != nil || len(c.idle) != 0 {
			t.Errorf("%v, %d connections are kept, want none", err, len(c.idle))
		}
		if _, _, err := read(first(c.Do(t.Context(), request("GET", "/"), nil))); err != nil || len(c.idle) != 1 {
			t.Errorf("%v, %d connections are kept after the next request, want 1", err, len(c.idle))
		}
	})
}

// TestExpires needs no server: what isn't used is closed after its time, the others stay.
func TestExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Client{MaxIdle: 10, IdleTimeout: time.Minute}
		keep := func() net.Conn {
			a, b := net.Pipe()
			c.keep(newConn(c, a))
			return b
		}
		isClosed := func(other net.Conn) bool {
			_ = other.SetReadDeadline(time.Now().Add(time.Nanosecond))
			_, err := other.Read(make([]byte, 1))
			return err == io.EOF
		}
		early := keep()
		time.Sleep(40 * time.Second)
		late := keep()
		for _, a := range []struct {
			after       time.Duration
			early, late bool
		}{{19 * time.Second, false, false}, {2 * time.Second, true, false}, {38 * time.Second, true, false}, {2 * time.Second, true, true}} {
			time.Sleep(a.after)
			synctest.Wait()
			if isClosed(early) != a.early || isClosed(late) != a.late {
				t.Fatalf("at %v: closed are %t, %t, want %t, %t", time.Now(), isClosed(early), isClosed(late), a.early, a.late)
			}
		}
		if c.prune != nil {
			t.Error("a timer waits for nothing")
		}
		again := keep()
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if !isClosed(again) {
			t.Error("after all had expired nothing expires any more")
		}
	})
}

// TestNobodyElsesAnswer: among many exchanges of which some are given up at any moment, each gets its own answer or an error.
func TestNobodyElsesAnswer(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if n := len(body) % 5; n > 2 {
			time.Sleep(time.Duration(n*50) * time.Microsecond)
		}
		fmt.Fprintf(w, "%s %s", r.RequestURI, body)
		if len(body)%7 == 0 { // comes in chunks
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, strings.Repeat("+", len(body)))
		}
		if len(body)%11 == 0 {
			w.Header().Set("Connection", "close")
		}
	})
	c := s.client(t)
	var all sync.WaitGroup
	var done, ended [16]int
	for n := range 16 {
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(n)))
			for i := range 400 {
				ctx, cancel := context.WithCancel(t.Context())
				if rnd.IntN(3) == 0 {
					time.AfterFunc(time.Duration(rnd.IntN(300))*time.Microsecond, cancel)
				}
				path, body := fmt.Sprintf("/%d/%d", n, i), strings.Repeat("b", rnd.IntN(5000))
				res, _, err := c.Do(ctx, request("POST", path), []byte(body))
				if err == nil && rnd.IntN(10) == 0 {
					res.Body.Close() // not wanted any more
				}
				want := path + " " + body
				if len(body)%7 == 0 {
					want += strings.Repeat("+", len(body))
				}
				switch _, got, err := read(res, err); {
				case err != nil:
					ended[n]++
				case got != want:
					t.Errorf("%s is answered with %.40s", path, got)
				default:
					done[n]++
				}
				cancel()
			}
		})
	}
	all.Wait()
	var sum [2]int
	for n := range done {
		sum[0] += done[n]
		sum[1] += ended[n]
	}
	if sum[0] < 1000 || sum[1] < 100 {
		t.Errorf("%d were answered and %d ended, which shows little", sum[0], sum[1])
	}
}
