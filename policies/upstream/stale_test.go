package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// rawWorker speaks HTTP on bare connections: answer is called for every request with the number of the connection and
// of the request on it, and returns false to close the connection instead of answering.
func rawWorker(t *testing.T, answer func(conn, request int) bool) Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for conn := 1; ; conn++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func(conn int) {
				defer c.Close()
				in := bufio.NewReader(c)
				for request := 1; ; request++ {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					io.Copy(io.Discard, r.Body)
					if !answer(conn, request) {
						return
					}
					io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				}
			}(conn)
		}
	}()
	return Target{Name: "raw", Address: l.Addr().String()}
}

// TestStaleConnection: the worker closes a connection that was used before when the next request arrives on it, as
// Node does with idle ones. The only worker is asked again at once; a write is not, since it may have been done.
func TestStaleConnection(t *testing.T) {
	for _, test := range []struct {
		name  string
		req   Request
		again bool
	}{
		{"a read with POST", Request{Method: "POST", URI: "/x", Body: []byte(`{"_method":"GET"}`)}, true},
		{"a read with GET", Request{Method: "GET", URI: "/x"}, true},
		{"a write", Request{Method: "POST", URI: "/x", Body: []byte("{}"), Write: true}, false},
		{"a write without a body", Request{Method: "DELETE", URI: "/x", Write: true}, false},
		// net/http would repeat these by itself.
		{"a write with GET", Request{Method: "GET", URI: "/x", Write: true}, false},
		{"a write with an idempotency key", Request{Method: "POST", URI: "/x", Write: true, Header: http.Header{"Idempotency-Key": {"k"}}}, false},
		{"a write with an idempotency key and body", Request{Method: "POST", URI: "/x", Write: true, Header: http.Header{"X-Idempotency-Key": {"k"}}, Body: []byte("{}")}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var arrived atomic.Int64
			target := rawWorker(t, func(conn, request int) bool {
				arrived.Add(1)
				return conn != 1 || request == 1
			})
			p := newPool(t, Options{}, target)
			if _, err := p.Do(context.Background(), &Request{Method: "GET", URI: "/first"}); err != nil {
				t.Fatal(err)
			}
			res, err := p.Do(context.Background(), &test.req)
			if test.again {
				if err != nil || string(res.Body) != "ok" {
					t.Fatalf("got %+v, %v", res, err)
				}
			} else if !errors.Is(err, ErrOutcomeUnknown) {
				t.Fatalf("got %+v, %v, want ErrOutcomeUnknown", res, err)
			}
			if n := arrived.Load(); test.again != (n == 3) {
				t.Errorf("%d requests arrived", n)
			}
			if s := p.Status()[0]; s.Failures != 0 || s.Breaker != "closed" {
				t.Errorf("a stale connection counts against the worker: %+v", s)
			}
		})
	}
}

// When one idle connection is stale the others mostly are, too: one retry must be enough.
func TestManyStaleConnections(t *testing.T) {
	var together sync.WaitGroup
	together.Add(4)
	target := rawWorker(t, func(conn, request int) bool {
		if conn <= 4 && request == 1 {
			together.Done()
			together.Wait() // so that four connections are in use at once
		}
		return conn > 4 || request == 1
	})
	p := newPool(t, Options{Retries: 1}, target)
	var first sync.WaitGroup
	for range 4 {
		first.Go(func() {
			if _, err := p.Do(context.Background(), &Request{Method: "GET", URI: "/x"}); err != nil {
				t.Error(err)
			}
		})
	}
	first.Wait()
	res, err := p.Do(context.Background(), &Request{Method: "POST", URI: "/x", Body: []byte("{}")})
	if err != nil || res.Attempts != 2 {
		t.Errorf("got %+v, %v", res, err)
	}
}

// brokenConn fails before it writes a byte once it is marked.
type brokenConn struct {
	net.Conn
	broken *atomic.Bool
}

func (c brokenConn) Write(b []byte) (int, error) {
	if c.broken.Load() {
		return 0, errors.New("broken pipe")
	}
	return c.Conn.Write(b)
}

// TestNothingWritten: a write on a connection that was used before, of which it is certain that no byte was written, is sent again on
// another one, which is no failure of the worker.
func TestNothingWritten(t *testing.T) {
	for kind, a := range map[Kind]struct {
		network  string
		attempts int
	}{Remote: {"tcp", 2}, Bundled: {"unix", 1}} {
		network := a.network
		t.Run(kind.String(), func(t *testing.T) {
			w := newWorker(t, network, answer("ok"))
			var broken atomic.Bool
			target := w.target("w", kind)
			dials := 0
			target.Dial = func(ctx context.Context) (net.Conn, error) {
				c, err := net.Dial(network, w.address)
				if dials++; dials > 1 {
					return c, err
				}
				return brokenConn{c, &broken}, err
			}
			p := newPool(t, Options{}, target)
			for i := range 2 {
				res, err := p.Do(context.Background(), &Request{Method: "POST", URI: "/x", Body: []byte("{}"), Write: true})
				if err != nil || string(res.Body) != "ok" || i > 0 && res.Attempts != a.attempts {
					t.Fatalf("request %d: %+v, %v", i, res, err)
				}
				broken.Store(true)
			}
			if n := w.requests.Load(); n != 2 || dials != 2 {
				t.Errorf("%d requests arrived over %d connections", n, dials)
			}
			if s := p.Status()[0]; s.Failures != 0 || s.Retries != uint64(a.attempts-1) {
				t.Errorf("it counts against the worker: %+v", s)
			}
		})
	}
}

// TestStaleAndGone: that a connection is stale excuses a worker, but not that there can't be another one.
func TestStaleAndGone(t *testing.T) {
	for kind, network := range map[Kind]string{Remote: "tcp", Bundled: "unix"} {
		t.Run(kind.String(), func(t *testing.T) {
			w := newWorker(t, network, answer("ok"))
			var broken atomic.Bool
			target := w.target("w", kind)
			target.Dial = func(ctx context.Context) (net.Conn, error) {
				if broken.Load() {
					return nil, errors.New("gone")
				}
				c, err := net.Dial(network, w.address)
				return brokenConn{c, &broken}, err
			}
			p := newPool(t, Options{MaxWait: 300 * time.Millisecond}, target)
			ask := func() error { _, err := p.Do(context.Background(), &Request{Method: "GET", URI: "/x"}); return err }
			if err := ask(); err != nil {
				t.Fatal(err)
			}
			broken.Store(true)
			if err := ask(); !errors.Is(err, ErrNoWorker) {
				t.Fatal(err)
			}
			if s := p.Status()[0]; s.Failures != s.Requests-1 {
				t.Errorf("of %d attempts after the first %d count against the worker", s.Requests-1, s.Failures)
			}
		})
	}
}
