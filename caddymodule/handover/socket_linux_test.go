package handover

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// listenAsCaddy opens one more socket on an address, as each of Caddy's configurations does.
func listenAsCaddy(t *testing.T, address string) net.Listener {
	t.Helper()
	a, err := caddy.ParseNetworkAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	l, err := a.Listen(context.Background(), 0, net.ListenConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return l.(net.Listener)
}

// TestNewConnectionsAcrossSockets: clients that connect while one server's socket is closed and another's is open are answered
// all the same, whichever socket the kernel gave them to, but for one in many changes that comes in the very moment: with 16 clients
// that do nothing but connect, a change used to break two connections.
func TestNewConnectionsAcrossSockets(t *testing.T) {
	first := listenAsCaddy(t, "127.0.0.1:0")
	address := first.Addr().String()
	desk := NewDesk()
	serve := func(l net.Listener) *http.Server {
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }), ConnState: Tell}
		go s.Serve(desk.Listen(l)) //nolint:errcheck // ends with the test
		return s
	}
	server := serve(first)
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var asked, failed atomic.Int64
	for range 16 {
		clients.Go(func() {
			c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			for ctx.Err() == nil {
				asked.Add(1)
				res, err := c.Post("http://"+address, "text/plain", http.NoBody)
				if err != nil {
					failed.Add(1)
					continue
				}
				res.Body.Close()
			}
		})
	}
	changes := 0
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); changes++ {
		next := serve(listenAsCaddy(t, address))
		old := server
		server = next
		if err := old.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}
	cancel()
	clients.Wait()
	_ = server.Close()
	if int(failed.Load()) > changes/4 || changes < 10 || asked.Load() < 100 {
		t.Errorf("%d of %d requests failed in %d changes", failed.Load(), asked.Load(), changes)
	}
	t.Logf("%d requests, %d changes, %d failed", asked.Load(), changes, failed.Load())
}

func TestSocketOf(t *testing.T) {
	l := listenAsCaddy(t, "127.0.0.1:0")
	defer l.Close()
	if _, plain := l.(*net.TCPListener); plain || socketOf(l) == nil {
		t.Errorf("the socket of Caddy's %T isn't found", l)
	}
	if s := socketOf(tls.NewListener(l, &tls.Config{})); s != nil { //nolint:gosec // nothing connects
		t.Error("connections without TLS would be taken from a listener with it")
	}
	if s := socketOf((&sharedListener{Listener: l}).open()); s != nil {
		t.Error("the socket of an unknown listener is taken")
	}
}
