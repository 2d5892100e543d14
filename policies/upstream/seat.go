package upstream

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// tick is how often a waiting request looks again without having been told to: a breaker becomes half-open by the
// passing of time alone.
const tick = 50 * time.Millisecond

// Waiting before all workers are tried anew: a random time below base doubled each round, at most cap ("full jitter").
const (
	backoffBase = 25 * time.Millisecond
	backoffCap  = 250 * time.Millisecond
)

// seat finds a place for c: at a worker that c hasn't tried, else, after a pause, at one it has. It waits as long as
// c may.
func (p *Pool) seat(ctx context.Context, c *call) (*seat, error) {
	for {
		if ctx.Err() != nil {
			return nil, ended(ctx)
		}
		remaining, bounded := c.left()
		if bounded && remaining <= 0 {
			return nil, errOverdue
		}
		if s := p.wanted(c); s != nil {
			return s, nil
		}
		if s := p.choose(c); s != nil {
			return s, nil
		}
		heard := p.news.listen()
		if s := p.choose(c); s != nil { // there may have been news in between
			return s, nil
		}
		left := c.patience()
		if left <= 0 {
			return nil, ErrNoWorker
		}
		pause := tick
		if len(c.tried) > 0 {
			pause = backoff(c.rounds)
			c.rounds++
			c.tried = c.tried[:0]
		}
		if bounded {
			left = min(left, remaining)
		}
		begun := time.Now()
		timer := time.NewTimer(min(pause, left))
		select {
		case <-heard:
		case <-timer.C:
		case <-ctx.Done():
		case <-p.closed:
			timer.Stop()
			return nil, ErrClosed
		}
		timer.Stop()
		c.waited += time.Since(begun)
	}
}

// wanted takes a seat at the member that the request names, as long as it was sent nowhere.
func (p *Pool) wanted(c *call) *seat {
	if c.req.Worker == "" || c.attempts > 0 || c.gather() > 0 {
		return nil
	}
	w, now := p.member(c.req.Worker), time.Now()
	if w == nil || !w.ready(now) {
		return nil
	}
	return w.take(now, c.req.Untimed)
}

// gather is how many requests a worker may have under way and still get this one together with other writes.
func (c *call) gather() int64 {
	if !c.req.Write || c.req.Untimed {
		return 0
	}
	return c.options.GatherWrites
}

func backoff(round int) time.Duration {
	return rand.N(min(backoffBase<<min(round, 8), backoffCap)) + time.Millisecond
}

// news wakes those who wait for a worker.
type news struct {
	mu sync.Mutex
	ch chan struct{}
}

// listen returns a channel that is closed at the next news.
func (n *news) listen() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch == nil {
		n.ch = make(chan struct{})
	}
	return n.ch
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch != nil {
		close(n.ch)
		n.ch = nil
	}
}
