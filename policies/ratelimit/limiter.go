package ratelimit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/zeebo/xxh3"
)

// DefaultMaxKeys bounds the keys of a Limiter that names no other number. A key takes about 150 bytes.
const DefaultMaxKeys = 100_000

// Options are what a Limiter needs beside its policies. The zero value is ready for use.
type Options struct {
	// MaxKeys is the most keys that are remembered (default 100000); the least recently used are dropped.
	MaxKeys int
	// Now is the clock (default time.Now).
	Now func() time.Time
	// Name is the limiter's in a Ledger; gateways that share its counts give it the same one.
	Name string
	// Seed makes the places of keys unpredictable for clients (default a random number).
	Seed uint64
}

// Limiter holds the state of any number of keys under one or more policies that apply together. It is safe for
// concurrent use and may outlive the configuration that made it.
type Limiter struct {
	policies []policy
	header   string
	now      func() time.Time
	start    time.Time
	seed     uint64
	shards   []shard
	evicted  atomic.Uint64
	name     string

	allowed, refused, spared atomic.Uint64 // decisions of zones
}

// policy is a Policy in nanoseconds.
type policy struct {
	Policy
	interval  int64 // in which one unit is earned
	tolerance int64 // how far the theoretical arrival time may lie ahead: interval × burst
}

// A key is kept as a hash of 128 bits: long keys cost no more than short ones, and no key is kept in clear.
type shard struct {
	mu   sync.Mutex
	keys *simplelru.LRU[xxh3.Uint128, *cell]
	_    [104]byte // one shard per pair of cache lines
}

// cell is the state of a key: for each policy its theoretical arrival time, in nanoseconds since the limiter's start.
// The first policy's is inline, because one policy is the usual case.
type cell struct {
	first atomic.Int64
	rest  []atomic.Int64
	// unreported is how far the first policy's was moved since the ledger was told, reporting that it will be; see Shared.
	unreported atomic.Int64
	reporting  atomic.Bool
}

func (c *cell) arrival(i int) *atomic.Int64 {
	if i == 0 {
		return &c.first
	}
	return &c.rest[i-1]
}

// New makes a limiter under which a request must fit every one of the policies. Their names must differ.
func New(policies []Policy, o Options) (*Limiter, error) {
	if len(policies) == 0 {
		return nil, errors.New("cannot make a rate limiter: no policy given")
	}
	if o.MaxKeys == 0 {
		o.MaxKeys = DefaultMaxKeys
	}
	if o.MaxKeys < 0 {
		return nil, fmt.Errorf("cannot make a rate limiter: the number of keys %d is negative", o.MaxKeys)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	l := &Limiter{now: o.Now, start: o.Now(), seed: o.Seed, name: o.Name}
	seen := make(map[string]bool, len(policies))
	for _, p := range policies {
		p, err := p.provisioned()
		if err != nil {
			return nil, fmt.Errorf("cannot make a rate limiter: policy %q: %w", p.Name, err)
		}
		if seen[p.Name] {
			return nil, fmt.Errorf("cannot make a rate limiter: two policies are named %q", p.Name)
		}
		seen[p.Name] = true
		t := p.interval()
		l.policies = append(l.policies, policy{p, t, t * p.Burst})
	}
	l.header = policyHeader(l.policies)
	// Shards of at least 64 keys: the bound then holds for the whole within a few keys, and the least recently used
	// of a shard is close to the least recently used of all.
	n := 1
	for n < 64 && o.MaxKeys/(2*n) >= 64 {
		n *= 2
	}
	l.shards = make([]shard, n)
	for i := range l.shards {
		size := max(1, o.MaxKeys/n)
		keys, err := simplelru.NewLRU[xxh3.Uint128, *cell](size, nil)
		if err != nil {
			return nil, fmt.Errorf("cannot make a rate limiter: %w", err)
		}
		l.shards[i].keys = keys
	}
	return l, nil
}

// Decision is the answer to one request.
type Decision struct {
	// OK: the request may pass and has been charged. A refused request is charged nothing.
	OK bool
	// Never: the cost is more than the burst, so that waiting doesn't help; RetryAfter is zero then.
	Never bool
	// Policy is the name of the policy that refused, or else of the one with the least left.
	Policy string
	// Limit is that policy's burst: the most that Remaining can be.
	Limit int64
	// Remaining is the number of units left for the key right now.
	Remaining int64
	// ResetAfter is the time until the key has its whole burst again.
	ResetAfter time.Duration
	// RetryAfter is the time until a request of this cost passes if nobody else takes from the key; zero when OK.
	RetryAfter time.Duration
}

// Take asks for cost units (less than 1 counts as 1) for the key, under all policies or none.
//
// Of two policies, the first may be charged for a request that the second refuses when other requests of the same key
// take the last of it in the same instant: the limiter errs on the side of refusing.
func (l *Limiter) Take(key string, cost int64) Decision {
	cost = max(cost, 1)
	if d := l.never(cost); d.Never {
		return d
	}
	return l.take(l.cell(key), cost)
}

// elapsed is the time since the limiter's start, in nanoseconds.
func (l *Limiter) elapsed() int64 { return int64(l.now().Sub(l.start)) }

func (l *Limiter) take(c *cell, cost int64) Decision {
	now := l.elapsed()
	if len(l.policies) > 1 {
		for i := range l.policies {
			p := &l.policies[i]
			if tat := c.arrival(i).Load(); p.after(tat, now, cost)-now > p.tolerance {
				return p.refused(tat, now, cost)
			}
		}
	}
	var d Decision
	for i := range l.policies {
		if e := l.policies[i].take(c.arrival(i), now, cost); !e.OK || i == 0 || e.Remaining < d.Remaining {
			d = e
		}
		if !d.OK {
			break
		}
	}
	return d
}

// never is the decision on what costs more than can ever pass; for anything else it isn't Never.
func (l *Limiter) never(cost int64) Decision {
	for i := range l.policies {
		if p := &l.policies[i]; cost > p.Burst {
			return Decision{Never: true, Policy: p.Name, Limit: p.Burst, Remaining: p.Burst}
		}
	}
	return Decision{}
}

// adjust charges a key with a share of the cost whatever the rates say, or gives it back if it is negative.
func (l *Limiter) adjust(key string, cost int64, share float64) {
	c, now := l.cell(key), l.elapsed()
	for i := range l.policies {
		c.move(i, now, int64(share*float64(max(cost, 1)*l.policies[i].interval)))
	}
}

// move moves a theoretical arrival time, from now if it has passed.
func (c *cell) move(i int, now, by int64) {
	for a := c.arrival(i); ; {
		tat := a.Load()
		if a.CompareAndSwap(tat, max(tat, now)+by) {
			return
		}
	}
}

// after is the theoretical arrival time once cost units were taken.
func (p *policy) after(tat, now, cost int64) int64 {
	return max(tat, now) + cost*p.interval
}

func (p *policy) take(arrival *atomic.Int64, now, cost int64) Decision {
	for {
		tat := arrival.Load()
		next := p.after(tat, now, cost)
		if next-now > p.tolerance {
			return p.refused(tat, now, cost)
		}
		if arrival.CompareAndSwap(tat, next) {
			return Decision{OK: true, Policy: p.Name, Limit: p.Burst,
				Remaining: (p.tolerance - (next - now)) / p.interval, ResetAfter: time.Duration(next - now)}
		}
	}
}

func (p *policy) refused(tat, now, cost int64) Decision {
	ahead := max(tat, now) - now
	return Decision{Policy: p.Name, Limit: p.Burst,
		Remaining:  max(0, (p.tolerance-ahead)/p.interval),
		ResetAfter: time.Duration(ahead),
		RetryAfter: time.Duration(ahead + cost*p.interval - p.tolerance)}
}

// cell finds the state of a key, or makes it.
func (l *Limiter) cell(key string) *cell {
	h := xxh3.HashString128Seed(key, l.seed)
	s := &l.shards[h.Hi&uint64(len(l.shards)-1)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.keys.Get(h); ok {
		return c
	}
	c := &cell{}
	if n := len(l.policies) - 1; n > 0 {
		c.rest = make([]atomic.Int64, n)
	}
	if s.keys.Add(h, c) {
		l.evicted.Add(1)
	}
	return c
}

// Stats says how full the limiter is.
type Stats struct {
	// Keys is the number of keys held; Evicted the number dropped to make room since the start.
	Keys    int    `json:"keys"`
	Evicted uint64 `json:"evicted"`
	// Allowed, Refused and DryRun are the numbers of requests that zones let pass with it, refused, and would have refused but
	// for a dry run.
	Allowed uint64 `json:"allowed"`
	Refused uint64 `json:"refused"`
	DryRun  uint64 `json:"dry_run"`
}

// Plus adds the figures of two limiters.
func (s Stats) Plus(other Stats) Stats {
	return Stats{
		Keys: s.Keys + other.Keys, Evicted: s.Evicted + other.Evicted,
		Allowed: s.Allowed + other.Allowed, Refused: s.Refused + other.Refused, DryRun: s.DryRun + other.DryRun,
	}
}

// Stats counts the keys.
func (l *Limiter) Stats() Stats {
	st := Stats{Evicted: l.evicted.Load(), Allowed: l.allowed.Load(), Refused: l.refused.Load(), DryRun: l.spared.Load()}
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		st.Keys += s.keys.Len()
		s.mu.Unlock()
	}
	return st
}
