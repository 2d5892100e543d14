package breaker

import (
	"sync"
	"sync/atomic"
)

// events takes changes of state to the callback. They arise under gobreaker's lock, where calling out could
// deadlock; they are queued there and delivered, in order, when that lock is free.
type events struct {
	deliver func(from, to State)
	waiting atomic.Bool

	mu    sync.Mutex // guards queue; taken under any other lock
	queue [][2]State

	delivery sync.Mutex // held while delivering, so that the order stays
}

func (e *events) add(from, to State) {
	if e.deliver == nil {
		return
	}
	e.mu.Lock()
	e.queue = append(e.queue, [2]State{from, to})
	e.mu.Unlock()
	e.waiting.Store(true)
}

// flush delivers what is queued. The caller holds no lock of the breaker.
func (e *events) flush() {
	if !e.waiting.Load() {
		return
	}
	e.delivery.Lock()
	defer e.delivery.Unlock()
	e.waiting.Store(false)
	e.mu.Lock()
	queue := e.queue
	e.queue = nil
	e.mu.Unlock()
	for _, change := range queue {
		e.deliver(change[0], change[1])
	}
}
