package caddymodule

import (
	"sync"

	"github.com/parsescale/parsescale/policies/breaker"
	"github.com/parsescale/parsescale/policies/upstream"
)

// maxEvents bounds the events that wait to be told; further ones are not told.
const maxEvents = 1000

// eventQueue tells Caddy's events app of what happened, in order, without keeping those waiting to whom it happens.
type eventQueue struct {
	mu      sync.Mutex
	waiting []event
	telling bool
}

type event struct {
	name string
	data map[string]any
}

// workerEvent is the event of a worker whose breaker or health changed. Its data are app, worker, what (breaker or health), from
// and to.
const workerEvent = "parse_worker_changed"

// wantedEvent is the event of another number of workers that there should be. Its data are app, before, desired, ready, min and max.
const wantedEvent = "parse_workers_desired"

// workerChanged is called from within a request.
func (g *gateway) workerChanged(c upstream.Change) {
	if c.What == "breaker" && c.To == breaker.Open.String() {
		g.rumours.tell()
	}
	g.events.add(workerEvent, map[string]any{"app": g.name, "worker": c.Worker, "what": c.What, "from": c.From, "to": c.To})
}

// add doesn't wait: handlers of the event may take their time.
func (q *eventQueue) add(name string, data map[string]any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) >= maxEvents {
		return
	}
	q.waiting = append(q.waiting, event{name, data})
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
		e := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.mu.Unlock()
		if a := activeApp.Load(); a != nil {
			a.emit(e.name, e.data)
		}
	}
}
