package admission

import "time"

// Status is a Limiter as the admin API and the metrics show it.
type Status struct {
	// Limit is how many requests may be under way now; InFlight are, and Waiting wait to be. Aside are held up by their
	// clients, and don't count.
	Limit    int `json:"limit"`
	InFlight int `json:"in_flight"`
	Aside    int `json:"aside"`
	Waiting  int `json:"waiting"`
	// Waited have waited and were let in, WaitTime in all and LongestWait at most, in nanoseconds.
	Waited      uint64        `json:"waited"`
	WaitTime    time.Duration `json:"wait_time"`
	LongestWait time.Duration `json:"longest_wait"`
	// Excused were let in beyond the limit, because nothing moved.
	Excused uint64 `json:"excused"`
	// Refused were refused, by priority: first, writes, reads, last.
	Refused [Priorities]uint64 `json:"refused"`
}

// Status reads the limiter's state.
func (l *Limiter) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.begun {
		l.look(l.options.Now())
	}
	s := l.stats
	s.Limit, s.InFlight, s.Aside, s.Waiting = int(l.gradient.limit), l.inFlight+l.beyond, l.aside, l.waiting
	return s
}
