package upstream

import (
	"strconv"
	"sync/atomic"
	"time"
)

// timeouts counts what Timeouts tells of.
type timeouts struct{ tries, deadlines atomic.Uint64 }

// Timeouts are how often a time of a request was over.
type Timeouts struct {
	// Tries are attempts at reads that were given up for one at another worker, by Request.TryTimeout.
	Tries uint64 `json:"tries"`
	// Deadlines are requests that ended at Request.Deadline.
	Deadlines uint64 `json:"deadlines"`
}

// Timeouts tells how often a time of a request was over.
func (p *Pool) Timeouts() Timeouts { return Timeouts{p.over.tries.Load(), p.over.deadlines.Load()} }

// left is the time until the request's deadline; bounded is false if it has none.
func (c *call) left() (d time.Duration, bounded bool) {
	if c.req.Deadline.IsZero() {
		return 0, false
	}
	return time.Until(c.req.Deadline), true
}

// milliseconds writes a time, rounded up: a worker must not give up before the gateway does, which would take that for a
// failure of the worker.
func milliseconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Millisecond-1)/time.Millisecond)), 10)
}

// another tells whether the attempt at w may be given up for one at another worker, and takes what that costs from the
// retry budget. An attempt that none would follow goes on: a slow answer is better than none. It is called while Do waits for
// the attempt.
func (c *call) another(w *worker) bool {
	if c.begun.Load() || c.joined.Load() || c.sent+1 > c.options.Retries || !c.pool.hasOther(w, c.tried) {
		return false
	}
	c.paid = c.paid || c.pool.budget.spend(false) // it is, if the attempt before reached nobody
	return c.paid
}

// spend is the retry budget's, unless it was asked already.
func (c *call) spend(force bool) bool {
	if c.paid {
		c.paid = false
		return true
	}
	return c.pool.budget.spend(force)
}

// hasOther tells whether a worker that isn't w, nor in tried, may be asked now.
func (p *Pool) hasOther(w *worker, tried []*worker) bool {
	now := time.Now()
	for _, m := range *p.members.Load() {
		if m != w && m.policy.node.Share() > 0 && m.ready(now) && !isIn(tried, m) {
			return true
		}
	}
	return false
}
