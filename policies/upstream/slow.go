package upstream

import (
	"time"

	"github.com/parsescale/parsescale/policies/breaker"
)

// isAlone tells whether the worker is slow alone, so that its breaker may open for it: a worker's breaker is to keep requests
// from a worker that is worse than others, and helps nobody where the database is slow for all. So
//
//   - the others that are asked had enough calls to compare with, and at most half the share of slow ones that opens a breaker;
//   - with this one, no more than half of the workers are out.
//
// share and least are what its breaker opens by.
func (w *worker) isAlone(share float64, least uint32) bool {
	var others breaker.Calls
	for _, m := range *w.pool.members.Load() {
		if m != w && m.inUse(time.Now()) {
			c := m.policy.breaker.Calls()
			others.All, others.Slow = others.All+c.All, others.Slow+c.Slow
		}
	}
	return others.All >= least && others.Share() <= share/2 && w.isSpare()
}

// record tells a breaker how a request ended. Two breakers that open for slowness do so one after the other: at the same time
// each would take its worker for the only one that is out.
func (p *Pool) record(done breaker.Done, o breaker.Outcome) {
	if o == breaker.Slow || o == breaker.GivenUp {
		p.opening.Lock()
		defer p.opening.Unlock()
	}
	done(o)
}

// isSpare tells whether the pool can do without the worker: no more than half of the workers are out, if it is.
func (w *worker) isSpare() bool {
	members, out, now := 0, 1, time.Now()
	for _, m := range *w.pool.members.Load() {
		if m.draining.Load() || m.policy.node.Share() == 0 {
			continue
		}
		members++
		if m != w && !m.inUse(now) {
			out++
		}
	}
	return 2*out <= members
}

// inUse tells whether the worker gets its part of the requests, with nothing held against it.
func (w *worker) inUse(now time.Time) bool {
	return !w.draining.Load() && w.policy.node.Share() > 0 && w.policy.breaker.State() == breaker.Closed && w.policy.health.Healthy(now)
}
