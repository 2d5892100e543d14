package upstream

import (
	"sync/atomic"

	"github.com/parsescale/parsescale/policies/breaker"
)

// Broken is a worker whose breaker isn't closed, for what this pool's own requests to it met.
type Broken struct {
	// Address is the worker's, as its Target has it.
	Address string
	// Number tells the times apart that its breaker has opened.
	Number int64
}

// Broken tells which remote workers' breakers aren't closed, but for those that only Doubt has opened.
func (p *Pool) Broken() (all []Broken) {
	for _, w := range *p.members.Load() {
		if w.target.Kind == Remote && !w.draining.Load() && w.policy.breaker.State() != breaker.Closed && !w.told.Load() {
			all = append(all, Broken{w.target.Address, w.since.Load()})
		}
	}
	return all
}

// doubts counts what Doubts tells of.
type doubts struct {
	confirmed, many, refuted, spared atomic.Uint64
}

// Doubts are how often others said of a worker in use that it is broken, by what came of it.
type Doubts struct {
	// Confirmed: a health check of the pool's own failed, so the worker's breaker was opened. Many: it was opened since many say so.
	Confirmed uint64 `json:"confirmed"`
	Many      uint64 `json:"many"`
	// Refuted: the check was answered well, or can't be made. Spared: too many workers were out already.
	Refuted uint64 `json:"refuted"`
	Spared  uint64 `json:"spared"`
}

// Doubts tells what came of calls of Doubt.
func (p *Pool) Doubts() Doubts {
	d := &p.doubts
	return Doubts{d.confirmed.Load(), d.many.Load(), d.refuted.Load(), d.spared.Load()}
}

// Doubt says that others find the worker at an address broken. Unless many do, it is checked at once: who says so may be cut off
// from it. If it is broken its breaker opens, as long as no more than half of the workers are out then, and closes as any other.
// Doubt doesn't wait for that.
func (p *Pool) Doubt(address string, many bool) {
	for _, w := range *p.members.Load() {
		if w.target.Kind == Remote && w.target.Address == address {
			w.doubt(many)
		}
	}
}

func (w *worker) doubt(many bool) {
	p := w.pool
	if w.draining.Load() || w.policy.breaker.State() != breaker.Closed || !w.doubted.CompareAndSwap(false, true) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isClosed() {
		return
	}
	p.running.Go(func() {
		defer w.doubted.Store(false)
		if o := p.options.Load(); !many {
			if o.Probe.Path == "" || w.check(w.life, o) == nil || w.life.Err() != nil {
				p.doubts.refuted.Add(1)
				return
			}
		}
		w.distrust(many)
	})
}

// distrust opens the worker's breaker, if the pool can do without the worker.
func (w *worker) distrust(many bool) {
	d := &w.pool.doubts
	w.pool.opening.Lock()
	defer w.pool.opening.Unlock()
	if !w.isSpare() {
		d.spared.Add(1)
		return
	}
	w.told.Store(true)
	switch {
	case !w.policy.breaker.Trip():
		w.told.Store(false) // it has opened by itself meanwhile
	case many:
		d.many.Add(1)
	default:
		d.confirmed.Add(1)
	}
}
