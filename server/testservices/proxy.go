package testservices

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
)

// Proxy passes TCP connections on to a server, and can make them slow. Its links are toxiproxy's, and so is what delays them.
// toxiproxy's own Proxy, which would take the connections too, leaves no room for a receiver.
type Proxy struct {
	// Address is its host and port.
	Address string

	tb     testing.TB
	server atomic.Pointer[string] // its host and port
	links  *toxiproxy.ToxicCollection
	live   sync.WaitGroup // the links, and what starts them
}

// StartProxy starts a proxy to a server's host and port that ends with the test.
func StartProxy(tb testing.TB, to string) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("cannot start a proxy: %v", err)
	}
	silent := new(toxiproxy.Proxy) // it has no logger
	p := &Proxy{Address: l.Addr().String(), tb: tb, links: toxiproxy.NewToxicCollection(silent)}
	p.To(to)
	ctx, end := context.WithCancel(context.Background())
	p.live.Go(func() { p.serve(ctx, l) })
	tb.Cleanup(func() {
		l.Close()
		end()
		p.Delay(0) // nothing is held back any more
		p.live.Wait()
	})
	return p
}

// To has connections that are opened from now on lead to another server.
func (p *Proxy) To(server string) { p.server.Store(&server) }

// Delay holds back for so long what comes from now on, in either direction. What is held back until then passes at once, and
// Delay waits for who doesn't read it.
func (p *Proxy) Delay(d time.Duration) {
	p.tb.Helper()
	p.links.ResetToxics(context.Background())
	if d == 0 {
		return
	}
	for _, direction := range []stream.Direction{stream.Upstream, stream.Downstream} {
		ms := (d + time.Millisecond - 1).Milliseconds()
		latency := fmt.Sprintf(`{"type": "latency", "stream": "%s", "attributes": {"latency": %d}}`, direction, ms)
		if _, err := p.links.AddToxicJson(strings.NewReader(latency)); err != nil {
			p.tb.Errorf("cannot delay a proxy's %s: %v", direction, err)
		}
	}
}

// serve passes on the connections that come to l until it is closed. All end with ctx.
func (p *Proxy) serve(ctx context.Context, l net.Listener) {
	api := &toxiproxy.ApiServer{Metrics: toxiproxy.NewMetricsContainer(nil)} // links ask it whether to count; it never listens
	for n := 0; ; n++ {
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := new(net.Dialer).DialContext(ctx, "tcp", *p.server.Load())
		if err != nil {
			client.Close()
			continue
		}
		p.live.Add(2)
		p.links.StartLink(api, fmt.Sprint(n, " up"), client, p.receive(ctx, server), stream.Upstream)
		p.links.StartLink(api, fmt.Sprint(n, " down"), server, p.receive(ctx, client), stream.Downstream)
	}
}

// receiver is a connection that a link writes to. It takes whatever comes, also when its other side is gone. With a plain
// connection nobody takes what a link holds back once a write has failed: it never ends, and a change of the delay at that
// moment, as when a client's patience is over, waits for it for ever.
type receiver struct {
	net.Conn
	ended func()
}

func (p *Proxy) receive(ctx context.Context, c net.Conn) receiver {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	return receiver{c, func() {
		stop()
		p.live.Done()
	}}
}

func (r receiver) Write(b []byte) (int, error) {
	if _, err := r.Conn.Write(b); err != nil {
		r.Conn.Close() // which ends the link of the other direction, and that this one
	}
	return len(b), nil
}

// Close is what a link does last.
func (r receiver) Close() error {
	defer r.ended()
	return r.Conn.Close()
}
