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
		defer lease.Release(false)
		proxy := httputil.ReverseProxy{
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(lease.URL) },
			Transport: lease.Transport,
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
	if s := p.Status()[0]; s.InFlight != 1 {
		t.Errorf("a lease isn't in flight: %+v", s)
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

func TestLeaseRelease(t *testing.T) {
	w := newWorker(t, "unix", answer(""))
	p := newPool(t, Options{}, w.target("w", Bundled))
	for _, failed := range []bool{false, true} {
		l, err := p.Lease(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		l.Release(failed)
		l.Release(true)
	}
	if s := p.Status()[0]; s.InFlight != 0 || s.Failures != 1 || s.Requests != 2 {
		t.Errorf("%+v", s)
	}
}
