package health

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure a Group. The zero value means the defaults.
type Options struct {
	// Rise good probes in a row bring a worker up that was down (default 2); Fall failed ones take it down
	// (default 3).
	Rise, Fall int
	// Interval is the time between two probes of a worker that is up (default 5 s), DownInterval of one that isn't
	// (default 500 ms).
	Interval, DownInterval time.Duration
	// Jitter is the share by which an interval may be longer or shorter (0 to 1, default 0.2; negative: none), so
	// that workers aren't probed in step.
	Jitter float64
	// Failures of requests in a row eject a worker (default 5; negative: never).
	Failures int
	// BaseEjection is how long a worker is out the first time, and by how much longer each time after (default
	// 30 s), up to MaxEjection (default 300 s). Each BaseEjection spent in use takes one time off again.
	BaseEjection, MaxEjection time.Duration
	// MaxEjected is the largest share of the group that may be ejected at once (0 to 1, default 0.5). One may always
	// be, unless it is the last that is available.
	MaxEjected float64
	// Rand gives numbers from 0 up to 1 for the jitter (default math/rand/v2).
	Rand func() float64
}

func (o Options) provisioned() Options {
	if o.Rise <= 0 {
		o.Rise = 2
	}
	if o.Fall <= 0 {
		o.Fall = 3
	}
	if o.Interval <= 0 {
		o.Interval = 5 * time.Second
	}
	if o.DownInterval <= 0 {
		o.DownInterval = 500 * time.Millisecond
	}
	if o.Jitter == 0 {
		o.Jitter = 0.2
	}
	o.Jitter = min(max(o.Jitter, 0), 1)
	if o.Failures == 0 {
		o.Failures = 5
	}
	if o.BaseEjection <= 0 {
		o.BaseEjection = 30 * time.Second
	}
	if o.MaxEjection <= 0 {
		o.MaxEjection = 300 * time.Second
	}
	o.MaxEjection = max(o.MaxEjection, o.BaseEjection)
	if !(o.MaxEjected > 0 && o.MaxEjected <= 1) {
		o.MaxEjected = 0.5
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	return o
}

// Group is the workers of one pool. The rules that spare the last worker need to see them all. It is safe for
// concurrent use.
type Group struct {
	o       Options
	mu      sync.Mutex                // one change at a time
	members atomic.Pointer[[]*Member] // replaced, never changed
	// threshold is the panic threshold, as the bits of a float64.
	threshold atomic.Uint64
}

// NewGroup makes an empty group.
func NewGroup(o Options) *Group {
	g := &Group{o: o.provisioned()}
	g.members.Store(&[]*Member{})
	return g
}

// Add takes a worker in. It is up until probes say otherwise.
func (g *Group) Add() *Member {
	m := &Member{g: g}
	g.mu.Lock()
	defer g.mu.Unlock()
	members := append(slices.Clone(*g.members.Load()), m)
	g.members.Store(&members)
	return m
}

// Remove lets a worker go, whether it was healthy or not.
func (g *Group) Remove(m *Member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	members := slices.DeleteFunc(slices.Clone(*g.members.Load()), func(x *Member) bool { return x == m })
	g.members.Store(&members)
}

// SetPanicThreshold has all members be available, whatever is known of their health, once less than a share of them is healthy
// (0 to 1). Default 0: once none is.
func (g *Group) SetPanicThreshold(share float64) { g.threshold.Store(math.Float64bits(share)) }

// Panic tells whether so few members that aren't set aside are healthy, or none, that all are available.
func (g *Group) Panic(now time.Time) bool {
	healthy, all := 0, 0
	for _, m := range *g.members.Load() {
		if m.aside.Load() {
			continue
		}
		all++
		if m.Healthy(now) {
			healthy++
		}
	}
	return healthy == 0 || float64(healthy) < math.Float64frombits(g.threshold.Load())*float64(all)
}

// mayEject decides whether m may go out at now. The caller holds mu.
func (g *Group) mayEject(m *Member, now time.Time) bool {
	ejected, others, all := 0, 0, 0
	for _, x := range *g.members.Load() {
		if x.aside.Load() {
			continue
		}
		all++
		if x.ejected(now) {
			ejected++
		}
		if x != m && x.Healthy(now) {
			others++
		}
	}
	return others > 0 && (ejected == 0 || float64(ejected+1) <= g.o.MaxEjected*float64(all))
}
