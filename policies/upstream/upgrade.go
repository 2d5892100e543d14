package upstream

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/parsescale/parsescale/policies/balance"
	"github.com/parsescale/parsescale/policies/upstream/exchange"
)

// Lease is a worker that was chosen for something the pool can't send by itself: an upgraded connection, or whatever
// else goes through a reverse proxy. It is not repeated on another worker.
type Lease struct {
	// Target is the worker.
	Target Target
	// URL has the scheme and host to use and the path that goes before the request's.
	URL *url.URL

	call     *call
	seat     *seat
	learned  sync.Once
	upgraded bool
	released sync.Once
}

// Lease waits for a worker as Do does and holds a place at it until Release. Draining waits for leases, too. It is the worker
// with the fewest upgraded connections for its share: how busy it is now tells little of the hours that one may last.
func (p *Pool) Lease(ctx context.Context) (*Lease, error) {
	c := &call{pool: p, req: &Request{}, options: p.options.Load(), start: time.Now(), lease: true}
	s, err := p.seat(ctx, c)
	if err != nil {
		return nil, err
	}
	l := &Lease{Target: s.w.target, call: c, seat: s}
	if l.URL, err = s.w.addr.at(&url.URL{}); err != nil {
		l.Release()
		return nil, err
	}
	return l, nil
}

// RoundTrip implements http.RoundTripper: it sends to the worker, whatever the host of the request's URL. The worker's policies
// learn how that ended, and no more: how long an upgraded connection lasts, and how it ends, says nothing about the worker.
// From then on it doesn't count as a request under way.
func (l *Lease) RoundTrip(r *http.Request) (*http.Response, error) {
	var a attempt
	w := l.seat.w
	res, err := w.transport.RoundTrip(r.WithContext(a.observed(r.Context())))
	if err == nil && res.StatusCode < 100 { // servers panic when they are to hand it on
		res.Body.Close()
		err = exchange.ErrUnasked
	}
	if err != nil {
		f := l.seat.failed(r.Context(), l.call, &a, lane{}, err, false).failure
		if f.blames() {
			w.failures.Add(1)
		}
		l.learn(f)
		return nil, err
	}
	if l.learn(succeeded); res.StatusCode == http.StatusSwitchingProtocols && !l.upgraded {
		l.upgraded = true
		w.upgraded.Add(1)
	}
	return res, nil
}

func (l *Lease) learn(f failure) {
	l.learned.Do(func() { l.seat.learn(f.learn(time.Since(l.seat.entered), &Request{Untimed: true})) })
}

// Release frees the place, when all that was asked of the worker has ended. Calls after the first do nothing.
func (l *Lease) Release() {
	l.released.Do(func() {
		l.learn(cancelled) // unless it was asked
		if l.upgraded {
			l.seat.w.upgraded.Add(-1)
		}
		l.seat.w.leave()
	})
}

// fewestUpgraded brings the workers to the front that have the fewest upgraded connections for their shares, and tells how many
// they are. Those without a share aren't among them.
func fewestUpgraded(nodes []*balance.Node, workers []*worker) (n int) {
	for i, w := range workers {
		share := int64(nodes[i].Share())
		if share <= 0 {
			continue
		}
		if n > 0 {
			more := w.upgraded.Load()*int64(nodes[0].Share()) - workers[0].upgraded.Load()*share
			if more > 0 {
				continue
			}
			if more < 0 {
				n = 0
			}
		}
		nodes[n], nodes[i] = nodes[i], nodes[n]
		workers[n], workers[i] = workers[i], workers[n]
		n++
	}
	return n
}
