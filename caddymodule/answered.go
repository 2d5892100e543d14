package caddymodule

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/parsescale/parsescale/policies/request"
)

// source says where an answer came from.
type source uint8

const (
	hit       source = iota // the cache
	collapsed               // a worker, asked once for several clients
	miss                    // a worker, and the cache was looked at
	bypass                  // a worker, without the cache
	refused                 // the gateway itself
	stale                   // the cache, because no worker could answer
	sources
)

var sourceNames = [sources]string{"hit", "collapsed", "miss", "bypass", "refused", "stale"}

// sourceOf reads the verdict that Cache-Status tells.
func sourceOf(verdict string) source {
	switch {
	case strings.HasPrefix(verdict, "hit"):
		return hit
	case strings.HasSuffix(verdict, "collapsed"):
		return collapsed
	case strings.HasPrefix(verdict, "fwd=stale"):
		return stale
	case strings.HasPrefix(verdict, "fwd=miss"), strings.HasPrefix(verdict, "fwd=request"):
		return miss
	}
	return bypass
}

// durationBounds are the upper bounds of the histogram of durations, in seconds: a hit takes tens of microseconds, cloud
// code seconds.
var durationBounds = [...]float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// answered counts an app's answers. It outlives a reload with the app, and costs a request two atomic additions or three.
type answered struct {
	// by operation, source and the status's first digit
	counts [request.Ops][sources][6]atomic.Uint64
	// by source: how many took at most durationBounds[i] and more than the bound before; the last have no bound.
	durations [sources][len(durationBounds) + 1]atomic.Uint64
	sums      [sources]atomic.Int64 // nanoseconds
}

// byWorkers is how many of the answers workers gave.
func (a *answered) byWorkers() (n uint64) {
	for _, s := range []source{miss, bypass} {
		for i := range a.durations[s] {
			n += a.durations[s][i].Load()
		}
	}
	return n
}

// answers sends the answer's head.
func (x *exchange) answers(status int, s source) {
	x.status, x.source = status, s
	x.w.WriteHeader(status)
}

// count takes note of the answer, once it is given.
func (x *exchange) count(began time.Time) {
	if x.status == 0 || x.route == nil {
		return // an upgrade, or no app's request
	}
	x.traceAnswer()
	took := time.Since(began)
	a := &x.route.answered
	class := min(max(x.status/100, 0), 5)
	a.counts[x.req.Op][x.source][class].Add(1)
	a.durations[x.source][bucket(took.Seconds())].Add(1)
	a.sums[x.source].Add(int64(took))
}

func bucket(seconds float64) int {
	for i, bound := range durationBounds {
		if seconds <= bound {
			return i
		}
	}
	return len(durationBounds)
}
