package admission

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrOverloaded: there is no room for the request. It had no effect; the client may send it again in a second.
var ErrOverloaded = errors.New("too many requests are under way")

// Request is what the Limiter knows of a request.
type Request struct {
	Priority Priority
	// Kind is 1 to Kinds-1 for requests whose time says how fast the workers are, the same for those that take about
	// the same time; 0 for others.
	Kind uint8
	// Size is the memory that it holds while it waits, in bytes.
	Size int64
}

// Limiter lets requests through to the workers. It is safe for concurrent use.
type Limiter struct {
	mu       sync.Mutex
	options  Options
	workers  int
	begun    bool // there were workers
	gradient gradient
	inFlight int // those in beyond left out
	beyond   int // let in beyond the limit, and under way: they don't take the seats of the more important
	aside    int // held up by their clients: they take no seat
	lines    [Priorities]line
	waiting  int
	bytes    int64              // that those who wait hold
	left     [Priorities]uint64 // answered
	excused  int                // let in beyond the limit since excuseAt
	excuseAt time.Time
	stats    Status
}

// New makes a limiter.
func New(o Options) (*Limiter, error) {
	l := &Limiter{}
	if err := l.Configure(o); err != nil {
		return nil, err
	}
	return l, nil
}

// Configure replaces the options. The limit stays where it is, as far as they allow.
func (l *Limiter) Configure(o Options) error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.options, l.gradient.tolerance = o, o.Tolerance
	l.count()
	l.gradient.limit = min(max(l.gradient.limit, float64(o.Min*l.workers)), float64(o.Max*l.workers))
	l.grant(o.Now())
	return nil
}

// count asks how many workers there are. Until there are some, the limit is what one begins with, and then what they do.
func (l *Limiter) count() {
	n := l.options.Workers()
	l.workers = max(1, n)
	if !l.begun {
		l.begun = n > 0
		l.gradient.limit = float64(l.options.Initial * l.workers)
	}
}

// Seat is a request's place among those under way.
type Seat struct {
	l       *Limiter
	request Request
	since   time.Time
	beyond  bool
	aside   bool
}

// Enter returns a seat as soon as there is one, ErrOverloaded if there won't be one in time, or the error of ctx.
func (l *Limiter) Enter(ctx context.Context, r Request) (Seat, error) {
	r.Priority = min(r.Priority, Last)
	l.mu.Lock()
	now := l.options.Now()
	l.look(now)
	if l.inFlight < r.Priority.room(l.gradient.limit) {
		l.take(r.Kind, false)
		l.mu.Unlock()
		return Seat{l: l, request: r, since: now}, nil
	}
	w := l.queue(now, r)
	wait := l.options.MaxWait
	l.mu.Unlock()
	if w == nil {
		return Seat{}, ErrOverloaded
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	var err error
	select {
	case err = <-w.decided:
	case <-timer.C:
		err = l.expire(w, nil)
	case <-ctx.Done():
		err = l.expire(w, ctx.Err())
	}
	if err != nil {
		return Seat{}, err
	}
	return Seat{l: l, request: r, since: l.options.Now(), beyond: w.excused}, nil
}

// StepAside gives the seat to others, for a request whose client may take as long as it likes: as long as it brings what is to
// be sent. As many as the limit may do so; beyond, the seat is given back all the same, and the error is ErrOverloaded.
func (s *Seat) StepAside() error {
	l := s.l
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(s.request.Kind, s.beyond)
	defer l.grant(l.options.Now())
	if l.aside >= int(l.gradient.limit) {
		l.stats.Refused[s.request.Priority]++
		return ErrOverloaded
	}
	s.aside = true
	l.aside++
	return nil
}

// Leave gives the seat back: the answer is there, or there will be none. counts: the time since Enter says how fast the
// workers are, as it does not for an answer that took several attempts. It must be called once.
func (s Seat) Leave(counts bool) {
	l := s.l
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.options.Now()
	if s.aside {
		l.aside--
	} else {
		l.drop(s.request.Kind, s.beyond)
	}
	l.left[s.request.Priority]++
	if counts && !s.aside {
		l.gradient.add(s.request.Kind, now.Sub(s.since))
	}
	l.look(now)
	l.grant(now)
}

// take counts one more request as under way. mu is held, as by all that follow.
func (l *Limiter) take(kind uint8, beyond bool) {
	if beyond {
		l.beyond++
	} else {
		l.inFlight++
	}
	l.gradient.peak = max(l.gradient.peak, l.inFlight)
	if kind != 0 {
		l.gradient.timed++
	}
}

// drop counts one less.
func (l *Limiter) drop(kind uint8, beyond bool) {
	if beyond {
		l.beyond--
	} else {
		l.inFlight--
	}
	if kind != 0 {
		l.gradient.timed--
	}
}

// look sets the limit anew when it is time to, or when there are workers for the first time, and lets in whom a higher one has room for.
func (l *Limiter) look(now time.Time) {
	if !l.begun {
		l.count()
		l.grant(now)
	}
	if !l.gradient.due(now) {
		return
	}
	l.count()
	l.gradient.turn(now, float64(l.options.Min*l.workers), float64(l.options.Max*l.workers), l.waiting > 0)
	l.gradient.peak = l.inFlight
	l.grant(now)
}

// grant gives the seats that are free to those who wait.
func (l *Limiter) grant(now time.Time) {
	for p := First; l.waiting > 0 && p < Priorities; p++ {
		for l.inFlight < p.room(l.gradient.limit) {
			w := l.lines[p].following(now, l.options.MaxWait)
			if w == nil {
				break
			}
			l.dequeue(w)
			l.seat(now, w)
			w.decided <- nil
		}
	}
}

// seat lets one in that has waited.
func (l *Limiter) seat(now time.Time, w *waiter) {
	l.take(w.request.Kind, w.excused)
	l.stats.Waited++
	took := now.Sub(w.since)
	l.stats.WaitTime += took
	l.stats.LongestWait = max(l.stats.LongestWait, took)
}

// queue lets the request wait; nil if it can't. One that is less important, or has waited for so long that it won't be
// served in time, makes room for it.
func (l *Limiter) queue(now time.Time, r Request) *waiter {
	for l.waiting >= l.options.Queue || l.waiting > 0 && l.bytes+r.Size > l.options.QueueBytes {
		if victim := l.victim(now, r.Priority); victim != nil {
			l.dequeue(victim)
			l.stats.Refused[victim.request.Priority]++
			victim.decided <- ErrOverloaded
			continue
		}
		l.stats.Refused[r.Priority]++
		return nil
	}
	w := &waiter{request: r, since: now, left: l.left[r.Priority], decided: make(chan error, 1)}
	l.lines[r.Priority].push(w)
	l.waiting++
	l.bytes += r.Size
	return w
}

// victim is who has to go for a request of priority p to wait; nil: nobody.
func (l *Limiter) victim(now time.Time, p Priority) *waiter {
	for lowest := Last; lowest > p; lowest-- {
		if w := l.lines[lowest].oldest; w != nil {
			return w
		}
	}
	if l.lines[p].late(now, l.options.MaxWait) {
		return l.lines[p].oldest
	}
	return nil
}

func (l *Limiter) dequeue(w *waiter) {
	l.lines[w.request.Priority].remove(w)
	l.waiting--
	l.bytes -= w.request.Size
}

// expire ends the waiting of w, whose time is over, or whose client has gone with err. If it was decided meanwhile that
// stands, and a seat that nobody will use is given back.
func (l *Limiter) expire(w *waiter, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.options.Now()
	if !w.queued {
		decided := <-w.decided
		if decided == nil && err != nil {
			l.drop(w.request.Kind, false)
			l.grant(now)
			return err
		}
		return decided
	}
	l.dequeue(w)
	switch {
	case err != nil:
		return err
	case l.excuse(now, w):
		l.stats.Excused++
		w.excused = true
		l.seat(now, w)
		return nil
	}
	l.stats.Refused[w.request.Priority]++
	return ErrOverloaded
}

// excuse reports whether w may go in beyond the limit. If nothing of its priority was answered while it waited, those
// under way may wait for it, or for one like it: app code that runs in a worker sends requests through the gateway
// before it answers. A quarter of the limit is let in so in the time that one waits, up to Max.
func (l *Limiter) excuse(now time.Time, w *waiter) bool {
	if l.left[w.request.Priority] != w.left || l.inFlight+l.beyond >= l.options.Max*l.workers {
		return false
	}
	if now.Sub(l.excuseAt) >= l.options.MaxWait {
		l.excuseAt, l.excused = now, 0
	}
	l.excused++
	return l.excused <= max(1, int(l.gradient.limit/4))
}
