package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"time"
)

// call is one request on its way through the pool.
type call struct {
	pool    *Pool
	req     *Request
	options *Options
	url     *url.URL
	start   time.Time
	lease   bool // for an upgraded connection

	tried    []*worker
	suspects []*worker             // those that answered with a 500 that isn't Parse's
	late     []*worker             // those that took longer than Request.TryTimeout
	joined   atomic.Bool           // a second worker is being asked, too
	paid     bool                  // the retry budget was asked for the next attempt
	begun    atomic.Bool           // the client's stream was read from
	unread   atomic.Pointer[error] // why it couldn't be read to its end
	attempts int                   // all of them
	sent     int                   // those that may have reached a worker
	excused  bool                  // one stale connection was met already
	rounds   int                   // how often all workers had been tried
	waited   time.Duration         // for a worker
	doubt    bool                  // a write may have happened
	answer   *Response             // the last one that asked for a repetition
	cause    error                 // the last failure
}

// Do sends a request to a worker and returns the answer. A failure of the worker is hidden by asking another one,
// as far as that is safe:
//
//   - a request that certainly reached no worker is repeated, until Options.MaxWait was spent on waiting;
//   - a read is repeated after every failure and after a 502, 503 or 504, Options.Retries times; after a 500 that isn't
//     Parse's once; it is given up at a worker that takes longer than Request.TryTimeout, if another may be asked;
//   - a write to a bundled worker is repeated with its id, so that it is done once; never while the earlier attempt
//     is still under way;
//   - any other write is not repeated: ErrOutcomeUnknown, also after a 502 or 504, which tell that something before the
//     worker got no answer. A 503 is handed on.
//
// Errors are ErrNoWorker, ErrOutcomeUnknown, ErrUnsendable, ErrUnread (which is that of the stream, too), ErrClosed and those
// of ctx; use errors.Is. If ctx ends while a write is under way, the error is both ErrOutcomeUnknown and that of ctx. At
// Request.Deadline it is as if that were the deadline of ctx.
func (p *Pool) Do(ctx context.Context, r *Request) (*Response, error) {
	u, err := r.parse()
	if err != nil {
		return nil, err
	}
	c := &call{pool: p, req: r, options: p.options.Load(), url: u, start: time.Now()}
	p.budget.request()
	for {
		s, err := p.seat(ctx, c)
		if err != nil {
			return c.end(err)
		}
		if c.attempts++; c.attempts > 1 {
			s.w.retries.Add(1)
		}
		s, res := c.ask(ctx, s)
		if res.failure == succeeded {
			res.resp.Attempts = c.attempts
			c.answered(s.w, res.took)
			c.discard()
			return res.resp, nil
		}
		c.note(s.w, res)
		switch decide(c.question(s.w, res), c.spend) {
		case again:
			c.keep(res.resp)
		case unknown:
			c.keep(res.resp)
			c.doubt = true
			return c.end(res.err)
		case hand:
			c.keep(res.resp)
			return c.end(nil)
		case giveUp:
			return c.end(res.err)
		}
	}
}

// answered blames the workers that failed on what w can answer. A request that is answered by none with more than a bare
// 500, or by none in time, says nothing of the workers: else one that meets a bug of the app, or a slow database, would take
// them all out of service.
func (c *call) answered(w *worker, took time.Duration) {
	for _, s := range c.suspects {
		if s != w {
			s.blame()
		}
	}
	for _, s := range c.late {
		if s != w && took < c.req.TryTimeout {
			s.blame()
		}
	}
}

func (c *call) question(w *worker, res result) question {
	q := question{failure: res.failure, write: c.req.Write, begun: c.begun.Load(), attempts: c.sent, limit: c.options.Retries, inTime: true}
	q.unsent = res.failure == stale && !res.sent
	if !q.write && res.failure == faulty && len(c.suspects) > 1 {
		q.limit = 0 // two agree
	}
	if q.write {
		q.repeats = w.target.Kind == Bundled && c.req.WriteID != ""
		q.limit = c.options.WriteRetries
		q.inTime = time.Since(c.start) < c.options.WriteTime
	}
	return q
}

// note records a failed attempt.
func (c *call) note(w *worker, res result) {
	if res.sent {
		c.sent++
		c.doubt = c.doubt || (c.req.Write && res.failure != refused && res.failure != unread)
	}
	if res.err != nil {
		c.cause = fmt.Errorf("worker %s: %v", w.target.Name, res.err) // no %w: that a dial took too long isn't the end of ctx
	}
	if res.failure.blames() {
		w.failures.Add(1)
	}
	switch res.failure {
	case faulty:
		c.suspects = append(c.suspects, w)
	case late:
		c.pool.over.tries.Add(1)
		c.late = append(c.late, w)
	}
	if res.failure == unreached {
		c.waited += res.took // a connection that isn't accepted is waiting, too
	}
	if res.failure == stale {
		w.closeIdle() // what one of them met may have happened to all
		if !c.excused {
			c.excused = true
			return // the worker may be asked again at once
		}
	}
	c.tried = append(c.tried, w)
}

// keep holds on to an answer, nil if there was none, in case there is no better one.
func (c *call) keep(r *Response) {
	c.discard()
	c.answer = r
}

// discard closes an answer that isn't handed on.
func (c *call) discard() {
	c.answer.discard()
	c.answer = nil
}

// end is the answer when there is no further attempt. cause is why; nil if a worker's answer is to be handed on.
func (c *call) end(cause error) (*Response, error) {
	if errors.Is(cause, errOverdue) {
		c.pool.over.deadlines.Add(1)
	}
	over := errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded)
	switch {
	case (errors.Is(cause, ErrUnsendable) || errors.Is(cause, ErrUnread)) && !c.doubt:
		return nil, cause
	case c.doubt:
		// An answer that came after the doubt doesn't settle it: a 5xx would make the SDKs repeat the write.
		c.discard()
		if !over && c.cause != nil {
			cause = c.cause
		}
		return nil, because(ErrOutcomeUnknown, cause)
	case over:
		c.discard()
		return nil, cause
	case c.answer != nil:
		c.answer.Attempts = c.attempts
		return c.answer, nil
	case errors.Is(cause, ErrClosed):
		return nil, cause
	case c.cause != nil:
		return nil, because(ErrNoWorker, c.cause)
	default:
		return nil, because(ErrNoWorker, cause)
	}
}

// patience is how much longer the call may wait for a worker.
func (c *call) patience() time.Duration {
	if c.doubt && c.req.WriteID != "" { // only a repetition can settle what happened
		return c.options.WriteTime - time.Since(c.start)
	}
	return c.options.MaxWait - c.waited
}
