package upstream

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parsescale/parsescale/policies/breaker"
	"github.com/parsescale/parsescale/policies/health"
)

// pipeWorker serves over net.Pipe, so that it lives in the virtual time of a synctest bubble.
type pipeWorker struct {
	conns chan net.Conn
	srv   http.Server
}

func newPipeWorker(t *testing.T, h http.HandlerFunc) (*pipeWorker, Target) {
	w := &pipeWorker{conns: make(chan net.Conn)}
	w.srv.Handler = h
	go w.srv.Serve(w)
	t.Cleanup(func() { w.srv.Close() })
	return w, Target{Name: "w", Address: "127.0.0.1:1", Dial: w.dial}
}

func (w *pipeWorker) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case w.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (w *pipeWorker) Accept() (net.Conn, error) {
	c, ok := <-w.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (w *pipeWorker) Close() error   { close(w.conns); return nil }
func (w *pipeWorker) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// TestProbes: a worker is taken out after three failed checks and comes back after two good ones, found out at a
// faster pace; nobody probes before there is a path.
func TestProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mode atomic.Value
		var probes atomic.Int64
		mode.Store("ok")
		w, target := newPipeWorker(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/parse/health" || r.URL.RawQuery != "a=b" || r.Method != "GET" || r.Header.Get("X-Parse-Application-Id") != "app" {
				t.Errorf("probe %s %s %v", r.Method, r.RequestURI, r.Header)
			}
			probes.Add(1)
			switch mode.Load() {
			case "sick":
				w.WriteHeader(503)
			case "hung":
				<-r.Context().Done()
			}
		})
		p := newPool(t, Options{Health: health.Options{Jitter: -1}}, target, Target{Name: "spare", Address: "127.0.0.1:2", Dial: target.Dial})
		defer func() { p.Close(); w.srv.Close() }()
		p.Remove("spare")
		time.Sleep(time.Minute + time.Millisecond)
		if probes.Load() != 0 {
			t.Fatal("probed without a path")
		}
		p.Configure(Options{Probe: Probe{Path: "/parse/health?a=b", Header: map[string]string{"x-parse-application-id": "app"}}})
		state := func(want string) {
			t.Helper()
			synctest.Wait()
			if s := p.Status()[0]; s.State != want {
				t.Errorf("state %s, want %s", s.State, want)
			}
		}
		time.Sleep(20 * time.Second)
		if n := probes.Load(); n != 4 {
			t.Errorf("%d probes in 20 s, want 4", n)
		}
		state("up")
		mode.Store("sick")
		time.Sleep(10 * time.Second)
		state("up")
		time.Sleep(5 * time.Second)
		state("down")
		mode.Store("ok")
		time.Sleep(500 * time.Millisecond)
		state("down")
		time.Sleep(500 * time.Millisecond)
		state("up")
		mode.Store("hung")
		time.Sleep(3 * (5 + 2) * time.Second)
		state("down")
	})
}

// TestSilence measures in virtual time how long a silent worker is waited for, and that the total stays bounded.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, target := newPipeWorker(t, hang)
		p := newPool(t, Options{AnswerTimeout: 10 * time.Second, Retries: -1}, target)
		defer func() { p.Close(); w.srv.Close() }()
		begun := time.Now()
		_, err := p.Do(context.Background(), &Request{Method: "GET", URI: "/x"})
		if took := time.Since(begun); !errors.Is(err, ErrNoWorker) || took != 10*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// TestBlackHole: a worker whose connections are never accepted is waited for no longer than the others.
func TestBlackHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, Options{}, Target{Address: "127.0.0.1:1", Dial: func(ctx context.Context) (net.Conn, error) {
			select { // as a dialer's time-out
			case <-time.After(2 * time.Second):
				return nil, errors.New("timed out")
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}})
		defer p.Close()
		begun := time.Now()
		_, err := p.Do(context.Background(), &Request{Method: "POST", URI: "/x", Write: true})
		if took := time.Since(begun); !errors.Is(err, ErrNoWorker) || took > 5*time.Second {
			t.Errorf("%v after %v, want at most MaxWait and one more try", err, took)
		}
	})
}

// TestWriteTime: a write of unknown outcome waits longer for a worker than others do, but not for ever.
func TestWriteTime(t *testing.T) {
	for _, test := range []struct {
		name   string
		sent   bool
		want   error
		atMost time.Duration
	}{
		{"never sent", false, ErrNoWorker, 3 * time.Second},
		{"lost", true, ErrOutcomeUnknown, time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, target := newPipeWorker(t, abort)
				target.Kind, target.Address = Bundled, "unix//virtual"
				dial, dials := target.Dial, 0
				target.Dial = func(ctx context.Context) (net.Conn, error) {
					if dials++; dials == 1 && test.sent {
						return dial(ctx)
					}
					return nil, errors.New("refused")
				}
				p := newPool(t, Options{}, target)
				defer func() { p.Close(); w.srv.Close() }()
				begun := time.Now()
				_, err := p.Do(context.Background(), &Request{Method: "POST", URI: "/x", Write: true, WriteID: "id"})
				if took := time.Since(begun); !errors.Is(err, test.want) || took > test.atMost+tick || took < test.atMost-tick {
					t.Errorf("%v after %v, want after %v", err, took, test.atMost)
				}
			})
		})
	}
}

// TestBreaker: answers of 503 open the breaker, and the pool waits for its probe rather than ask on.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sick atomic.Bool
		var asked atomic.Int64
		sick.Store(true)
		w, target := newPipeWorker(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			if sick.Load() {
				w.WriteHeader(503)
			}
		})
		p := newPool(t, Options{Retries: -1, MaxWait: time.Second, Breaker: breaker.Options{Failures: 3, OpenFor: 5 * time.Second, Jitter: -1}}, target)
		defer func() { p.Close(); w.srv.Close() }()
		do := func() (*Response, error) { return p.Do(context.Background(), &Request{Method: "GET", URI: "/x"}) }
		for range 3 {
			if res, err := do(); err != nil || res.Status != 503 {
				t.Fatal(res, err)
			}
		}
		if s := p.Status()[0]; s.Breaker != "open" || p.Available() != 0 {
			t.Errorf("%+v", s)
		}
		if _, err := do(); !errors.Is(err, ErrNoWorker) || asked.Load() != 3 {
			t.Errorf("%v, asked %d times", err, asked.Load())
		}
		sick.Store(false)
		p.Configure(Options{MaxWait: time.Minute})
		begun := time.Now()
		if res, err := do(); err != nil || res.Status != 200 {
			t.Errorf("%+v, %v", res, err)
		}
		if took := time.Since(begun); took < 3900*time.Millisecond || took > 4*time.Second+tick {
			t.Errorf("the probe went out after %v, want 4 s", took)
		}
	})
}
