package autoscale

import "time"

// history keeps a second's worth of samples in each of its buckets.
type history struct {
	buckets []bucket
	first   time.Time // of all samples
}

type bucket struct {
	second   int64 // since 1970
	sum      float64
	count    int
	answered uint64 // the highest
}

func newHistory(window time.Duration) history {
	return history{buckets: make([]bucket, int(window/time.Second)+2)}
}

func (h *history) at(second int64) *bucket { return &h.buckets[int(second%int64(len(h.buckets)))] }

func (h *history) add(now time.Time, x Sample) {
	if h.first.IsZero() {
		h.first = now
	}
	second := now.Unix()
	b := h.at(second)
	if b.second != second {
		*b = bucket{second: second}
	}
	b.sum += x.Requests
	b.count++
	b.answered = max(b.answered, x.Answered)
}

// average is the mean of the seconds' means in a window that ends now. Seconds without samples don't count.
func (h *history) average(now time.Time, window time.Duration) float64 {
	sum, n := 0.0, 0
	for _, b := range h.within(now, window) {
		sum += b.sum / float64(b.count)
		n++
	}
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}

// rate is how many were answered in a second of the window.
func (h *history) rate(now time.Time, window time.Duration) float64 {
	var first, last *bucket
	for _, b := range h.within(now, window) {
		if first == nil {
			first = b
		}
		last = b
	}
	if first == nil || first == last || last.answered < first.answered {
		return 0
	}
	return float64(last.answered-first.answered) / float64(last.second-first.second)
}

// within are the buckets of a window, the oldest first.
func (h *history) within(now time.Time, window time.Duration) (all []*bucket) {
	end := now.Unix()
	for second := end - int64(window/time.Second) + 1; second <= end; second++ {
		if b := h.at(second); b.second == second && b.count > 0 {
			all = append(all, b)
		}
	}
	return all
}
