package upstream

import (
	"sync"
	"time"
)

// budget bounds how much load retries may add, so that a pool that is slow because it is overloaded isn't pushed over
// by its own gateway. It is Finagle's RetryBudget, with a window of ten one-second buckets instead of a token bucket:
// within the window there may be as many retries as share × requests + perSecond × 10.
type budget struct {
	now func() time.Time

	mu        sync.Mutex
	share     float64
	perSecond float64
	second    int64 // of the newest bucket
	buckets   [budgetWindow]struct{ requests, retries int }
}

const budgetWindow = 10 // seconds

func (b *budget) configure(share, perSecond float64) {
	b.mu.Lock()
	b.share, b.perSecond = share, perSecond
	b.mu.Unlock()
}

// roll makes the bucket of this second the newest one and returns it. mu is held.
func (b *budget) roll() int {
	s := b.now().Unix()
	if s-b.second >= budgetWindow || s < b.second { // all old, or the clock was set back
		clear(b.buckets[:])
		b.second = s
	}
	for b.second < s {
		b.second++
		b.buckets[b.second%budgetWindow] = struct{ requests, retries int }{}
	}
	return int(s % budgetWindow)
}

// request counts a request.
func (b *budget) request() {
	b.mu.Lock()
	b.buckets[b.roll()].requests++
	b.mu.Unlock()
}

// spend counts a retry if the budget allows one more and tells whether it does. A retry that must happen anyway is
// counted too (force).
func (b *budget) spend(force bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := b.roll()
	var requests, retries int
	for _, k := range b.buckets {
		requests += k.requests
		retries += k.retries
	}
	allowed := float64(retries+1) <= b.share*float64(requests)+b.perSecond*budgetWindow
	if allowed || force {
		b.buckets[i].retries++
	}
	return allowed || force
}
