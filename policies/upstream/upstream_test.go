package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeWorker is a real HTTP server on a unix socket or a loopback port that can be killed. One on a pipe, within a synctest bubble,
// is for what waits for a time-out: only what hangs lets time pass there, not a busy machine.
type fakeWorker struct {
	t        *testing.T
	network  string
	address  string
	listener net.Listener
	srv      *http.Server
	handler  http.Handler
	requests atomic.Int64
}

func newWorker(t *testing.T, network string, h http.HandlerFunc) *fakeWorker {
	t.Helper()
	w := &fakeWorker{t: t, network: network, handler: h}
	switch network {
	case "unix":
		dir, err := os.MkdirTemp("", "up") // t.TempDir is too long a path for a socket
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		w.address = filepath.Join(dir, "w.sock")
	default:
		w.address = "127.0.0.1:0"
	}
	w.start()
	t.Cleanup(w.kill)
	return w
}

// start listens, at the same address as before.
func (w *fakeWorker) start() {
	w.t.Helper()
	if w.network == "pipe" {
		w.listener = &pipeWorker{conns: make(chan net.Conn)}
	} else {
		l, err := net.Listen(w.network, w.address)
		if err != nil {
			w.t.Fatal(err)
		}
		w.listener, w.address = l, l.Addr().String()
	}
	w.srv = &http.Server{
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.requests.Add(1)
			w.handler.ServeHTTP(rw, r)
		}),
	}
	go w.srv.Serve(w.listener)
}

// kill ends the server as SIGKILL would: the listener and every connection are gone.
func (w *fakeWorker) kill() {
	if w.network == "pipe" {
		w.srv.Close()
		time.Sleep(time.Hour) // of the bubble's, for handlers that don't look whether anybody waits
		return
	}
	w.listener.Close() // the server may not know it yet
	w.srv.Close()
}

func (w *fakeWorker) target(name string, k Kind) Target {
	switch l := w.listener.(type) {
	case *pipeWorker:
		return Target{Name: name, Address: "unix//pipe/" + name, Kind: k, Dial: l.dial}
	case *net.UnixListener:
		return Target{Name: name, Address: "unix/" + w.address, Kind: k}
	default:
		return Target{Name: name, Address: w.address, Kind: k}
	}
}

func newPool(t *testing.T, o Options, targets ...Target) *Pool {
	t.Helper()
	p := New(o)
	t.Cleanup(func() { p.Close() })
	for _, target := range targets {
		if err := p.Add(target); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func answer(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, body) }
}

// abort closes the connection without an answer.
func abort(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }

// half sends half of the body that it promises.
func half(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "100")
	w.Write(make([]byte, 50))
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// halfChunked is half without a length.
func halfChunked(w http.ResponseWriter, r *http.Request) {
	w.Write(make([]byte, 50))
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// reset closes the connection with a RST where there is one.
func reset(w http.ResponseWriter, r *http.Request) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	if t, ok := c.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	c.Close()
}

// garbage isn't HTTP.
func garbage(w http.ResponseWriter, r *http.Request) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	io.WriteString(c, "SSH-2.0-nonsense\r\n")
	c.Close()
}

// hang reads the request and never answers.
func hang(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// halfHang begins an answer and never ends it.
func halfHang(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "100")
	w.Write(make([]byte, 50))
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code) }
}

// page is how Express answers when something threw outside of Parse.
func page(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(500)
	io.WriteString(w, "<!DOCTYPE html><pre>Error: ENOSPC</pre>")
}

// TestParseError passes a 500 on that is Parse's own: asking again would get the same, and no worker is to blame.
func TestParseError(t *testing.T) {
	for _, body := range []string{`{"code":1,"message":"Internal server error."}`, `{"error":"unauthorized"}`, `{"errors":[{"message":"bad"}]}`} {
		bad := newWorker(t, "tcp", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			io.WriteString(w, body)
		})
		p := newPool(t, Options{}, bad.target("bad", Remote))
		for _, write := range []bool{false, true} {
			res, err := p.Do(context.Background(), &Request{Method: "POST", URI: "/x", Write: write})
			if err != nil || res.Status != 500 || string(res.Body) != body || res.Attempts != 1 {
				t.Errorf("write %v: got %+v, %v", write, res, err)
			}
		}
		if s := p.Status()[0]; s.Failures != 0 {
			t.Errorf("the worker is blamed: %+v", s)
		}
	}
}

// TestRetries is the table of the retry rules: a worker that fails in some way, and one that works. Requests begin at
// the failing one.
func TestRetries(t *testing.T) {
	for _, failing := range []struct {
		name string
		do   http.HandlerFunc
		// lost: the worker may have done a write before it failed.
		lost bool
	}{
		{"closes", abort, true},
		{"resets", reset, true},
		{"answers half a body", half, true},
		{"answers half a chunked body", halfChunked, true},
		{"answers garbage", garbage, true},
		{"hangs", hang, true},
		{"hangs in its answer", halfHang, true},
		{"500", status(500), true},
		{"500 in HTML", page, true},
		{"502", status(502), true},
		{"503", status(503), false},
		{"504", status(504), true},
	} {
		networks := []string{"unix", "tcp"}
		if strings.HasPrefix(failing.name, "hangs") {
			networks = []string{"pipe"}
		}
		for _, network := range networks {
			for _, kind := range []Kind{Bundled, Remote} {
				if kind == Bundled && network == "tcp" {
					continue
				}
				for _, request := range []string{"read", "write with id", "write without id"} {
					try := func(t *testing.T) {
						bad := newWorker(t, network, failing.do)
						ok := newWorker(t, network, answer("done"))
						p := newPool(t, Options{}, bad.target("bad", kind))
						r := &Request{Method: "POST", URI: "/classes/X", Body: []byte("{}"), Write: request != "read"}
						if request == "write with id" {
							r.WriteID = "id-1"
						}
						r.Prepare = func(h http.Header, _ *Target) {
							if p.member("ok") == nil { // at the first attempt
								p.Add(ok.target("ok", kind))
							}
						}
						res, err := p.Do(context.Background(), r)
						switch {
						case request == "read" || kind == Bundled && request == "write with id":
							if err != nil {
								t.Fatal(err)
							}
							if string(res.Body) != "done" || res.Worker != "ok" || res.Attempts != 2 || res.Status != 200 {
								t.Errorf("got %+v", res)
							}
						case failing.lost:
							if !errors.Is(err, ErrOutcomeUnknown) {
								t.Errorf("got %+v, %v, want ErrOutcomeUnknown", res, err)
							}
						default:
							if err != nil || res.Worker != "bad" || res.Status < 502 {
								t.Errorf("got %+v, %v, want the bad worker's answer", res, err)
							}
						}
						if n := bad.requests.Load(); n != 1 {
							t.Errorf("the bad worker was asked %d times", n)
						}
						blamed := uint64(1)
						if strings.HasPrefix(failing.name, "500") && err != nil {
							blamed = 0 // it may be the request
						}
						if s := p.Status()[0]; s.Failures != blamed || s.InFlight != 0 {
							t.Errorf("status of the bad worker: %+v", s)
						}
					}
					t.Run(fmt.Sprintf("%s/%s/%v/%s", failing.name, network, kind, request), func(t *testing.T) {
						t.Parallel()
						if network == "pipe" {
							synctest.Test(t, try)
						} else {
							try(t)
						}
					})
				}
			}
		}
	}
}

func TestDialFailure(t *testing.T) {
	for _, network := range []string{"unix", "tcp"} {
		for _, write := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/write %v", network, write), func(t *testing.T) {
				dead, ok := newWorker(t, network, answer("")), newWorker(t, network, answer("done"))
				dead.kill()
				p := newPool(t, Options{}, dead.target("dead", Remote), ok.target("ok", Remote))
				for range 20 {
					res, err := p.Do(context.Background(), &Request{Method: "PUT", URI: "/x", Body: []byte("b"), Write: write})
					if err != nil || res.Worker != "ok" {
						t.Fatalf("got %+v, %v", res, err)
					}
				}
				if n := ok.requests.Load(); n != 20 {
					t.Errorf("%d requests arrived, want 20", n)
				}
			})
		}
	}
}

func TestAllDead(t *testing.T) {
	dead := newWorker(t, "tcp", answer(""))
	dead.kill()
	p := newPool(t, Options{MaxWait: 100 * time.Millisecond}, dead.target("dead", Remote))
	_, err := p.Do(context.Background(), &Request{Method: "POST", URI: "/x", Write: true})
	if !errors.Is(err, ErrNoWorker) || errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("got %v, want ErrNoWorker", err)
	}
}

// A worker that comes back while a request waits gets it.
func TestRestartWhileWaiting(t *testing.T) {
	w := newWorker(t, "unix", answer("back"))
	w.kill()
	p := newPool(t, Options{}, w.target("w", Bundled))
	time.AfterFunc(100*time.Millisecond, w.start)
	res, err := p.Do(context.Background(), &Request{Method: "GET", URI: "/x"})
	if err != nil || string(res.Body) != "back" {
		t.Fatalf("got %+v, %v", res, err)
	}
}

// All workers answer 503: the last answer is handed on after the retries.
func TestRefusedByAll(t *testing.T) {
	a, b := newWorker(t, "tcp", status(503)), newWorker(t, "tcp", status(503))
	p := newPool(t, Options{Retries: 2}, a.target("a", Remote), b.target("b", Remote))
	res, err := p.Do(context.Background(), &Request{Method: "GET", URI: "/x"})
	if err != nil || res.Status != 503 || res.Attempts != 3 {
		t.Fatalf("got %+v, %v", res, err)
	}
	if n := a.requests.Load() + b.requests.Load(); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

// The repetitions of a write carry its id, and nobody else's; only the first attempt says that it is one.
func TestWriteIDTravels(t *testing.T) {
	var mu sync.Mutex
	var ids []string
	record := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			ids = append(ids, r.Header.Get(WriteIDHeader)+r.Header.Get("X-Parsescale-Client-Ip")+r.Header.Get(FirstAttemptHeader))
			mu.Unlock()
			next(w, r)
		}
	}
	bad := newWorker(t, "unix", record(abort))
	p := newPool(t, Options{WriteRetries: 2}, bad.target("bad", Bundled))
	forged := http.Header{WriteIDHeader: {"forged"}, FirstAttemptHeader: {"1"}, "X-Parsescale-Client-Ip": {"6.6.6.6"}, "x-parsescale-other": {"1"}}
	_, err := p.Do(context.Background(), &Request{Method: "POST", URI: "/x", Header: forged, Write: true, WriteID: "right", Body: []byte("{}")})
	if !errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("got %v", err)
	}
	remote := newWorker(t, "unix", record(answer("")))
	q := newPool(t, Options{}, remote.target("remote", Remote))
	if _, err := q.Do(context.Background(), &Request{Method: "POST", URI: "/x", Header: forged, Write: true, WriteID: "right"}); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(ids); got != "[right1 right right ]" {
		t.Errorf("workers saw the ids %s", got)
	}
}
