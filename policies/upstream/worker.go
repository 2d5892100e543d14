package upstream

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/parsescale/parsescale/policies/upstream/exchange"
)

// worker is a member of a pool with everything that is known of it.
type worker struct {
	target    Target
	addr      Address
	pool      *Pool
	transport *http.Transport
	local     *exchange.Client // nil: everything goes through transport
	policy    policy
	life      context.Context // ends when the worker leaves the pool
	stopProbe context.CancelFunc

	draining atomic.Bool
	inflight atomic.Int64  // all that draining waits for
	upgraded atomic.Int64  // those of inflight that are upgraded connections
	answered atomic.Int64  // when it last did, in nanoseconds since 1970
	since    atomic.Int64  // when its breaker opened last, in nanoseconds since 1970
	told     atomic.Bool   // its breaker is open for what others say, not for what its requests met
	doubted  atomic.Bool   // it is being checked for what others say
	idle     chan struct{} // has a token when inflight fell to 0 while draining

	requests, failures, retries, slow atomic.Uint64
}

// enter takes a place at the worker. It fails when the worker is being drained.
func (w *worker) enter() bool {
	w.inflight.Add(1)
	if w.draining.Load() {
		w.leave()
		return false
	}
	return true
}

func (w *worker) leave() {
	if w.inflight.Add(-1) == 0 && w.draining.Load() {
		select {
		case w.idle <- struct{}{}:
		default:
		}
	}
}

// drain lets nothing new in.
func (w *worker) drain() {
	w.draining.Store(true)
	w.policy.health.SetAside(true)
	if w.inflight.Load() == 0 {
		select {
		case w.idle <- struct{}{}:
		default:
		}
	}
}

// setShare is the worker's share of the requests from now on.
func (w *worker) setShare(share int) {
	w.policy.node.SetShare(share)
	w.policy.health.SetAside(share <= 0 || w.draining.Load())
}

// empty waits until nothing is in flight at a draining worker.
func (w *worker) empty(ctx context.Context, stop <-chan struct{}) error {
	for w.inflight.Load() > 0 {
		select {
		case <-w.idle:
		case <-ctx.Done():
			return ctx.Err()
		case <-stop:
			return ErrClosed
		}
	}
	return nil
}

// busy is how many requests are under way.
func (w *worker) busy() int64 { return w.inflight.Load() - w.upgraded.Load() }

// believed: X-Parsescale-* headers of the worker's answers count.
func (w *worker) believed() bool { return w.target.Kind == Bundled || w.target.Trusted }
