package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parsescale/parsescale/policies/balance"
)

// virtual is a pool of workers in the virtual time of a synctest bubble. The first of those that nothing is known of is chosen,
// unless the options say otherwise.
type virtual struct {
	*Pool
	workers []*pipeWorker
	mu      sync.Mutex
	asked   []string // the workers, in the order in which they were
	left    []string // what DeadlineHeader said
}

func newVirtual(t *testing.T, o Options, handlers ...http.HandlerFunc) *virtual {
	t.Helper()
	if o.Balance.IntN == nil {
		o.Balance = balance.Options{SlowStart: -1, IntN: func(int) int { return 0 }}
	}
	v := &virtual{Pool: New(o)}
	v.add(t, handlers...)
	return v
}

func (v *virtual) add(t *testing.T, handlers ...http.HandlerFunc) {
	t.Helper()
	for _, h := range handlers {
		i := len(v.workers)
		name := string(rune('a' + i))
		w, target := newPipeWorker(t, func(w http.ResponseWriter, r *http.Request) {
			v.mu.Lock()
			v.asked, v.left = append(v.asked, name), append(v.left, r.Header.Get(DeadlineHeader))
			v.mu.Unlock()
			h(w, r)
		})
		target.Name, target.Address = name, fmt.Sprint("127.0.0.1:", i+1)
		v.workers = append(v.workers, w)
		if err := v.Add(target); err != nil {
			t.Fatal(err)
		}
	}
}

// end stops everything; the bubble waits for it.
func (v *virtual) end() {
	v.Close()
	for _, w := range v.workers {
		w.srv.Close()
	}
	time.Sleep(time.Hour) // of the bubble's, for handlers that don't look whether anybody waits
}

// wants sends a request and checks its answer, the workers that were asked, and how long that took. A stream isn't read.
func (v *virtual) wants(t *testing.T, r *Request, body, asked string, took time.Duration) {
	t.Helper()
	begun := time.Now()
	res, err := v.Do(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	res.discard()
	if string(res.Body) != body || fmt.Sprint(v.asked) != asked || time.Since(begun) != took {
		t.Errorf("%q of %v after %s, want %q of %s after %s", res.Body, v.asked, time.Since(begun), body, asked, took)
	}
}

// later does something after a time.
func later(d time.Duration, do http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-time.After(d):
			do(w, r)
		case <-r.Context().Done():
		}
	}
}

// after answers after a time.
func after(d time.Duration, body string) http.HandlerFunc { return later(d, answer(body)) }

// blamesNobody: no request is under way, and no worker counts as worse for those that were.
func (v *virtual) blamesNobody(t *testing.T) {
	t.Helper()
	for _, s := range v.Status() {
		if s.Failures != 0 || s.Breaker != "closed" || s.State != "up" || s.InFlight != 0 {
			t.Errorf("%+v", s)
		}
	}
}

// TestTryTimeout: a read is given up at a slow worker for another one, and only for another one.
func TestTryTimeout(t *testing.T) {
	const try = 100 * time.Millisecond
	slow, slower, quick := after(time.Second, "slow"), after(2*time.Second, "slower"), after(time.Millisecond, "quick")
	for _, test := range []struct {
		name     string
		o        Options
		r        Request
		handlers []http.HandlerFunc
		body     string
		asked    string
		took     time.Duration
		failures []uint64 // that the workers are blamed for
	}{
		{name: "another is quick", handlers: []http.HandlerFunc{slow, quick}, body: "quick", asked: "[a b]", took: try + time.Millisecond, failures: []uint64{1, 0}},
		{name: "in time", handlers: []http.HandlerFunc{after(try/2, "in time"), quick}, body: "in time", asked: "[a]", took: try / 2, failures: []uint64{0, 0}},
		{name: "there is no other", handlers: []http.HandlerFunc{slow}, body: "slow", asked: "[a]", took: time.Second, failures: []uint64{0}},
		{name: "all are slow", handlers: []http.HandlerFunc{slow, slow, slow}, body: "slow", asked: "[a b c]", took: 2*try + time.Second, failures: []uint64{0, 0, 0}},
		{name: "another isn't in time either, and streams", o: Options{BufferLimit: 10}, handlers: []http.HandlerFunc{slower, after(time.Second, "more than ten bytes")}, asked: "[a b]", took: try + time.Second, failures: []uint64{0, 0}},
		{name: "no repetition is allowed", o: Options{Retries: -1}, handlers: []http.HandlerFunc{slow, quick}, body: "slow", asked: "[a]", took: time.Second, failures: []uint64{0, 0}},
		{name: "no repetition is left", o: Options{Retries: 1}, handlers: []http.HandlerFunc{slower, slow, quick}, body: "slow", asked: "[a b]", took: try + time.Second, failures: []uint64{0, 0, 0}},
		{name: "the budget is spent", o: Options{RetryShare: 1e-9, RetryPerSecond: 1e-9}, handlers: []http.HandlerFunc{slow, quick}, body: "slow", asked: "[a]", took: time.Second, failures: []uint64{0, 0}},
		{name: "a write", r: Request{Write: true, WriteID: "id"}, handlers: []http.HandlerFunc{slow, quick}, body: "slow", asked: "[a]", took: time.Second, failures: []uint64{0, 0}},
		{name: "a function", r: Request{Write: true, Untimed: true}, handlers: []http.HandlerFunc{slow, quick}, body: "slow", asked: "[a]", took: time.Second, failures: []uint64{0, 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVirtual(t, test.o, test.handlers...)
				defer v.end()
				r := test.r
				r.Method, r.URI, r.Body, r.TryTimeout = "POST", "/x", []byte("{}"), try
				v.wants(t, &r, test.body, test.asked, test.took)
				for i, s := range v.Status() {
					if s.Failures != test.failures[i] {
						t.Errorf("worker %s has %d failures, want %d", s.Name, s.Failures, test.failures[i])
					}
				}
			})
		})
	}
}

// TestTryTimeoutUnreached: the time also bounds the opening of a connection, and does for the next attempt what it did for that one.
func TestTryTimeoutUnreached(t *testing.T) {
	const try = 100 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		v := newVirtual(t, Options{})
		defer v.end()
		if err := v.Add(Target{Name: "deaf", Address: "127.0.0.1:9", Dial: func(ctx context.Context) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}); err != nil {
			t.Fatal(err)
		}
		v.add(t, after(time.Second, "slow"), after(time.Millisecond, "quick"))
		v.wants(t, &Request{Method: "GET", URI: "/x", TryTimeout: try}, "quick", "[a b]", 2*try+time.Millisecond)
	})
}

// TestTryTimeoutAgain: an attempt that may not be given up isn't asked about all the time, however short that is.
func TestTryTimeoutAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			k     cut
			asked int
		)
		k.after(time.Microsecond, func() bool { asked++; return false }, func() { t.Error("it was made") })
		time.Sleep(time.Second)
		if k.close() || asked < 2 || asked > int(time.Second/tick)+1 {
			t.Errorf("asked %d times in a second", asked)
		}
	})
}

// TestTryTimeoutStream: what is ended is also a body that doesn't end in time; a body that is handed on already isn't.
func TestTryTimeoutStream(t *testing.T) {
	trickle := func(w http.ResponseWriter, r *http.Request) {
		for range 10 {
			_, _ = w.Write(make([]byte, 100))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(50 * time.Millisecond)
		}
	}
	for _, test := range []struct {
		name  string
		limit int64
		asked string
		bytes int
	}{
		{"a body that is read whole", 1 << 20, "[a b]", 5},
		{"a body that is streamed", 150, "[a]", 1000},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVirtual(t, Options{BufferLimit: test.limit}, trickle, answer("whole"))
				defer v.end()
				res, err := v.Do(t.Context(), &Request{Method: "GET", URI: "/x", TryTimeout: 100 * time.Millisecond, Deadline: time.Now().Add(150 * time.Millisecond)})
				if err != nil {
					t.Fatal(err)
				}
				body := res.Body
				if res.Stream != nil {
					if body, err = io.ReadAll(res.Stream); err != nil {
						t.Error(err)
					}
					res.Stream.Close()
				}
				if len(body) != test.bytes || fmt.Sprint(v.asked) != test.asked {
					t.Errorf("%d bytes of %v, want %d of %s", len(body), v.asked, test.bytes, test.asked)
				}
			})
		})
	}
}

// TestDeadline: when a request's time is over it ends, wherever it is; workers are told how much is left.
func TestDeadline(t *testing.T) {
	const time1 = time.Second
	for _, test := range []struct {
		name     string
		r        Request
		wait     time.Duration // before it begins
		handlers []http.HandlerFunc
		asked    string
		left     string
		unknown  bool
		took     time.Duration
	}{
		{name: "a read", handlers: []http.HandlerFunc{hang, hang}, asked: "[a]", left: "[1000]", took: time1},
		{name: "a read with a time for each attempt", r: Request{TryTimeout: 400 * time.Millisecond}, handlers: []http.HandlerFunc{hang, hang}, asked: "[a b]", left: "[1000 600]", took: time1},
		{name: "a read whose body doesn't end", handlers: []http.HandlerFunc{halfHang}, asked: "[a]", left: "[1000]", took: time1},
		{name: "a function", r: Request{Write: true, Untimed: true}, handlers: []http.HandlerFunc{hang, hang}, asked: "[a]", left: "[1000]", unknown: true, took: time1},
		{name: "no worker", asked: "[]", left: "[]", took: time1},
		{name: "no worker, a function", r: Request{Write: true}, asked: "[]", left: "[]", took: time1},
		{name: "over before it begins", wait: time1, handlers: []http.HandlerFunc{answer("")}, asked: "[]", left: "[]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVirtual(t, Options{}, test.handlers...)
				defer v.end()
				r := test.r
				r.Method, r.URI, r.Body, r.Deadline = "POST", "/x", []byte("{}"), time.Now().Add(time1)
				r.Header = http.Header{DeadlineHeader: {"5"}} // nobody but the pool says so
				time.Sleep(test.wait)
				begun := time.Now()
				_, err := v.Do(t.Context(), &r)
				if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, ErrOutcomeUnknown) != test.unknown {
					t.Errorf("got %v; unknown: %v", err, test.unknown)
				}
				if fmt.Sprint(v.asked) != test.asked || fmt.Sprint(v.left) != test.left || time.Since(begun) != test.took {
					t.Errorf("asked %v with %v left, for %s; want %s with %s for %s", v.asked, v.left, time.Since(begun), test.asked, test.left, test.took)
				}
				v.blamesNobody(t)
			})
		})
	}
}

// TestDeadlineIsNotTold: who has no deadline tells of none, whatever the client says.
func TestDeadlineIsNotTold(t *testing.T) {
	w := newWorker(t, "unix", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strconv.Itoa(len(r.Header[DeadlineHeader])))
	})
	p := newPool(t, Options{}, w.target("w", Bundled))
	res, err := p.Do(t.Context(), &Request{Method: "GET", URI: "/x", Header: http.Header{DeadlineHeader: {"5"}}})
	if err != nil || string(res.Body) != "0" {
		t.Errorf("%+v, %v", res, err)
	}
}

// TestSlowDatabase: workers that are all too slow stay in the pool, and the retry budget bounds what is asked twice.
func TestSlowDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := after(2*time.Second, "slow")
		v := newVirtual(t, Options{Balance: balance.Options{IntN: rand.IntN}}, slow, slow, slow)
		defer v.end()
		const reads = 300
		var wg sync.WaitGroup
		var failed, most int
		for i := range reads {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond) // ten a second
				res, err := v.Do(t.Context(), &Request{Method: "GET", URI: "/x", TryTimeout: 500 * time.Millisecond})
				v.mu.Lock()
				defer v.mu.Unlock()
				if err != nil {
					failed++
					return
				}
				most = max(most, res.Attempts)
			})
		}
		wg.Wait()
		if failed > 0 {
			t.Errorf("%d of %d reads failed", failed, reads)
		}
		t.Logf("%d attempts for %d reads, %d at most for one", len(v.asked), reads, most)
		for _, s := range v.Status() {
			if s.State != "up" {
				t.Errorf("%+v", s)
			}
		}
	})
}
