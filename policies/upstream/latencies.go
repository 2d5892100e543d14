package upstream

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// latencies are how long requests of one sort took lately, in two spans of time of which the older is thrown away: buckets
// of a quarter of an octave, so that a quantile is right within a fifth.
type latencies struct {
	p95 atomic.Int64 // nanoseconds, as of the last look; 0: not enough is known

	mu      sync.Mutex
	now     [latencyBuckets]uint32
	before  [latencyBuckets]uint32
	since   time.Time // of now
	seen    int       // in now
	unread  int       // since the last look
	earlier int       // in before
}

const (
	latencyBuckets = 4 * 32 // up to 2^32 µs
	latencySpan    = 10 * time.Second
	// enough is how many are needed to know a quantile of 95%.
	enough = 100
	// lookEvery is after how many the quantile is looked for again.
	lookEvery = 32
)

// bucketOf is the bucket of a latency, limitOf the time that all in a bucket are below.
func bucketOf(d time.Duration) int {
	us := uint64(max(4, d/time.Microsecond))
	exp := bits.Len64(us) - 1 // at least 2
	return min(4*exp+int(us>>(exp-2)&3), latencyBuckets-1)
}

func limitOf(bucket int) time.Duration {
	exp, quarter := bucket/4, bucket%4
	return time.Duration(uint64(5+quarter)<<exp>>2) * time.Microsecond
}

// record takes a latency in.
func (l *latencies) record(d time.Duration, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if age := now.Sub(l.since); age >= latencySpan {
		l.before, l.earlier = l.now, l.seen
		if age >= 2*latencySpan {
			l.before, l.earlier = [latencyBuckets]uint32{}, 0
		}
		l.now, l.seen, l.since = [latencyBuckets]uint32{}, 0, now
	}
	l.now[bucketOf(d)]++
	l.seen++
	if l.unread++; l.unread >= lookEvery {
		l.unread = 0
		l.p95.Store(int64(l.quantile(0.95)))
	}
}

// quantile is the time within which a share of them ended; 0: not enough is known. mu is held.
func (l *latencies) quantile(share float64) time.Duration {
	all := l.seen + l.earlier
	if all < enough {
		return 0
	}
	below, want := 0, share*float64(all)
	for i := range l.now {
		if below += int(l.now[i] + l.before[i]); float64(below) >= want {
			return limitOf(i)
		}
	}
	return limitOf(latencyBuckets - 1)
}
