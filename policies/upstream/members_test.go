package upstream

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func names(p *Pool) (all []string) {
	for _, s := range p.Status() {
		all = append(all, s.Name)
	}
	return all
}

func TestAddChecks(t *testing.T) {
	p := newPool(t, Options{}, Target{Address: "127.0.0.1:1"})
	for name, target := range map[string]Target{
		"name taken":                {Address: "127.0.0.1:1"},
		"no address":                {Name: "x"},
		"bundled on TCP":            {Name: "x", Address: "127.0.0.1:1", Kind: Bundled},
		"trusted without TLS":       {Name: "x", Address: "http://127.0.0.1:1", Trusted: true},
		"credentials in an address": {Name: "x", Address: "http://user:secret@127.0.0.1:1"},
	} {
		if err := p.Add(target); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if got := names(p); !slices.Equal(got, []string{"127.0.0.1:1"}) {
		t.Errorf("members %v", got)
	}
}

// A request that finds no worker waits, and goes on at once when one is added.
func TestWaitForWorker(t *testing.T) {
	w := newWorker(t, "unix", answer("hello"))
	p := newPool(t, Options{MaxWait: time.Minute})
	result := make(chan error)
	go func() {
		_, err := p.Do(context.Background(), &Request{Method: "POST", URI: "/x", Write: true})
		result <- err
	}()
	select {
	case err := <-result:
		t.Fatalf("did not wait: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	p.Add(w.target("w", Bundled))
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	p.Remove("w")
	p.Configure(Options{MaxWait: -1})
	if _, err := p.Do(context.Background(), &Request{Method: "GET", URI: "/x"}); !errors.Is(err, ErrNoWorker) {
		t.Errorf("got %v", err)
	}
}

func TestClose(t *testing.T) {
	p := newPool(t, Options{MaxWait: time.Minute})
	result := make(chan error)
	go func() {
		_, err := p.Do(context.Background(), &Request{Method: "GET", URI: "/x"})
		result <- err
	}()
	time.Sleep(20 * time.Millisecond)
	p.Close()
	p.Close()
	if err := <-result; !errors.Is(err, ErrClosed) {
		t.Errorf("a waiting request got %v", err)
	}
	for what, err := range map[string]error{
		"Add": p.Add(Target{Address: "127.0.0.1:1"}), "Remove": p.Remove("x"), "Update": p.Update(nil),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

// blocking is a worker whose answers wait until release is closed.
func blocking(t *testing.T) (w *fakeWorker, arrived chan struct{}, release chan struct{}) {
	arrived, release = make(chan struct{}, 100), make(chan struct{})
	w = newWorker(t, "unix", func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		w.Write([]byte("finished"))
	})
	return w, arrived, release
}

// Draining and removing let requests finish, and send nothing new.
func TestDrainAndRemove(t *testing.T) {
	w, arrived, release := blocking(t)
	other := newWorker(t, "unix", answer("other"))
	p := newPool(t, Options{MaxWait: -1}, w.target("w", Bundled))
	var answers sync.WaitGroup
	for range 3 {
		answers.Go(func() {
			res, err := p.Do(context.Background(), &Request{Method: "GET", URI: "/x"})
			if err != nil || string(res.Body) != "finished" {
				t.Errorf("got %+v, %v", res, err)
			}
		})
		<-arrived
	}
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := p.Drain(short, "w"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("drained with requests in flight: %v", err)
	}
	if s := p.Status()[0]; s.State != "draining" || s.InFlight != 3 || p.Available() != 0 {
		t.Errorf("status %+v", s)
	}
	if _, err := p.Do(context.Background(), &Request{Method: "GET", URI: "/x"}); !errors.Is(err, ErrNoWorker) {
		t.Errorf("a draining worker got a request: %v", err)
	}
	p.Add(other.target("other", Bundled))
	drained := make(chan error)
	go func() { drained <- p.Drain(context.Background(), "w") }()
	if err := p.Remove("w"); err != nil {
		t.Error(err)
	}
	if res, err := p.Do(context.Background(), &Request{Method: "GET", URI: "/x"}); err != nil || string(res.Body) != "other" {
		t.Errorf("got %+v, %v", res, err)
	}
	if err := p.Add(w.target("w", Bundled)); err != nil {
		t.Errorf("the name isn't free: %v", err)
	}
	close(release)
	answers.Wait()
	if err := <-drained; err != nil && !errors.Is(err, ErrUnknownWorker) {
		t.Error(err)
	}
	if err := p.Drain(context.Background(), "nobody"); !errors.Is(err, ErrUnknownWorker) {
		t.Error(err)
	}
}

// Update keeps what stays, and leaves bundled workers alone.
func TestUpdate(t *testing.T) {
	a, b, c := newWorker(t, "tcp", answer("a")), newWorker(t, "tcp", answer("b")), newWorker(t, "unix", answer("c"))
	p := newPool(t, Options{}, c.target("child", Bundled))
	ta, tb := a.target("a", Remote), b.target("b", Remote)
	if err := p.Update([]Target{ta}); err != nil {
		t.Fatal(err)
	}
	for range 30 {
		if _, err := p.Do(context.Background(), &Request{Method: "GET", URI: "/x"}); err != nil {
			t.Fatal(err)
		}
	}
	before := p.member("a")
	if err := p.Update([]Target{tb, ta}); err != nil {
		t.Fatal(err)
	}
	if got := names(p); !slices.Equal(got, []string{"child", "a", "b"}) || p.member("a") != before {
		t.Errorf("members %v, a kept: %v", got, p.member("a") == before)
	}
	for _, bad := range [][]Target{{ta, ta}, {a.target("child", Remote)}, {{Address: "nonsense"}}} {
		if err := p.Update(bad); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
	if got := names(p); !slices.Equal(got, []string{"child", "a", "b"}) {
		t.Errorf("a failed update changed the members: %v", got)
	}
	moved := b.target("a", Remote)
	if err := p.Update([]Target{moved}); err != nil {
		t.Fatal(err)
	}
	if got := names(p); !slices.Equal(got, []string{"child", "a"}) || p.member("a") == before {
		t.Errorf("members %v", got)
	}
}

// TestRestless: workers come, go, die and return while many clients read and write; nothing fails that needn't.
func TestRestless(t *testing.T) {
	var done sync.Map // write id → answers; a bundled worker does a write once
	handler := func(w http.ResponseWriter, r *http.Request) {
		if id := r.Header.Get(WriteIDHeader); id != "" {
			done.Store(id, true)
		}
		w.Write([]byte("ok"))
	}
	a, b := newWorker(t, "unix", handler), newWorker(t, "unix", handler)
	p := newPool(t, Options{Retries: 10, RetryShare: 10}, a.target("a", Bundled), b.target("b", Bundled))
	stop := make(chan struct{})
	var clients, chaos sync.WaitGroup
	var count atomic.Int64
	for range 8 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				n := count.Add(1)
				r := &Request{Method: "POST", URI: "/x", Body: []byte("{}")}
				if n%2 == 0 {
					r.Write, r.WriteID = true, time.Duration(n).String()
				}
				if _, err := p.Do(context.Background(), r); err != nil {
					t.Errorf("request %d: %v", n, err)
				} else if _, ok := done.Load(r.WriteID); r.Write && !ok {
					t.Errorf("write %d was acknowledged and never done", n)
				}
			}
		})
	}
	chaos.Go(func() {
		for i := range 20 {
			w, name := a, "a"
			if i%2 == 1 {
				w, name = b, "b"
			}
			w.kill()
			p.Remove(name)
			time.Sleep(10 * time.Millisecond)
			w.start()
			p.Add(w.target(name, Bundled))
			p.Status()
			p.Configure(Options{Retries: 10, RetryShare: 10})
			time.Sleep(20 * time.Millisecond)
		}
	})
	chaos.Wait()
	close(stop)
	clients.Wait()
	for _, s := range p.Status() {
		if s.InFlight != 0 {
			t.Errorf("%+v", s)
		}
	}
}
