package ratelimit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Entry is what one key is charged in a Ledger.
type Entry struct {
	// Key names the key among all that are counted.
	Key string
	// Add is how far its theoretical arrival time moves: the cost times the interval. A report may give back: less than 0.
	Add time.Duration
	// Tolerance is how far the theoretical arrival time may lie ahead.
	Tolerance time.Duration
	// DryRun: a refusal of this entry doesn't keep the others from being charged.
	DryRun bool
}

// Standing is what a Ledger says of an entry.
type Standing struct {
	// Refused: it wasn't charged, for it would have gone beyond its tolerance.
	Refused bool
	// Ahead is how far the theoretical arrival time lies ahead now, with what was charged.
	Ahead time.Duration
}

// Ledger is where several gateways count together. No call takes longer than the ledger's time-out.
type Ledger interface {
	// Charge charges all entries or none. If one is refused that isn't a dry run, what the others' standings say is of no use.
	Charge([]Entry) ([]Standing, error)
	// Report charges all entries whatever their tolerance, and returns how far ahead each is then.
	Report([]Entry) ([]time.Duration, error)
	// Up is false while it isn't worth asking.
	Up() bool
	// Gateways is how many gateways count there, as far as is known; at least 1.
	Gateways() int
}

// Mode says when a gateway asks the ledger.
type Mode string

// The modes.
const (
	// Exact asks before each request. What is admitted is exact, as if there were one gateway.
	Exact Mode = "exact"
	// Lease asks in the background. With every report of what a key has spent, the gateway learns what all have spent, and has
	// leave to admit up to its allowance before the next one: the burst divided by the number of gateways, rounded up, or one
	// request if that costs more.
	//
	// So N gateways together admit of a key in any span of length t at most Burst + t·Quota/Window + N·⌈Burst/N⌉ units: what the
	// rate says, and once the burst (and less than N) more. Only what isn't reported yet can be too much, since whatever is
	// reported counts, beyond the tolerance as well, and has to be earned before a gateway that knows of it admits anything.
	// Until a gateway that starts is counted by the others, for a second, there is one allowance more.
	Lease Mode = "lease"
)

// Failure says what happens to requests while the ledger can't be asked.
type Failure string

// What can happen.
const (
	Local  Failure = "local"  // each gateway goes on by itself, with what it knows: N gateways admit up to N times the rate
	Open   Failure = "open"   // all pass
	Closed Failure = "closed" // none passes that a zone concerns
)

// ParseMode reads a mode's name.
func ParseMode(s string) (Mode, error) { return oneOf("a mode", s, Exact, Lease) }

// ParseFailure reads a name of what happens when the ledger fails.
func ParseFailure(s string) (Failure, error) {
	return oneOf("what happens then", s, Local, Open, Closed)
}

func oneOf[T ~string](what, s string, all ...T) (T, error) {
	if slices.Contains(all, T(s)) {
		return T(s), nil
	}
	names := make([]string, len(all))
	for i, v := range all {
		names[i] = string(v)
	}
	return "", fmt.Errorf("%s is one of %s, not %q", what, strings.Join(names, ", "), s)
}

// errDown is why a ledger that isn't up isn't asked.
var errDown = errors.New("the ledger can't be asked")

// retryWhenBack is what clients are told to wait that are refused because the ledger can't be asked.
const retryWhenBack = time.Second

// Shared is the part of one gateway in limits that several have together. Zones that are counted with it must have limiters of
// one policy each. It is safe for concurrent use.
type Shared struct {
	ledger  Ledger
	mode    Mode
	failure Failure
	reports reports

	failures, without atomic.Uint64
}

// NewShared makes a gateway's part. Start has it report.
func NewShared(ledger Ledger, mode Mode, failure Failure) *Shared {
	s := &Shared{ledger: ledger, mode: mode, failure: failure}
	s.reports.init(s)
	return s
}

// SharedStats are counters of a Shared.
type SharedStats struct {
	// Up: the ledger can be asked.
	Up bool `json:"up"`
	// Gateways is how many gateways count together, as far as is known.
	Gateways int `json:"gateways"`
	// Failures is the number of questions to the ledger that failed, Without that of requests decided without it.
	Failures uint64 `json:"failures"`
	Without  uint64 `json:"without"`
	// Unreported is the number of keys with something to report.
	Unreported int `json:"unreported"`
}

// Stats tells how it goes.
func (s *Shared) Stats() SharedStats {
	return SharedStats{
		Up: s.ledger.Up(), Gateways: s.ledger.Gateways(), Failures: s.failures.Load(), Without: s.without.Load(),
		Unreported: s.reports.len(),
	}
}

func (s *Shared) take(charges []charge) Charged {
	switch {
	case !s.ledger.Up():
		return s.alone(charges)
	case s.mode == Lease && s.reports.closed.Load(): // a request of a configuration that was replaced; nobody would hear of it
		return takeEach(local{}, charges)
	case s.mode == Lease:
		return takeEach((*leased)(s), charges)
	}
	return s.exact(charges)
}

// alone decides without the ledger.
func (s *Shared) alone(charges []charge) Charged {
	s.without.Add(1)
	switch s.failure {
	case Open:
		return Charged{Decision: Decision{OK: true}}
	case Closed:
		for i := range charges {
			z := charges[i].zone
			p := &z.Limiter.policies[0]
			d := Decision{Policy: p.Name, Limit: p.Burst, RetryAfter: retryWhenBack, ResetAfter: retryWhenBack}
			if z.count(d); !z.DryRun {
				return Charged{Decision: d, Zone: z}
			}
		}
		return Charged{Decision: Decision{OK: true}}
	}
	return takeEach(local{}, charges)
}

// exact asks the ledger for all charges at once.
func (s *Shared) exact(charges []charge) Charged {
	entries, asked := make([]Entry, 0, len(charges)), charges[:0:0]
	for _, c := range charges {
		if d := c.zone.Limiter.never(c.cost); d.Never {
			if c.zone.count(d); c.zone.DryRun {
				continue
			}
			return Charged{Decision: d, Zone: c.zone}
		}
		p := &c.zone.Limiter.policies[0]
		entries, asked = append(entries, Entry{
			Key: c.zone.Limiter.entryKey(c.key), Add: time.Duration(c.cost * p.interval), Tolerance: time.Duration(p.tolerance), DryRun: c.zone.DryRun,
		}), append(asked, c)
	}
	standings, err := s.ledger.Charge(entries)
	if err != nil || len(standings) != len(entries) {
		s.failures.Add(1)
		return s.alone(asked) // the others were counted
	}
	out := Charged{Decision: Decision{OK: true}, by: (*corrected)(s), charges: make([]charge, 0, len(asked))}
	for i, c := range asked { // first, for what the others say is only true if none is refused
		if standings[i].Refused && !c.zone.DryRun {
			d := c.decide(standings[i])
			c.zone.count(d)
			return Charged{Decision: d, Zone: c.zone}
		}
	}
	for i, c := range asked {
		d := c.decide(standings[i])
		if !d.OK {
			c.zone.count(d)
			continue
		}
		// So that there is something to go on with when the ledger is gone.
		c.zone.Limiter.stand(c.key, standings[i].Ahead)
		out.passed(c, d)
	}
	out.allowed()
	return out
}

// decide makes a decision of what the ledger says.
func (c *charge) decide(s Standing) Decision {
	p := &c.zone.Limiter.policies[0]
	if s.Refused {
		return p.refused(int64(s.Ahead), 0, c.cost)
	}
	return Decision{
		OK: true, Policy: p.Name, Limit: p.Burst,
		Remaining: max(0, (p.tolerance-int64(s.Ahead))/p.interval), ResetAfter: s.Ahead,
	}
}

// stand has the limiter go by how far ahead a key is.
func (l *Limiter) stand(key string, ahead time.Duration) {
	l.cell(key).first.Store(l.elapsed() + int64(ahead))
}

// corrected is a Shared that has asked the ledger already; what it gets wrong is reported.
type corrected Shared

func (s *corrected) take(*charge) Decision { return Decision{} } // never called

func (s *corrected) adjust(c *charge, share float64) {
	(*Shared)(s).reports.add(c, int64(share*float64(c.cost*c.zone.Limiter.policies[0].interval)))
}

// leased is a Shared that counts by itself and reports.
type leased Shared

func (s *leased) take(c *charge) Decision {
	l := c.zone.Limiter
	p := &l.policies[0]
	if d := l.never(c.cost); d.Never {
		return d
	}
	state := c.cell()
	add, allowance := c.cost*p.interval, (*Shared)(s).allowance(p)
	if spent := state.unreported.Add(add); spent > allowance && spent > add {
		// It may not admit more before the ledger knows what it has admitted.
		state.unreported.Add(-add)
		(*Shared)(s).reports.queue(report{l, c.key, state}, true)
		now := l.elapsed()
		d := p.refused(state.first.Load(), now, c.cost)
		d.Remaining, d.RetryAfter = 0, max(d.RetryAfter, reportEvery)
		return d
	}
	d := l.take(state, c.cost)
	if !d.OK {
		state.unreported.Add(-add)
		return d
	}
	(*Shared)(s).reports.queue(report{l, c.key, state}, 2*state.unreported.Load() > allowance)
	return d
}

func (s *leased) adjust(c *charge, share float64) {
	l := c.zone.Limiter
	by := int64(share * float64(c.cost*l.policies[0].interval))
	c.cell().move(0, l.elapsed(), by)
	(*Shared)(s).reports.add(c, by)
}

// allowance is how far a gateway may move a key ahead without a report.
func (s *Shared) allowance(p *policy) int64 {
	n := int64(max(1, s.ledger.Gateways()))
	return (p.Burst + n - 1) / n * p.interval
}
