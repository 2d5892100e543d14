package health

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Outcome is how a request to a worker ended, as far as the connection goes.
type Outcome uint8

// The outcomes. An HTTP answer, whatever its status, is a Success; Failure is a connection that was refused, reset or
// timed out. Ignored says nothing of the worker: the client went away.
const (
	Success Outcome = iota
	Failure
	Ignored
)

// State is a worker's health.
type State uint8

// Up, ejected for a while by failed requests, or down by failed probes.
const (
	Up State = iota
	Ejected
	Down
)

// String names the state.
func (s State) String() string {
	switch s {
	case Up:
		return "up"
	case Ejected:
		return "ejected"
	case Down:
		return "down"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Member is one worker of a Group. Now is passed in everywhere and should not run backwards. It is safe for
// concurrent use; asking it takes no lock.
type Member struct {
	g *Group

	aside    atomic.Bool
	down     atomic.Bool
	until    atomic.Int64 // end of the ejection, Unix nanoseconds; 0: none yet
	failures atomic.Int64 // of requests, in a row

	// under Group.mu
	passes, fails int // of probes, in a row; one of them is zero
	ejections     int // how often it was ejected, less what time in use took off
}

// SetAside says whether the worker gets no requests for another reason than its health, such as being drained. It isn't counted
// among those that could take the place of others then.
func (m *Member) SetAside(aside bool) { m.aside.Store(aside) }

// Probe takes the result of an active probe in and tells whether the worker went up or down by it.
func (m *Member) Probe(ok bool) (changed bool) {
	m.g.mu.Lock()
	defer m.g.mu.Unlock()
	if ok {
		m.passes, m.fails = m.passes+1, 0
		if m.down.Load() && m.passes >= m.g.o.Rise {
			m.down.Store(false)
			return true
		}
		return false
	}
	m.passes, m.fails = 0, m.fails+1
	if !m.down.Load() && m.fails >= m.g.o.Fall {
		m.down.Store(true)
		return true
	}
	return false
}

// Observe takes the end of a request in and tells whether the worker was ejected by it.
func (m *Member) Observe(now time.Time, o Outcome) (ejected bool) {
	switch o {
	case Success:
		if m.failures.Load() != 0 {
			m.failures.Store(0)
		}
		return false
	case Ignored:
		return false
	}
	if n := m.failures.Add(1); m.g.o.Failures < 0 || n < int64(m.g.o.Failures) {
		return false
	}
	m.g.mu.Lock()
	defer m.g.mu.Unlock()
	// Several requests may fail at once: only one of them ejects. One that is spared goes on counting, and is ejected
	// as soon as another worker can take its place.
	if m.ejected(now) || m.failures.Load() < int64(m.g.o.Failures) || !m.g.mayEject(m, now) {
		return false
	}
	m.failures.Store(0)
	if back := m.until.Load(); back != 0 {
		m.ejections = max(0, m.ejections-int(now.Sub(time.Unix(0, back))/m.g.o.BaseEjection))
	}
	m.ejections++
	out := m.g.o.MaxEjection
	if n := time.Duration(m.ejections); n <= out/m.g.o.BaseEjection {
		out = n * m.g.o.BaseEjection
	}
	m.until.Store(now.Add(out).UnixNano())
	return true
}

func (m *Member) ejected(now time.Time) bool {
	until := m.until.Load()
	return until != 0 && now.UnixNano() < until
}

// Healthy tells whether the worker is up and not ejected.
func (m *Member) Healthy(now time.Time) bool {
	return !m.down.Load() && !m.ejected(now)
}

// Available tells whether the worker may get requests: it is healthy, or so few are that all may.
func (m *Member) Available(now time.Time) bool {
	return m.Healthy(now) || m.g.Panic(now)
}

// State is Down before Ejected before Up.
func (m *Member) State(now time.Time) State {
	switch {
	case m.down.Load():
		return Down
	case m.ejected(now):
		return Ejected
	}
	return Up
}

// ProbeAfter is the time to wait before the next active probe, jittered.
func (m *Member) ProbeAfter(now time.Time) time.Duration {
	d := m.g.o.Interval
	if !m.Healthy(now) {
		d = m.g.o.DownInterval
	}
	return time.Duration(float64(d) * (1 + m.g.o.Jitter*(2*m.g.o.Rand()-1)))
}

// Status is a Member as the status page shows it.
type Status struct {
	State string `json:"state"`
	// EjectedUntil is when an ejected worker comes back.
	EjectedUntil time.Time `json:"ejected_until,omitzero"`
	// Failures of requests in a row.
	Failures int64 `json:"failures"`
}

// Status reads the worker's health.
func (m *Member) Status(now time.Time) Status {
	s := Status{State: m.State(now).String(), Failures: m.failures.Load()}
	if m.ejected(now) {
		s.EjectedUntil = time.Unix(0, m.until.Load())
	}
	return s
}
