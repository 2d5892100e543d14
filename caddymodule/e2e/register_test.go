package e2e

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// register is something that is only written with a growing version, by one writer at a time: an object, or a
// membership. What a read may show of it follows from three numbers.
type register struct {
	name    string
	writing sync.Mutex   // held for the whole of a write
	begun   atomic.Int64 // the newest version whose write was sent
	known   atomic.Int64 // the newest version that was acknowledged, or that an ended read showed or is newer than
	lost    atomic.Bool  // a write's outcome is unknown, so that nothing can be said any more

	own [maxDoors]atomic.Int64 // as known, by the writes through each gateway alone

	mu   sync.Mutex
	past []moment // what was known, in order
}

// maxDoors is how many gateways a coherence has at most.
const maxDoors = 2

// moment is a version and when it became known.
type moment struct {
	at      time.Time
	version int64
}

// wrote says that a version was acknowledged by a gateway.
func (r *register) wrote(door int, version int64) {
	r.raise(version)
	raise(&r.own[door], version)
}

// knownBy is the version that was known at a time.
func (r *register) knownBy(t time.Time) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.past) - 1; i >= 0; i-- {
		if r.past[i].at.Before(t) {
			return r.past[i].version
		}
	}
	return 0
}

// raise says that from now on nothing older than version may be read.
func (r *register) raise(version int64) {
	if raise(&r.known, version) {
		r.mu.Lock()
		r.past = append(r.past, moment{time.Now(), r.known.Load()})
		r.mu.Unlock()
	}
}

func raise(known *atomic.Int64, version int64) bool {
	for {
		old := known.Load()
		if version <= old {
			return false
		}
		if known.CompareAndSwap(old, version) {
			return true
		}
	}
}

// window is what a read may show of the registers: version known when it began up to version begun when it ended.
type window struct {
	registers []*register
	low       []int64
}

// openWindow begins a read through a gateway. With a bound it may show what was known so long ago, where it wasn't written
// through the same gateway.
func openWindow(registers []*register, door int, bound time.Duration) window {
	w := window{registers, make([]int64, len(registers))}
	now := time.Now()
	for i, r := range registers {
		w.low[i] = r.known.Load()
		if bound > 0 {
			w.low[i] = max(r.knownBy(now.Add(-bound)), r.own[door].Load())
		}
	}
	return w
}

// check says of one register what was seen: fits tells for a version whether the answer could have been that. It
// returns false if no version of the window fits.
func (w *window) check(i int, fits func(version int64) bool) bool {
	r := w.registers[i]
	high := r.begun.Load()
	for v := w.low[i]; v <= high; v++ {
		if fits(v) {
			r.raise(v) // later reads may not show less
			return true
		}
	}
	return r.lost.Load()
}

// describe is the window as a failure tells it.
func (w *window) describe(i int) string {
	return fmt.Sprintf("%s may be at %d to %d", w.registers[i].name, w.low[i], w.registers[i].begun.Load())
}
