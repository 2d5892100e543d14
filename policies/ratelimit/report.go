package ratelimit

import (
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// reportEvery is how long what was spent is gathered before it is reported, unless an allowance comes to its end.
	reportEvery = 10 * time.Millisecond
	// maxReport is how many keys are reported at once, maxReports how many can wait. A key that finds no place is queued by a
	// later request; it can't spend more than its allowance until then.
	maxReport  = 128
	maxReports = 1 << 16
)

// entryKey names a key of the limiter in a ledger: a hash, so that no session token leaves the gateway, and one that nobody
// finds another text for.
func (l *Limiter) entryKey(key string) string {
	h := sha256.New()
	h.Write([]byte(l.name))
	h.Write([]byte{0})
	h.Write([]byte(key))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

// reports are the keys of which the ledger has to be told something.
type reports struct {
	shared *Shared
	wake   chan struct{} // there is something to report
	urgent chan struct{} // and it can't wait
	start  sync.Once
	end    sync.Once
	done   chan struct{}
	ended  chan struct{}

	mu      sync.Mutex
	waiting []report
	sending int         // how many are on their way
	closed  atomic.Bool // set under mu: nobody reports any more
}

type report struct {
	limiter *Limiter
	key     string
	state   *cell
}

func (r *reports) init(s *Shared) {
	r.shared = s
	r.wake, r.urgent = make(chan struct{}, 1), make(chan struct{}, 1)
	r.done, r.ended = make(chan struct{}), make(chan struct{})
}

func (r *reports) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiting) + r.sending
}

// add has something reported that a key was charged, or given back.
func (r *reports) add(c *charge, by int64) {
	state := c.cell()
	state.unreported.Add(by)
	r.queue(report{c.zone.Limiter, c.key, state}, by > 0)
}

// queue has a key reported, soon or now.
func (r *reports) queue(one report, now bool) {
	if one.state.reporting.CompareAndSwap(false, true) {
		r.mu.Lock()
		if r.closed.Load() {
			r.mu.Unlock()
			one.forget()
			return
		}
		full := len(r.waiting)+r.sending >= maxReports
		if !full {
			r.waiting = append(r.waiting, one)
		}
		r.mu.Unlock()
		if full {
			one.state.reporting.Store(false)
			return
		}
		signal(r.wake)
	}
	if now {
		signal(r.urgent)
	}
}

// forget has nothing more to report of a key, whose state another Shared may go on with.
func (one *report) forget() {
	one.state.unreported.Store(0)
	one.state.reporting.Store(false)
}

// close ends the reporting: what waits, and what is queued from now on, is forgotten. It is no more than an allowance of each key.
func (r *reports) close() {
	r.mu.Lock()
	r.closed.Store(true)
	all := r.waiting
	r.waiting = nil
	r.mu.Unlock()
	for i := range all {
		all[i].forget()
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Start reports in the background until Close. Later calls do nothing.
func (s *Shared) Start() { s.reports.start.Do(func() { go s.reports.run() }) }

// Close reports what is left, once, and ends. Requests that come later are charged by the gateway itself in the mode Lease, and
// by the ledger in the mode Exact, which isn't told any more what to give back.
func (s *Shared) Close() {
	s.reports.start.Do(func() { // it never started
		s.reports.close()
		close(s.reports.ended)
	})
	s.reports.end.Do(func() { close(s.reports.done) })
	<-s.reports.ended
}

func (r *reports) run() {
	defer close(r.ended)
	defer r.close()
	gather := time.NewTimer(time.Hour)
	defer gather.Stop()
	for {
		select {
		case <-r.wake:
		case <-r.done:
			r.flush()
			return
		}
		gather.Reset(reportEvery)
		select {
		case <-gather.C:
		case <-r.urgent:
		case <-r.done:
		}
		r.flush()
	}
}

// flush reports what waits now.
func (r *reports) flush() {
	r.mu.Lock()
	all := r.waiting
	r.waiting, r.sending = nil, len(all)
	r.mu.Unlock()
	for len(all) > 0 {
		n := min(len(all), maxReport)
		r.send(all[:n])
		all = all[n:]
		r.mu.Lock()
		r.sending = len(all)
		r.mu.Unlock()
	}
}

// send reports a few keys, and has their limiters go by what the ledger says. What it didn't take is forgotten: nobody knows
// whether it was charged, and it is no more than an allowance.
func (r *reports) send(some []report) {
	entries, spent, before := make([]Entry, len(some)), make([]int64, len(some)), make([]int64, len(some))
	for i, one := range some {
		l := one.limiter
		entries[i] = Entry{Key: l.entryKey(one.key), Tolerance: time.Duration(l.policies[0].tolerance)}
		spent[i] = one.state.unreported.Load()
		entries[i].Add = time.Duration(spent[i])
		before[i] = max(one.state.first.Load(), l.elapsed()) // after what was spent, so that it is in there
	}
	var ahead []time.Duration
	err := errDown
	if r.shared.ledger.Up() {
		if ahead, err = r.shared.ledger.Report(entries); err != nil || len(ahead) != len(entries) {
			r.shared.failures.Add(1)
		}
	}
	for i, one := range some {
		if err == nil && len(ahead) == len(entries) {
			// As of now, though it was told a moment earlier: the true theoretical arrival time isn't after this one.
			one.state.move(0, before[i], one.limiter.elapsed()+int64(ahead[i])-before[i])
		}
		left := one.state.unreported.Add(-spent[i])
		one.state.reporting.Store(false)
		if left != 0 || one.state.unreported.Load() != 0 {
			r.queue(one, false)
		}
	}
}
