package admission

import "time"

// waiter is a request that waits for a seat.
type waiter struct {
	request Request
	since   time.Time
	left    uint64     // how many of its priority had been answered when it came
	decided chan error // gets nil for a seat, or why there is none

	queued     bool
	excused    bool    // let in beyond the limit
	prev, next *waiter // older and newer
}

// line are the waiters of one priority, from the oldest to the newest.
type line struct {
	oldest, newest *waiter
}

func (l *line) push(w *waiter) {
	w.prev = l.newest
	if l.newest != nil {
		l.newest.next = w
	} else {
		l.oldest = w
	}
	l.newest, w.queued = w, true
}

func (l *line) remove(w *waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		l.oldest = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		l.newest = w.prev
	}
	w.prev, w.next, w.queued = nil, nil, false
}

// late reports that the oldest has waited for more than half of what it may: in turn, all would be served when they are
// about to give up. From then on the newest goes first (as in "Fail at Scale", ACM Queue 13/8, adaptive LIFO).
func (l *line) late(now time.Time, maxWait time.Duration) bool {
	return l.oldest != nil && now.Sub(l.oldest.since) > maxWait/2
}

// following is whose turn it is; nil: nobody waits.
func (l *line) following(now time.Time, maxWait time.Duration) *waiter {
	if l.late(now, maxWait) {
		return l.newest
	}
	return l.oldest
}
