package upstream

import (
	"time"

	"github.com/zeebo/xxh3"

	"github.com/parsescale/parsescale/policies/balance"
	"github.com/parsescale/parsescale/policies/breaker"
	"github.com/parsescale/parsescale/policies/health"
)

// policy is what decides whether and how often a worker is chosen.
type policy struct {
	breaker *breaker.Breaker
	node    *balance.Node
	health  *health.Member
}

func (p *Pool) newPolicy(w *worker) policy {
	worker := w.target.Name
	o := p.options.Load()
	b := o.Breaker
	b.OpensSlow = w.isAlone
	changed := b.OnChange
	b.OnChange = func(from, to breaker.State) {
		p.news.tell()
		o := p.options.Load()
		switch to {
		case breaker.Open:
			w.since.Store(time.Now().UnixNano())
			if from == breaker.HalfOpen {
				w.told.Store(false) // its own probes have failed
			}
			o.Logger.Warn("worker gets no requests for a while: its breaker is open", "worker", worker)
		case breaker.Closed:
			w.told.Store(false)
			o.Logger.Info("worker gets requests again: its breaker is closed", "worker", worker)
		}
		o.changed(Change{worker, "breaker", from.String(), to.String()})
		if changed != nil {
			changed(from, to)
		}
	}
	return policy{breaker: breaker.New(b), node: p.picker.NewNodeAs(xxh3.HashString(worker)), health: p.health.Add()}
}

// outcome is what a worker's policies learn from an attempt.
type outcome struct {
	latency time.Duration // to the header of the answer
	breaker breaker.Outcome
	node    balance.Outcome
	health  health.Outcome
	slow    bool // Request.Slow was over
}

// quick is the time within which a refused connection costs nobody anything.
const quick = time.Second

// learn is what an attempt that failed or succeeded so after latency says about its worker.
func (f failure) learn(latency time.Duration, r *Request) outcome {
	o := outcome{latency: latency, slow: r.Slow > 0 && latency >= r.Slow}
	switch f {
	case succeeded:
		if r.Untimed {
			o.node = balance.Ignored
		}
		if o.slow {
			o.breaker = breaker.Slow
		}
	case late, overdue, outrun: // the first two may be the request's fault, or all workers'; see call.answered
		o.breaker, o.node, o.health = breaker.Ignored, balance.Unfinished, health.Ignored
		if r.Untimed {
			o.node = balance.Ignored
		}
		if o.slow {
			o.breaker = breaker.GivenUp
		}
	case stale, cancelled, unread, unsendable:
		o.breaker, o.node, o.health = breaker.Ignored, balance.Ignored, health.Ignored
	case refused, unanswered: // for health it is an answer
		o.breaker, o.node = breaker.Failure, balance.Failure
	case unreached:
		o.breaker, o.node, o.health = breaker.Failure, balance.Failure, health.Failure
		if latency < quick {
			// Trying costs less than refusing: were the breaker to open, a worker that is back a moment later
			// would stay out for seconds. Health ejects the worker if there is another one.
			o.breaker = breaker.Ignored
		}
	case faulty: // it may be the request's own; see call.answered
		o.breaker, o.node, o.health = breaker.Ignored, balance.Ignored, health.Ignored
	default:
		o.breaker, o.node, o.health = breaker.Failure, balance.Failure, health.Failure
	}
	return o
}

// blame lets the worker's policies learn afterwards that an attempt failed through it.
func (w *worker) blame() {
	w.failures.Add(1)
	if done, err := w.policy.breaker.Allow(); err == nil {
		done(breaker.Failure)
	}
	w.observe(health.Failure)
}

func (w *worker) observe(o health.Outcome) {
	if w.policy.health.Observe(time.Now(), o) {
		o := w.pool.options.Load()
		o.Logger.Warn("worker is left out for a while: requests to it failed in a row", "worker", w.target.Name)
		o.changed(Change{w.target.Name, "health", "up", "ejected"})
	}
}

// seat is one request's place at a worker. Exactly one call of leave frees it.
type seat struct {
	w       *worker
	done    breaker.Done
	entered time.Time
	untimed bool // for the balance
}

// leave frees the seat and lets the worker's policies learn.
func (s *seat) leave(o outcome) {
	s.learn(o)
	s.w.leave()
}

// learn lets the worker's policies learn.
func (s *seat) learn(o outcome) {
	w := s.w
	w.pool.record(s.done, o.breaker)
	if s.untimed {
		w.policy.node.EndUntimed(o.latency, o.node)
	} else {
		w.policy.node.End(o.latency, o.node)
	}
	if o.slow {
		w.slow.Add(1)
	}
	if o.breaker == breaker.Success || o.breaker == breaker.Slow {
		w.answered.Store(time.Now().UnixNano())
	}
	w.observe(o.health)
}

// answered lets the balance learn at the head of an answer; the seat is still taken.
func (s *seat) answered(o outcome) {
	if !s.untimed {
		s.untimed = true
		s.w.policy.node.Answered(o.latency, o.node)
	}
}

// candidates bounds how many workers are looked at without allocating.
const candidates = 16

// choose takes a seat for c at a worker that may be asked and that c hasn't tried; nil if there is none now. The one that has
// been a member for longest is taken if it has fewer than c.gather() requests under way and isn't silent.
func (p *Pool) choose(c *call) *seat {
	var (
		nodeSpace   [candidates]*balance.Node
		workerSpace [candidates]*worker
		nodes       = nodeSpace[:0]
		workers     = workerSpace[:0]
		now         = time.Now()
	)
	for _, w := range *p.members.Load() {
		if !isIn(c.tried, w) && w.ready(now) {
			nodes, workers = append(nodes, w.policy.node), append(workers, w)
		}
	}
	for len(nodes) > 0 {
		best := nodes
		if c.lease {
			best = nodes[:fewestUpgraded(nodes, workers)]
		}
		most := c.gather()
		if workers[0].hesitates(now) {
			most = 0
		}
		node := p.picker.Gather(best, nil, most, c.req.Key)
		if node == nil {
			return nil // none of them is to get requests
		}
		for i, n := range nodes {
			if n != node {
				continue
			}
			if s := workers[i].take(now, c.req.Untimed); s != nil {
				return s
			}
			last := len(nodes) - 1
			nodes[i], workers[i] = nodes[last], workers[last]
			nodes, workers = nodes[:last], workers[:last]
			break
		}
	}
	return nil
}

// ready reports whether the worker may be asked.
func (w *worker) ready(now time.Time) bool {
	return !w.draining.Load() && w.policy.breaker.Ready() && w.policy.health.Available(now)
}

// hesitation is how long a worker may have answered nothing, while it has something to answer, before the writes are no
// longer gathered there: a worker that hangs would hold as many as it may have under way.
const hesitation = time.Second

func (w *worker) hesitates(now time.Time) bool {
	return w.busy() > 0 && now.UnixNano()-w.answered.Load() > int64(hesitation)
}

func isIn(tried []*worker, w *worker) bool {
	for _, t := range tried {
		if t == w {
			return true
		}
	}
	return false
}

// take seats a request; nil if the breaker or a drain says no.
func (w *worker) take(now time.Time, untimed bool) *seat {
	if !w.enter() {
		return nil
	}
	done, err := w.policy.breaker.Allow()
	if err != nil {
		w.leave()
		return nil
	}
	if untimed {
		w.policy.node.BeginUntimed()
	} else {
		w.policy.node.Begin()
	}
	w.requests.Add(1)
	return &seat{w: w, done: done, entered: now, untimed: untimed}
}
