package caddymodule

import (
	"sync"

	"github.com/parsescale/parsescale/policies/upstream"
)

// maxEvents bounds the events that wait to be told; further ones are not told.
const maxEvents = 1000

// eventQueue tells Caddy's events app of what happened, in order, without keeping those waiting to whom it happens.
type eventQueue struct {
	mu      sync.Mutex
	waiting []map[string]any
	telling bool
}

// workerEvent is the event of a worker whose breaker or health changed. Its data are app, worker, what (breaker or health), from
// and to.
const workerEvent = "parse_worker_changed"

// workerChanged is called from within a request: handlers of the event may take their time.
func (g *gateway) workerChanged(c upstream.Change) {
	q := &g.events
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) >= maxEvents {
		return
	}
	q.waiting = append(q.waiting, map[string]any{"app": g.name, "worker": c.Worker, "what": c.What, "from": c.From, "to": c.To})
	if !q.telling {
		q.telling = true
		go q.tell()
	}
}

func (q *eventQueue) tell() {
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.telling = false
			q.mu.Unlock()
			return
		}
		data := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.mu.Unlock()
		if a := activeApp.Load(); a != nil {
			a.emit(workerEvent, data)
		}
	}
}
