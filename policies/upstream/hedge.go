package upstream

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Hedge says when a read that takes long is asked of a second worker as well: the first answer counts, the other attempt is
// ended, and no worker is blamed for that (Dean and Barroso, The Tail at Scale, 2013).
type Hedge struct {
	// Share is the largest share of the reads with Request.Hedge of ten seconds that a second worker is asked for, at most 0.05.
	// Each also costs the retry budget. Default 0: none.
	Share float64
	// Delay is how long the first worker may take before that. Default 0: as long as 95 of 100 reads of the same
	// Request.Sort took lately; while fewer than a hundred are known, no second worker is asked.
	Delay time.Duration
	// Spare tells whether there is room for one more request. Default nil: there is.
	Spare func() bool
}

// MaxHedgeShare bounds Hedge.Share: what is asked twice is load that nobody asked for.
const MaxHedgeShare = 0.05

// minHedgeDelay is the shortest delay: what takes less isn't worth a second request.
const minHedgeDelay = time.Millisecond

// Sorts is how many sorts of requests are told apart.
const Sorts = 32

// hedging is what a pool keeps for it.
type hedging struct {
	lately [Sorts]latencies
	budget budget

	won, lost, failed, capped, alone atomic.Uint64
}

// Hedges are the reads that took long, by what came of asking a second worker.
type Hedges struct {
	// Won: the second worker answered first. Lost: the first did. Failed: neither did.
	Won    uint64 `json:"won"`
	Lost   uint64 `json:"lost"`
	Failed uint64 `json:"failed"`
	// Capped: nobody was asked, since Hedge.Share or the retry budget was used up, or there was no room. Alone: no other healthy worker could be
	// asked.
	Capped uint64 `json:"capped"`
	Alone  uint64 `json:"alone"`
}

// Hedges tells what came of asking second workers.
func (p *Pool) Hedges() Hedges {
	h := &p.hedging
	return Hedges{h.won.Load(), h.lost.Load(), h.failed.Load(), h.capped.Load(), h.alone.Load()}
}

// delay is after what time a second worker is asked; 0: none is.
func (h *hedging) delay(c *call) time.Duration {
	if c.options.Hedge.Delay > 0 {
		return c.options.Hedge.Delay
	}
	p95 := time.Duration(h.lately[c.req.Sort%Sorts].p95.Load())
	if p95 == 0 {
		return 0
	}
	return max(p95, minHedgeDelay)
}

// hedgeable tells whether a second worker may be asked for it.
func (c *call) hedgeable() bool {
	r := c.req
	return c.options.Hedge.Share > 0 && r.Hedge && !r.Write && !r.Unbuffered && (r.Body != nil || r.Stream == nil) && c.attempts == 1
}

// race is a read that is under way at one worker and perhaps at a second one.
type race struct {
	c     *call
	ctx   context.Context
	seat  *seat // the first's
	first cut
	other cut
	begun time.Time

	mu     sync.Mutex
	over   bool // no second one any more
	second *seat
	ended  chan result // of the second
}

// ask sends the call to the worker in seat s, and to a second one if that takes long. It returns the seat whose result counts.
// Neither attempt is under way any more when it returns.
func (c *call) ask(ctx context.Context, s *seat) (*seat, result) {
	if !c.hedgeable() {
		return s, s.send(ctx, c, lane{number: c.attempts})
	}
	h := &c.pool.hedging
	h.budget.request()
	r := &race{c: c, ctx: ctx, seat: s, begun: time.Now(), ended: make(chan result, 1)}
	var timer *time.Timer
	if d := h.delay(c); d > 0 {
		timer = time.AfterFunc(d, r.join)
	}
	res := s.send(ctx, c, lane{number: c.attempts, outrun: &r.first})
	if timer != nil {
		timer.Stop()
	}
	seat, res := r.settle(res)
	if res.failure == succeeded {
		h.lately[c.req.Sort%Sorts].record(time.Since(r.begun), time.Now())
	}
	return seat, res
}

// join asks a second worker.
func (r *race) join() {
	h, c := &r.c.pool.hedging, r.c
	r.mu.Lock()
	if r.over {
		r.mu.Unlock()
		return
	}
	s := c.pool.spare(r.seat.w, c)
	if s == nil {
		h.alone.Add(1)
		r.mu.Unlock()
		return
	}
	if spare := c.options.Hedge.Spare; spare != nil && !spare() || !h.budget.spend(false) || !c.pool.budget.spend(false) {
		h.capped.Add(1)
		s.give()
		r.mu.Unlock()
		return
	}
	r.second = s
	c.joined.Store(true)
	l := lane{number: c.attempts + 1, outrun: &r.other, hedge: true}
	r.mu.Unlock()
	res := s.send(r.ctx, c, l)
	if res.failure == succeeded {
		r.first.make()
	}
	r.ended <- res
}

// settle ends the race when the first attempt has ended, and returns what counts.
func (r *race) settle(res result) (*seat, result) {
	h, c := &r.c.pool.hedging, r.c
	r.mu.Lock()
	r.over = true
	second := r.second
	r.mu.Unlock()
	if second == nil {
		return r.seat, res
	}
	if res.failure == succeeded {
		r.other.make()
	}
	c.attempts++
	theirs := <-r.ended
	c.joined.Store(false)
	switch {
	case res.failure == succeeded:
		h.lost.Add(1)
		if theirs.failure != outrun && theirs.failure != succeeded {
			c.note(second.w, theirs)
		}
		theirs.resp.discard()
		return r.seat, res
	case theirs.failure == succeeded:
		h.won.Add(1)
		if res.failure != outrun {
			c.note(r.seat.w, res)
		}
		res.resp.discard()
		return second, theirs
	default:
		h.failed.Add(1)
		c.note(second.w, theirs)
		theirs.resp.discard()
		return r.seat, res
	}
}

// spare takes a seat at a worker that is healthy beyond doubt and isn't first, nor one that c has tried; nil if there is none.
func (p *Pool) spare(first *worker, c *call) *seat {
	var space [candidates]*worker
	out := append(append(space[:0], c.tried...), first)
	for _, w := range *p.members.Load() {
		if !w.inUse(time.Now()) {
			out = append(out, w)
		}
	}
	return p.choose(&call{pool: p, req: c.req, options: c.options, tried: out})
}

// give gives the seat back without having used it.
func (s *seat) give() {
	s.w.requests.Add(^uint64(0))
	s.leave(unsendable.learn(0, &Request{}))
}
