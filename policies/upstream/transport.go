package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/parsescale/parsescale/policies/upstream/exchange"
)

// meteredConn counts the bytes that were written to a connection. Whether any byte of a request left is what decides
// if a write may be repeated, and net/http doesn't tell it.
type meteredConn struct {
	net.Conn
	written atomic.Int64
}

func (c *meteredConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if n > 0 {
		c.written.Add(int64(n))
	}
	return n, err
}

// CloseWrite lets net/http and crypto/tls half-close, where the connection can.
func (c *meteredConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return net.ErrClosed
}

// metered finds the meter below a connection of the transport, nil if there is none.
func metered(c net.Conn) *meteredConn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	m, _ := c.(*meteredConn)
	return m
}

// transport makes the worker's own HTTP/1.1 transport. HTTP/2 is left out: over a local socket it costs more than it
// gives, and one connection for all requests would make them die together.
func (w *worker) newTransport(o *Options) *http.Transport {
	t := &http.Transport{
		DialContext:         w.dial,
		TLSClientConfig:     w.target.TLS,
		TLSHandshakeTimeout: o.DialTimeout,
		DisableCompression:  true,
		MaxIdleConnsPerHost: 256,
		MaxIdleConns:        256,
		IdleConnTimeout:     o.IdleTimeout,
		// Time-outs towards the answer are the watchdog's: it covers bodies as well.
		Protocols: new(http.Protocols),
	}
	if w.target.Kind == Bundled {
		t.IdleConnTimeout = localIdle
	}
	t.Protocols.SetHTTP1(true)
	return t
}

// localIdle is how long connections to a bundled worker are kept, which closes them after ten minutes.
const localIdle = 90 * time.Second

// newLocal makes the way to a bundled worker for requests that are all there and of usual size, which are nearly all. Others, streams
// and upgraded connections go through the transport.
func (w *worker) newLocal() *exchange.Client {
	return &exchange.Client{Dial: w.dialRaw, MaxIdle: 256, IdleTimeout: localIdle}
}

// ask sends one attempt.
func (w *worker) ask(ctx context.Context, c *call, a *attempt, r *http.Request) (res *http.Response, err error) {
	if w.local != nil && c.req.whole() {
		var told exchange.Account
		if res, told, err = w.local.Do(ctx, r, c.req.Body); !errors.Is(err, exchange.ErrTooLarge) {
			a.asked, a.wrote, a.reused = told.Fit, told.Sent, told.Reused
			a.heard.Store(told.Heard)
			return res, err
		}
	}
	r.Body, r.ContentLength = c.body(&a.dog)
	if res, err = w.transport.RoundTrip(r.WithContext(a.observed(ctx))); err == nil && res.StatusCode < 200 {
		res.Body.Close()
		return nil, exchange.ErrUnasked // net/http hands on 101, and what is below 100
	}
	return res, err
}

// closeIdle closes the connections that are not in use, and the others after their requests.
func (w *worker) closeIdle() {
	w.transport.CloseIdleConnections()
	if w.local != nil {
		w.local.CloseIdleConnections()
	}
}

// dial ignores the address that net/http derives from the URL: the worker knows where it listens.
func (w *worker) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	c, err := w.dialRaw(ctx)
	if err != nil {
		return nil, err
	}
	return &meteredConn{Conn: c}, nil
}

func (w *worker) dialRaw(ctx context.Context) (net.Conn, error) {
	if w.target.Dial != nil {
		return w.target.Dial(ctx)
	}
	d := net.Dialer{Timeout: w.pool.options.Load().DialTimeout, KeepAlive: 30 * time.Second}
	return d.DialContext(ctx, w.addr.Network, w.addr.Dial)
}
