package breaker

import "sync"

// slowBuckets is how many parts the window has, as gobreaker's.
const slowBuckets = 10

// slowness counts the calls of a window by whether they were slow.
type slowness struct {
	period int64 // of a bucket, in nanoseconds

	mu      sync.Mutex
	newest  int64 // which period the newest bucket is of
	buckets [slowBuckets]Calls
}

// Calls are those that ended within a window.
type Calls struct {
	// All had an outcome that says how fast the worker is; Slow were too slow of them.
	All, Slow uint32
}

// Share is the share of slow calls, 0 if there are none at all.
func (c Calls) Share() float64 {
	if c.All == 0 {
		return 0
	}
	return float64(c.Slow) / float64(c.All)
}

// roll forgets what is older than the window. mu is held.
func (s *slowness) roll(now int64) {
	p := now / s.period
	if p-s.newest >= slowBuckets {
		clear(s.buckets[:])
		s.newest = p
	}
	for s.newest < p {
		s.newest++
		s.buckets[s.newest%slowBuckets] = Calls{}
	}
}

// add counts a call and returns the window's.
func (s *slowness) add(now int64, slow bool) Calls {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roll(now)
	b := &s.buckets[s.newest%slowBuckets]
	b.All++
	if slow {
		b.Slow++
	}
	return s.sum()
}

func (s *slowness) calls(now int64) Calls {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roll(now)
	return s.sum()
}

func (s *slowness) sum() (c Calls) {
	for _, b := range s.buckets {
		c.All += b.All
		c.Slow += b.Slow
	}
	return c
}

// forget begins a new window.
func (s *slowness) forget() {
	s.mu.Lock()
	clear(s.buckets[:])
	s.mu.Unlock()
}

// Calls are the window's, since the breaker was closed last; none where Options.SlowShare is off.
func (b *Breaker) Calls() Calls {
	if b.o.SlowShare <= 0 {
		return Calls{}
	}
	return b.slow.calls(b.elapsed())
}

// tooSlow counts a call that ended in the closed state, and tells whether that opens the breaker.
func (b *Breaker) tooSlow(o Outcome) bool {
	if b.o.SlowShare <= 0 || o == Failure || o == Ignored {
		return false
	}
	slow := o != Success
	c := b.slow.add(b.elapsed(), slow)
	return slow && c.All >= b.o.MinRequests && c.Share() >= b.o.SlowShare && b.singledOut()
}

func (b *Breaker) singledOut() bool {
	return b.o.OpensSlow == nil || b.o.OpensSlow(b.o.SlowShare, b.o.MinRequests)
}

// slowProbe tells whether a probe's outcome opens a breaker again that had opened because calls were slow.
func (b *Breaker) slowProbe(o Outcome) bool {
	return (o == Slow || o == GivenUp) && b.o.SlowShare > 0 && b.openedSlow.Load() && b.singledOut()
}
