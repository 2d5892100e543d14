package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/parsescale/parsescale/server/storage"
)

// pool is the connections to one address. The one used last is used next: its statements are warm, and those that aren't
// needed are closed after a while.
type pool struct {
	location location
	timeout  time.Duration // for a free connection, and for opening one
	slots    chan struct{} // one token for each connection that is in use
	// roundTrip is the shortest time, in nanoseconds, in which the server answered a new connection; 0: it hasn't, yet.
	roundTrip atomic.Int64
	greet     func(*conn) error // if not nil, it is called with each new connection
	plain     atomic.Bool       // a pooler doesn't take parameters that only make queries faster

	mu     sync.Mutex
	idle   []*conn
	closed bool
	stop   chan struct{}
}

// readAhead is how many bytes of answers are read at a time, at most: those of a company come together.
const readAhead = 64 << 10

func newPool(loc location, timeout time.Duration) *pool {
	loc.config.DialFunc = dialer(timeout).DialContext
	p := &pool{location: loc, timeout: timeout, slots: make(chan struct{}, loc.connections), stop: make(chan struct{})}
	go p.reap()
	return p
}

// dialer makes connections whose other end is noticed to be gone, be it silently.
func dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: timeout, Control: control, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}
}

// take returns a connection, an idle one unless fresh is asked for. It waits for the pool's time-out at most.
func (p *pool) take(ctx context.Context, fresh bool) (*conn, error) {
	select {
	case p.slots <- struct{}{}:
	default:
		if err := p.wait(ctx); err != nil {
			return nil, err
		}
	}
	if !fresh {
		p.mu.Lock()
		if n := len(p.idle); n > 0 {
			c := p.idle[n-1]
			p.idle = p.idle[:n-1]
			p.mu.Unlock()
			return c, nil
		}
		p.mu.Unlock()
	}
	c, err := p.connect(ctx)
	if err != nil {
		<-p.slots
		return nil, err
	}
	return c, nil
}

func (p *pool) wait(ctx context.Context) error {
	timer := time.NewTimer(p.timeout)
	defer timer.Stop()
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return fmt.Errorf("%w: all %d connections are in use", storage.ErrUnavailable, p.location.connections)
	}
}

// open opens a connection and finds out who is at its other end.
func (p *pool) open(ctx context.Context) (*conn, error) {
	config, plain := p.location.config.Copy(), p.plain.Load()
	if plain {
		delete(config.RuntimeParams, "jit")
	}
	var ahead *bufio.Reader
	config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		ahead = bufio.NewReaderSize(r, readAhead)
		return pgproto3.NewFrontend(ahead, w)
	}
	pg, err := pgconn.ConnectConfig(ctx, config)
	if unsupported(err) && !plain {
		p.plain.Store(true)
		return p.open(ctx)
	}
	if err != nil {
		return nil, err
	}
	c := newConn(pg, ahead)
	if l := p.location.statement; l > 0 {
		c.limit = l + p.timeout // if the server hangs, which else ends the statement by itself
	}
	// Whoever answers the start of a connection and isn't who answers its statements is a pooler.
	begin := time.Now()
	sessions, err := pg.Exec(ctx, "SELECT pg_catalog.pg_backend_pid()").ReadAll()
	if err != nil || len(sessions) != 1 || len(sessions[0].Rows) != 1 {
		c.close()
		return nil, fmt.Errorf("cannot tell whose session it is: %w", errors.Join(err, errLost))
	}
	p.answered(time.Since(begin))
	c.pooled = string(sessions[0].Rows[0][0]) != strconv.FormatUint(uint64(pg.PID()), 10)
	return c, nil
}

// answered notes how long a round trip took.
func (p *pool) answered(d time.Duration) {
	for known := p.roundTrip.Load(); known == 0 || int64(d) < known; known = p.roundTrip.Load() {
		if p.roundTrip.CompareAndSwap(known, int64(d)) {
			return
		}
	}
}

// connect opens a connection and greets the server.
func (p *pool) connect(ctx context.Context) (*conn, error) {
	limited, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	c, err := p.open(limited)
	if ctx.Err() != nil && err != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	if p.greet != nil {
		stop := c.watch(limited)
		err := p.greet(c)
		if stopped := stop(); err != nil || stopped {
			c.close()
			return nil, fmt.Errorf("%w: %w", storage.ErrUnavailable, errors.Join(err, limited.Err()))
		}
	}
	return c, nil
}

// give puts a connection back. One that is broken, or within a transaction, is closed.
func (p *pool) give(c *conn) {
	if c.broken == nil && c.status != 'I' && c.unread == 0 {
		c.close()
	}
	if c.broken == nil {
		c.used = time.Now()
		p.mu.Lock()
		if !p.closed {
			p.idle = append(p.idle, c)
			c = nil
		}
		p.mu.Unlock()
	}
	if c != nil {
		c.close()
	}
	<-p.slots
}

// drop closes the idle connections: they lead to a server that isn't the right one any more. What is known of that may not be so
// of the next one, which may be farther away, or without a pooler before it.
func (p *pool) drop() {
	p.roundTrip.Store(0)
	p.plain.Store(false)
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}

// reap closes connections that nobody uses.
func (p *pool) reap() {
	tick := time.NewTicker(max(p.location.idle/2, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case now := <-tick.C:
			p.mu.Lock()
			n := 0
			for n < len(p.idle) && now.Sub(p.idle[n].used) > p.location.idle {
				n++
			}
			old := p.idle[:n:n]
			p.idle = p.idle[n:]
			p.mu.Unlock()
			for _, c := range old {
				c.close()
			}
		}
	}
}

// close closes the idle connections, and those in use once they are given back.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	close(p.stop)
	p.drop()
}
