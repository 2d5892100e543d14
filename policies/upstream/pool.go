package upstream

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/parsescale/parsescale/policies/balance"
	"github.com/parsescale/parsescale/policies/health"
)

// Pool is a set of workers that can answer the same requests. It is safe for concurrent use.
type Pool struct {
	options atomic.Pointer[Options]
	members atomic.Pointer[[]*worker] // replaced, never changed
	picker  *balance.Picker
	health  *health.Group
	budget  budget
	news    news
	over    timeouts
	hedging hedging
	doubts  doubts
	closed  chan struct{}
	running sync.WaitGroup // goroutines of the pool

	mu      sync.Mutex // guards changes of members, and closing
	opening sync.Mutex // held while a breaker may open for what isSpare allows
}

// New makes an empty pool. It must be closed.
func New(o Options) *Pool {
	h := o.Health
	h.Interval = o.Probe.Interval
	h.DownInterval = o.Probe.Interval / 10
	p := &Pool{closed: make(chan struct{}), picker: balance.New(o.Balance), health: health.NewGroup(h)}
	p.members.Store(new([]*worker))
	p.budget.now, p.hedging.budget.now = time.Now, time.Now
	p.Configure(o)
	return p
}

// Configure replaces the options, for requests and checks that begin from now on. Balance and Health stay what they
// were, as do Breaker and IdleTimeout of workers that are members already.
func (p *Pool) Configure(o Options) {
	o = o.withDefaults()
	p.budget.configure(o.RetryShare, o.RetryPerSecond)
	p.hedging.budget.configure(min(o.Hedge.Share, MaxHedgeShare), 0)
	p.picker.SetPolicy(o.Policy)
	p.health.SetPanicThreshold(o.PanicThreshold)
	p.options.Store(&o)
}

// Close ends the health checks, lets waiting requests fail with ErrClosed and closes idle connections. Requests
// under way go on.
func (p *Pool) Close() error {
	p.mu.Lock()
	if p.isClosed() {
		p.mu.Unlock()
		return nil
	}
	close(p.closed)
	members := *p.members.Load()
	p.mu.Unlock()
	for _, w := range members {
		w.stopProbe()
		w.drain()
		w.closeIdle() // those in use as well, when their requests have ended
	}
	p.running.Wait()
	return nil
}

func (p *Pool) isClosed() bool {
	select {
	case <-p.closed:
		return true
	default:
		return false
	}
}
