package upstream

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Lease is a worker that was chosen for something the pool can't send by itself: an upgraded connection, or whatever
// else goes through a reverse proxy. It is not repeated on another worker.
type Lease struct {
	// Target is the worker.
	Target Target
	// URL has the scheme and host to use and the path that goes before the request's.
	URL *url.URL
	// Transport sends to the worker, whatever the host of the request's URL.
	Transport http.RoundTripper

	once sync.Once
	seat *seat
}

// Lease waits for a worker as Do does and holds a place at it until Release. Draining waits for leases, too.
func (p *Pool) Lease(ctx context.Context) (*Lease, error) {
	c := &call{pool: p, req: &Request{}, options: p.options.Load(), start: time.Now()}
	s, err := p.seat(ctx, c)
	if err != nil {
		return nil, err
	}
	u, err := s.w.addr.at(&url.URL{})
	if err != nil {
		s.leave(cancelled.learn(0, true))
		return nil, err
	}
	return &Lease{Target: s.w.target, URL: u, Transport: s.w.transport, seat: s}, nil
}

// Release frees the place. failed says that the worker couldn't be reached or broke the connection off. Calls after
// the first do nothing.
func (l *Lease) Release(failed bool) {
	l.once.Do(func() {
		f := succeeded // how long an upgraded connection lasted says nothing about the worker
		if failed {
			f = broken
			l.seat.w.failures.Add(1)
		}
		l.seat.leave(f.learn(time.Since(l.seat.entered), true))
	})
}
