package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"testing"
)

// TestLease proxies an upgraded connection through a leased worker.
func TestLease(t *testing.T) {
	w := newWorker(t, "unix", func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer c.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n%s ", r.URL.Path)
		rw.Flush()
		io.Copy(c, rw)
	})
	p := newPool(t, Options{MaxWait: -1}, w.target("w", Bundled))
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lease, err := p.Lease(r.Context())
		if err != nil {
			t.Error(err)
			return
		}
		defer lease.Release()
		proxy := httputil.ReverseProxy{
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(lease.URL) },
			Transport: lease,
		}
		proxy.ServeHTTP(w, r)
	}))
	defer gateway.Close()
	c, err := net.Dial("tcp", gateway.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatal(res, err)
	}
	if s := p.Status()[0]; s.InFlight != 0 || s.Upgraded != 1 || !p.Idle() {
		t.Errorf("an upgraded connection counts as a request under way: %+v", s)
	}
	fmt.Fprint(c, "ping\n")
	if line, err := in.ReadString('\n'); err != nil || line != "/live ping\n" {
		t.Errorf("got %q, %v", line, err)
	}
	c.Close()
	if err := p.Drain(context.Background(), "w"); err != nil {
		t.Error(err)
	}
	if _, err := p.Lease(context.Background()); !errors.Is(err, ErrNoWorker) {
		t.Errorf("leased a draining worker: %v", err)
	}
}

// TestLeaseLearns: the worker's policies learn how the handshake ended, whatever becomes of the connection, and nothing of what the
// client breaks off.
func TestLeaseLearns(t *testing.T) {
	ask := func(t *testing.T, ctx context.Context, p *Pool) {
		t.Helper()
		l, err := p.Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(ctx, "GET", l.URL.String(), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := l.RoundTrip(r); err == nil {
			res.Body.Close()
		}
		l.Release()
		l.Release()
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for _, test := range []struct {
		name     string
		do       http.HandlerFunc
		ctx      context.Context
		failures uint64
	}{
		{"an answer", status(404), t.Context(), 0},
		{"none", abort, t.Context(), 1},
		{"a client that leaves", hang, over, 0},
	} {
		w := newWorker(t, "unix", test.do)
		p := newPool(t, Options{}, w.target("w", Remote))
		ask(t, test.ctx, p)
		if s := p.Status()[0]; s.InFlight != 0 || s.Upgraded != 0 || s.Failures != test.failures || s.Requests != 1 {
			t.Errorf("%s: %+v", test.name, s)
		}
	}
	p := newPool(t, Options{}, newWorker(t, "unix", status(200)).target("w", Remote))
	l, err := p.Lease(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s := p.Status()[0]; s.InFlight != 1 {
		t.Errorf("before the handshake: %+v", s)
	}
	l.Release()
	if s := p.Status()[0]; s.InFlight != 0 || s.Failures != 0 {
		t.Errorf("a lease that wasn't used: %+v", s)
	}
}

// TestUpgradedDoNotTakeTheWorkersRoom: connections that last go to the workers by their shares, and requests to all workers though
// connections were the first thing that some of them got.
func TestUpgradedDoNotTakeTheWorkersRoom(t *testing.T) {
	upgrade := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/x" {
			return
		}
		w.Header().Set("Upgrade", "echo")
		w.Header().Set("Connection", "Upgrade")
		w.WriteHeader(http.StatusSwitchingProtocols)
	}
	one, two, none := newWorker(t, "tcp", upgrade), newWorker(t, "tcp", upgrade), newWorker(t, "tcp", upgrade)
	targets := []Target{one.target("one", Remote), two.target("two", Remote), none.target("none", Remote)}
	targets[1].Share, targets[2].Share = 3, -1
	p := newPool(t, Options{}, targets...)
	for range 40 {
		l, err := p.Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer l.Release()
		r, err := http.NewRequestWithContext(t.Context(), "GET", l.URL.String(), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "echo")
		res, err := l.RoundTrip(r)
		if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
			t.Fatal(res, err)
		}
		defer res.Body.Close()
	}
	s := p.Status()
	if s[0].Upgraded != 10 || s[1].Upgraded != 30 || s[2].Upgraded != 0 {
		t.Errorf("connections of the workers with the shares 1, 3 and 0: %d, %d, %d", s[0].Upgraded, s[1].Upgraded, s[2].Upgraded)
	}
	p2 := newPool(t, Options{}, targets[0], Target{Name: "two", Address: targets[1].Address})
	l, err := p2.Lease(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	r, _ := http.NewRequestWithContext(t.Context(), "GET", l.URL.String(), http.NoBody)
	res, err := l.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	asked := map[string]int{}
	for range 50 {
		res, err := p2.Do(t.Context(), &Request{Method: "GET", URI: "/x"})
		if err != nil {
			t.Fatal(err)
		}
		asked[res.Worker]++
	}
	if len(asked) != 2 {
		t.Errorf("the worker whose first request was an upgraded connection gets no other: %v", asked)
	}
}
