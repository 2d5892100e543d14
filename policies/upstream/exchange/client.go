package exchange

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// MaxRequest is how many bytes a request may have, header and body together. It is below what a socket of Linux takes without
// anybody reading (208 KiB unless told otherwise, some of it for its own books), so that a server that answers first and reads
// later, or not at all, is heard. Where the socket takes less, one is heard that has answered when it closes the connection, and
// one that neither reads nor closes is waited for until the context ends.
const MaxRequest = 128 << 10

// Bounds of what a server may send before the body of its answer.
const (
	maxAnswerHeader = 1 << 20 // bytes
	maxInformations = 5       // answers with a status of 1xx
)

// What an exchange may end with, besides the errors of the connection and the context.
var (
	// ErrUnfit: the request can't be sent as it is. Nothing was sent.
	ErrUnfit = errors.New("the request is not fit to be sent")
	// ErrTooLarge: it has more than MaxRequest, and is for somebody else to send. Nothing was sent.
	ErrTooLarge = errors.New("the request is too large")
	// ErrHeaderTooLarge: the answer's header has more than 1 MiB.
	ErrHeaderTooLarge = errors.New("the header of the answer is too large")
	// ErrUnasked: the server switches to another protocol, says "going on" without end, or answers with a status below 100.
	ErrUnasked = errors.New("the server sent an answer that wasn't asked for")
)

// Client asks one server. Its fields are set before its first use and not changed.
type Client struct {
	// Dial makes a connection to the server.
	Dial func(ctx context.Context) (net.Conn, error)
	// MaxIdle is how many unused connections are kept; 0: none.
	MaxIdle int
	// IdleTimeout is how long an unused connection is kept; 0: until the server closes it. It had better be shorter than the server's.
	IdleTimeout time.Duration

	mu    sync.Mutex
	idle  []*conn // the one used last is the last
	prune *time.Timer
	leave bool // nothing is kept until there is a request again

	buffers sync.Pool // of *[]byte, for requests
}

// Account is what an exchange tells besides its answer or error.
type Account struct {
	// Fit: the request could be sent; else the error is ErrUnfit or ErrTooLarge.
	Fit bool
	// Sent: a byte of the request was written.
	Sent bool
	// Heard: a byte of an answer came.
	Heard bool
	// Reused: its connection was used before, so that the server may have closed it meanwhile.
	Reused bool
}

// Do sends r, whose body is body (its own isn't looked at), and returns the answer, whose Body has to be closed. When ctx ends,
// so does the exchange, the reading of the Body included, and the connection is closed. A connection that was used before and
// takes no byte of r is replaced by another one. The account holds what was true when Do returned. Do is safe for concurrent use.
func (c *Client) Do(ctx context.Context, r *http.Request, body []byte) (res *http.Response, a Account, err error) {
	buffer, _ := c.buffers.Get().(*[]byte)
	if buffer == nil {
		buffer = new([]byte)
	}
	defer func() {
		if cap(*buffer) <= 2*MaxRequest {
			c.buffers.Put(buffer)
		}
	}()
	if *buffer, err = render((*buffer)[:0], r, body); err != nil {
		return nil, a, err
	}
	a.Fit = true
	if err := ctx.Err(); err != nil {
		return nil, a, err
	}
	for unused := c.MaxIdle; ; unused-- { // however many others put back meanwhile
		var k *conn
		if unused > 0 {
			k = c.take()
		}
		if a.Reused = k != nil; !a.Reused {
			raw, err := c.Dial(ctx)
			if err != nil {
				return nil, a, fmt.Errorf("cannot connect: %w", err)
			}
			k = newConn(c, raw)
		}
		if res, err = k.exchange(ctx, r.Method, *buffer, &a); err == nil || a.Sent || !a.Reused || ctx.Err() != nil {
			return res, a, err
		}
		// The server closed it after take had looked, which says no more about the server than if it had before.
	}
}

// CloseIdleConnections closes the connections that are not in use, and those that are in use when their exchanges end, unless
// there was another one since.
func (c *Client) CloseIdleConnections() {
	c.mu.Lock()
	idle := c.idle
	c.idle, c.leave = nil, true
	c.mu.Unlock()
	for _, k := range idle {
		k.raw.Close()
	}
}

// take returns the connection that was used last and is still open, nil if there is none.
func (c *Client) take() *conn {
	for {
		c.mu.Lock()
		c.leave = false
		n := len(c.idle)
		if n == 0 {
			c.mu.Unlock()
			return nil
		}
		k := c.idle[n-1]
		c.idle[n-1] = nil
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		if k.quiet() {
			return k
		}
		k.raw.Close()
	}
}

// keep takes back a connection on which nothing is outstanding.
func (c *Client) keep(k *conn) {
	k.ctx, k.stop, k.since = nil, nil, time.Now()
	c.mu.Lock()
	kept := len(c.idle) < c.MaxIdle && !c.leave
	if kept {
		c.idle = append(c.idle, k)
		if c.prune == nil && c.IdleTimeout > 0 {
			c.prune = time.AfterFunc(c.IdleTimeout, c.expire)
		}
	}
	c.mu.Unlock()
	if !kept {
		k.raw.Close()
	}
}

// expire closes what was unused for IdleTimeout, and comes back while anything is kept.
func (c *Client) expire() {
	c.mu.Lock()
	old, now := 0, time.Now()
	for old < len(c.idle) && now.Sub(c.idle[old].since) >= c.IdleTimeout {
		old++
	}
	gone := append([]*conn(nil), c.idle[:old]...)
	rest := copy(c.idle, c.idle[old:])
	clear(c.idle[rest:])
	if c.idle = c.idle[:rest]; rest == 0 {
		c.prune = nil
	} else {
		c.prune.Reset(c.IdleTimeout - now.Sub(c.idle[0].since))
	}
	c.mu.Unlock()
	for _, k := range gone {
		k.raw.Close()
	}
}
