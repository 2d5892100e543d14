package breaker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// Why Allow refuses.
var (
	ErrOpen          = errors.New("the circuit breaker is open")
	ErrTooManyProbes = errors.New("the circuit breaker is half-open and its probes are under way")
)

// Outcome is how a request ended.
type Outcome uint8

// The outcomes. Ignored says nothing of the worker: the client went away, or the request never left. Slow is a Success that took
// too long; GivenUp is Ignored, but for its having taken too long already.
const (
	Success Outcome = iota
	Failure
	Ignored
	Slow
	GivenUp
)

// State is what a breaker does with requests.
type State uint32

// Closed lets all pass, HalfOpen a few probes, Open none.
const (
	Closed State = iota
	HalfOpen
	Open
)

// String names the state.
func (s State) String() string {
	switch s {
	case Closed:
		return "closed"
	case HalfOpen:
		return "half-open"
	case Open:
		return "open"
	}
	return fmt.Sprintf("State(%d)", uint32(s))
}

// Done tells how a request that Allow let pass has ended. It must be called once, whatever happens, panics included;
// every later call does nothing.
type Done func(Outcome)

// Options configure a Breaker. The zero value means the defaults.
type Options struct {
	// Failures in a row open the breaker (default 5).
	Failures uint32
	// Share of failures among the requests that ended within Window opens it (0 to 1, default 0.5), once there are
	// MinRequests of them (default 20).
	Share       float64
	MinRequests uint32
	// SlowShare of slow calls among those that ended within Window opens it as well, once there are MinRequests of them (0 to 1,
	// default 0: slowness doesn't open it).
	SlowShare float64
	// OpensSlow is asked, when SlowShare is reached, whether the breaker may open for it; and when a probe of one that has is
	// slow again, whether it stays open. Whoever has several breakers can keep them from opening all at once for what is no
	// single worker's fault. It gets SlowShare and MinRequests, and must not call Allow or Done of this breaker (default: it may).
	OpensSlow func(share float64, minRequests uint32) bool
	// Window is the time over which requests are counted (default 10 s), in ten steps.
	Window time.Duration
	// OpenFor is how long the breaker stays open the first time (default 5 s). It doubles each time the breaker opens
	// again before it was closed for a whole Window, up to MaxOpenFor (default 60 s).
	OpenFor, MaxOpenFor time.Duration
	// Jitter is the share by which an open time may be longer or shorter (0 to 0.5, default 0.1; negative: none).
	Jitter float64
	// Probes is the number of requests that pass while half-open; when all of them succeed in a row, the breaker
	// closes (default 3). One failure opens it again.
	Probes uint32
	// ProbeTimeout is the time after which a probe without an outcome counts as ignored and another may pass
	// (default 30 s). It should be longer than the time-out of a request.
	ProbeTimeout time.Duration
	// Rand gives numbers from 0 up to 1 for the jitter (default math/rand/v2).
	Rand func() float64
	// OnChange is called after each change of state, in order. It must not block, and must not call Allow or Done.
	OnChange func(from, to State)
}

func (o Options) provisioned() Options {
	if o.Failures == 0 {
		o.Failures = 5
	}
	if !(o.Share > 0 && o.Share <= 1) {
		o.Share = 0.5
	}
	if o.MinRequests == 0 {
		o.MinRequests = 20
	}
	o.SlowShare = min(max(o.SlowShare, 0), 1)
	if o.Window <= 0 {
		o.Window = 10 * time.Second
	}
	if o.OpenFor <= 0 {
		o.OpenFor = 5 * time.Second
	}
	if o.MaxOpenFor <= 0 {
		o.MaxOpenFor = time.Minute
	}
	o.MaxOpenFor = max(o.MaxOpenFor, o.OpenFor)
	if o.Jitter == 0 {
		o.Jitter = 0.1
	}
	o.Jitter = min(max(o.Jitter, 0), 0.5)
	if o.Probes == 0 {
		o.Probes = 3
	}
	if o.ProbeTimeout <= 0 {
		o.ProbeTimeout = 30 * time.Second
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	return o
}

// What gobreaker is told; it takes outcomes as errors.
var (
	errFailure = errors.New("failure")
	errIgnored = errors.New("ignored")
)

// Breaker is the circuit breaker of one worker, safe for concurrent use.
//
// gobreaker counts and decides. Ours are:
//   - the open time, because gobreaker's is fixed. It is set there to the shortest that may be drawn here, so gobreaker
//     is always ready to go half-open when this gate lets a probe through;
//   - in the closed state gobreaker is asked when a request ends, not when it begins. It forgets requests that take
//     longer than the window, and those are the ones that time out;
//   - the places of probes that never end;
//   - slow calls, which gobreaker doesn't know, and Trip: what opens the breaker is told to it as a failure, while opening is set.
//
// Locks: mu, then gobreaker's own. What gobreaker's callbacks write is written under gobreaker's lock and read
// without one.
type Breaker struct {
	o     Options
	start time.Time
	cb    *gobreaker.TwoStepCircuitBreaker[struct{}]

	epoch   atomic.Uint64 // number of changes of state, and the state in the lowest two bits
	until   atomic.Int64  // end of the open time, since start
	opens   atomic.Int64  // how often it opened in a row
	changed atomic.Int64  // time of the last change, since start

	slow       slowness      // of the closed state
	opening    atomic.Uint32 // why the next failure opens it, whatever was before
	openedSlow atomic.Bool   // it was slowness that opened it last

	mu     sync.Mutex
	probes []*ticket // under way while half-open; at most o.Probes

	events events
}

// New makes a closed breaker.
func New(o Options) *Breaker {
	b := &Breaker{o: o.provisioned(), start: time.Now()}
	b.slow.period = max(1, int64(b.o.Window)/slowBuckets)
	b.events.deliver = b.o.OnChange
	b.cb = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:   b.o.Probes,
		Interval:      b.o.Window,
		BucketPeriod:  max(1, b.o.Window/10),
		Timeout:       max(1, time.Duration(float64(b.o.OpenFor)*(1-b.o.Jitter))-time.Microsecond),
		ReadyToTrip:   b.trips,
		OnStateChange: b.changes,
		IsExcluded:    func(err error) bool { return errors.Is(err, errIgnored) },
	})
	return b
}

// trips is called under gobreaker's lock.
func (b *Breaker) trips(c gobreaker.Counts) bool {
	why := b.opening.Load()
	b.openedSlow.Store(why == forSlowness)
	if why != byItself || c.ConsecutiveFailures >= b.o.Failures {
		return true
	}
	ended := c.TotalSuccesses + c.TotalFailures
	return ended >= b.o.MinRequests && float64(c.TotalFailures) >= b.o.Share*float64(ended)
}

// changes is called under gobreaker's lock. That gobreaker leaves its open state by itself means nothing: the gate
// in Allow decides when that is.
func (b *Breaker) changes(_ string, from, to gobreaker.State) {
	now := b.elapsed()
	switch to {
	case gobreaker.StateOpen:
		opens := b.opens.Load()
		if from == gobreaker.StateClosed && now-b.changed.Load() >= int64(b.o.Window) {
			opens = 0
		}
		b.until.Store(now + int64(b.openTime(opens)))
		b.opens.Store(opens + 1)
		b.slow.forget()
		b.set(Open, now)
	case gobreaker.StateClosed:
		b.set(Closed, now)
	}
}

// openTime is OpenFor doubled opens times, at most MaxOpenFor, and jittered.
func (b *Breaker) openTime(opens int64) time.Duration {
	d := b.o.OpenFor
	for ; opens > 0 && d < b.o.MaxOpenFor; opens-- {
		d *= 2
	}
	d = min(d, b.o.MaxOpenFor)
	return time.Duration(float64(d) * (1 + b.o.Jitter*(2*b.o.Rand()-1)))
}

func (b *Breaker) set(to State, now int64) {
	for {
		e := b.epoch.Load()
		if stateOf(e) == to {
			return
		}
		if b.epoch.CompareAndSwap(e, (e>>2+1)<<2|uint64(to)) {
			b.changed.Store(now)
			b.events.add(stateOf(e), to)
			return
		}
	}
}

func stateOf(epoch uint64) State { return State(epoch & 3) }

func (b *Breaker) elapsed() int64 { return int64(time.Since(b.start)) }

// Allow asks whether a request may go to the worker. Done is nil exactly when there is an error: ErrOpen or
// ErrTooManyProbes.
func (b *Breaker) Allow() (Done, error) {
	if e := b.epoch.Load(); stateOf(e) == Closed {
		return (&ticket{b: b, epoch: e}).end, nil
	}
	defer b.events.flush()
	return b.probe()
}

// probe lets one of the probes through when the open time is over.
func (b *Breaker) probe() (Done, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.elapsed()
	if b.State() == Open && now < b.until.Load() {
		return nil, ErrOpen
	}
	b.releaseLost(now)
	done, err := b.cb.Allow()
	switch {
	case errors.Is(err, gobreaker.ErrTooManyRequests):
		return nil, ErrTooManyProbes
	case err != nil:
		return nil, ErrOpen
	}
	if b.State() == Open {
		b.set(HalfOpen, now)
	}
	t := &ticket{b: b, done: done, deadline: now + int64(b.o.ProbeTimeout)}
	b.probes = append(b.probes, t)
	return t.end, nil
}

// releaseLost gives the places of probes that took too long free, and forgets those that have ended. The caller
// holds mu.
func (b *Breaker) releaseLost(now int64) {
	kept := b.probes[:0]
	for _, t := range b.probes {
		if now >= t.deadline && t.ended.CompareAndSwap(false, true) {
			t.done(errIgnored)
		}
		if !t.ended.Load() {
			kept = append(kept, t)
		}
	}
	clear(b.probes[len(kept):])
	b.probes = kept
}

// ticket is a request that was let pass: in the closed state with the epoch of that time, or as a probe.
type ticket struct {
	b        *Breaker
	epoch    uint64
	ended    atomic.Bool
	done     func(error) // gobreaker's, of a probe
	deadline int64       // of a probe
}

func (t *ticket) end(o Outcome) {
	if !t.ended.CompareAndSwap(false, true) {
		return
	}
	var err error
	switch o {
	case Success, Slow:
	case Ignored, GivenUp:
		err = errIgnored
	default:
		err = errFailure
	}
	switch {
	case t.done == nil:
		t.b.count(t.epoch, o, err)
	case t.b.slowProbe(o):
		t.done(errFailure)
	default:
		t.done(err)
	}
	t.b.events.flush()
}

// count tells gobreaker of a request that began in the closed state of epoch. If that is over, its end says nothing.
func (b *Breaker) count(epoch uint64, o Outcome, err error) {
	if b.epoch.Load() != epoch {
		return
	}
	if b.tooSlow(o) {
		err = errFailure
		b.opening.Store(forSlowness)
		defer b.opening.Store(byItself)
	}
	if errors.Is(err, errIgnored) {
		return
	}
	done, refused := b.cb.Allow()
	if refused != nil {
		return
	}
	if b.epoch.Load() != epoch { // it opened in between
		err = errIgnored
	}
	done(err)
}

// Why a breaker opens at a failure.
const (
	byItself uint32 = iota // if there were enough of them
	forSlowness
	tripped
)

// Trip opens a closed breaker from outside, as if its own requests had failed, and tells whether it did.
func (b *Breaker) Trip() bool {
	if b.State() != Closed {
		return false
	}
	done, err := b.cb.Allow()
	if err != nil {
		return false
	}
	b.opening.Store(tripped)
	done(errFailure)
	b.opening.Store(byItself)
	b.events.flush()
	return b.State() == Open
}

// Ready says whether Allow has a chance, without a lock and without taking a place: false while the breaker is open.
func (b *Breaker) Ready() bool {
	return b.State() != Open || b.elapsed() >= b.until.Load()
}

// State is the state as of the last request: an open breaker whose time is over stays open until Allow is asked.
func (b *Breaker) State() State { return stateOf(b.epoch.Load()) }

// Status is a Breaker as the status page shows it.
type Status struct {
	State string `json:"state"`
	// RetryAt is when an open breaker lets a probe through.
	RetryAt time.Time `json:"retry_at,omitzero"`
	// Opens is how often it opened without being closed for a whole window in between.
	Opens int64 `json:"opens"`
	// Successes and Failures within the window, and Slow calls, where they count.
	Successes uint32 `json:"successes"`
	Failures  uint32 `json:"failures"`
	Slow      uint32 `json:"slow"`
}

// Status reads the breaker's state.
func (b *Breaker) Status() Status {
	b.cb.State() // moves the window on
	c := b.cb.Counts()
	s := Status{State: b.State().String(), Opens: b.opens.Load(), Successes: c.TotalSuccesses, Failures: c.TotalFailures, Slow: b.Calls().Slow}
	if b.State() == Open {
		s.RetryAt = b.start.Add(time.Duration(b.until.Load()))
	}
	return s
}
