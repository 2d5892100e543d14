package admission

import (
	"slices"
	"time"
)

// Kinds is the number of kinds a request may be of; 0 is the kind whose time says nothing.
const Kinds = 64

// The constants of Gradient2 (Netflix, concurrency-limits: Gradient2Limit and WindowedLimit), but for the window, which
// is shorter, and for the baseline, which is one per kind of request: a change in what clients ask for is no change in
// how fast workers are.
const (
	window      = 100 * time.Millisecond // a limit lives at least
	longWindow  = time.Second            // and this long if there are fewer than enough samples
	enough      = 10                     // samples in a window
	kept        = 64                     // the latest samples of a window that count
	headroom    = 4                      // requests by which the limit may grow: what a worker may queue
	smoothing   = 0.2                    // the share of the new limit in the next one
	leastShrink = 0.5                    // the smallest gradient
	baseline    = 600                    // windows over which the usual time is averaged
	// standing is the same while requests wait. Then it is the limit that makes answers slow, or the limit is all that
	// keeps them fast; were the usual time to follow quickly, the limit would creep up under a lasting overload.
	standing = 6000
	warmUp   = 10 // windows that are averaged plainly
)

// sample is the time that one answer took.
type sample struct {
	took time.Duration
	kind uint8
}

// usual is the averaged time of one kind of request, in nanoseconds.
type usual struct {
	value   float64
	windows int
}

// gradient is the limit as it follows the workers. It is not safe for concurrent use.
type gradient struct {
	tolerance float64
	limit     float64 // of all workers

	began   time.Time // of the window
	samples [kept]sample
	count   int // of samples in the window, those no longer kept included
	timed   int // requests under way that will be samples
	peak    int // the most requests under way
	long    [Kinds]usual
}

// add takes note of an answer.
func (g *gradient) add(kind uint8, took time.Duration) {
	if kind == 0 || kind >= Kinds {
		return
	}
	g.samples[g.count%kept] = sample{took, kind}
	g.count++
}

// due reports whether the window is over.
func (g *gradient) due(now time.Time) bool {
	age := now.Sub(g.began)
	return age >= window && (g.count >= enough || g.count == 0 && g.timed == 0 || age >= longWindow)
}

// turn ends the window and sets the limit anew, between low and high. waiting: requests wait.
func (g *gradient) turn(now time.Time, low, high float64, waiting bool) {
	ratio := g.ratio(waiting)
	switch {
	case float64(g.peak) < g.limit/2: // nobody knows what a higher limit would do
	case ratio > 0:
		slope := min(1, max(leastShrink, g.tolerance/ratio))
		g.limit = g.limit*(1-smoothing) + (g.limit*slope+headroom)*smoothing
	case g.timed == 0: // nothing speaks against more
		g.limit += headroom
	}
	g.limit = min(max(g.limit, low), high)
	g.began, g.count = now, 0
}

// ratio is how many times as long as usual answers took in the window: the medians of each kind against that kind's
// baseline, weighted by how many there were. 0: there were none.
func (g *gradient) ratio(waiting bool) float64 {
	n := min(g.count, kept)
	all := g.samples[:n]
	slices.SortFunc(all, func(a, b sample) int {
		if a.kind != b.kind {
			return int(a.kind) - int(b.kind)
		}
		return int(min(max(a.took-b.took, -1), 1))
	})
	sum := 0.0
	for begin := 0; begin < n; {
		end := begin
		for end < n && all[end].kind == all[begin].kind {
			end++
		}
		median := max(1, float64(all[begin+(end-begin)/2].took))
		u := &g.long[all[begin].kind]
		u.learn(median, waiting)
		sum += median / u.value * float64(end-begin)
		begin = end
	}
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}

// learn averages the time of one more window in.
func (u *usual) learn(took float64, waiting bool) {
	u.windows++
	n := float64(baseline)
	if waiting && took > u.value {
		n = standing
	}
	weight := 2 / (n + 1)
	if u.windows <= warmUp {
		weight = 1 / float64(u.windows)
	}
	u.value += (took - u.value) * weight
	if u.value > 2*took { // the workers have recovered from what it had got used to
		u.value *= 0.95
	}
}
