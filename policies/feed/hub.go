package feed

import (
	"cmp"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/parsescale/parsescale/server/change"
)

// Applier is told of changes in two steps. Prepare is called before a change can be seen by anyone; when it returns,
// the change has been applied, and finish is called once it is committed or given up. Prepare is called from several
// goroutines at once and must not wait for anything but the processor. The changes belong to it.
type Applier interface {
	Prepare(changes []change.Change) (finish func())
}

// Announcer tells the other gateways of an app of this one's changes.
type Announcer interface {
	// Announce is called with changes that have been applied here and are about to be committed. It waits for nothing
	// and keeps nothing of them. It calls proceed once, before it returns or later from another goroutine, when they
	// may be committed; the caller calls finish when they are, or are given up.
	Announce(changes []change.Change, proceed func()) (finish func())
}

// Options are a Hub's timings, and whom else it tells.
type Options struct {
	// Announcer is told of every prepared change. Default: nobody; there is one gateway.
	Announcer Announcer
	// ReadyTimeout is how long a worker may take from its start until it is ready. Default 60 s.
	ReadyTimeout time.Duration
	// PingInterval is the time between two pings. Default 1 s.
	PingInterval time.Duration
	// PongTimeout is how long a worker that has been heard may stay silent before it counts as lost, be it ready or not, at
	// least one PingInterval. Default 5 s.
	PongTimeout time.Duration
}

func (o Options) withDefaults() Options {
	o.ReadyTimeout = cmp.Or(o.ReadyTimeout, time.Minute)
	o.PingInterval = cmp.Or(o.PingInterval, time.Second)
	o.PongTimeout = max(cmp.Or(o.PongTimeout, 5*time.Second), o.PingInterval)
	return o
}

// Hub merges the streams of one app's workers. All methods are safe for concurrent use.
type Hub struct {
	app     string
	applier Applier
	options Options

	mu      sync.Mutex
	streams map[*Stream]struct{} // until they have ended and nothing of them is in doubt
	doubt   int                  // streams that ended without a finished drain, and aren't reaped
	totals  totals
}

// totals outlive the streams they were counted on.
type totals struct{ prepares, changes, aborts, gaps uint64 }

// NewHub returns the hub of an app; app is its application id, which every change is given.
func NewHub(app string, a Applier, o Options) *Hub {
	return &Hub{app: app, applier: a, options: o.withDefaults(), streams: map[*Stream]struct{}{}}
}

// Attach starts to serve a worker's stream: it sends start, with the protocol's version filled in, waits for the
// worker to be ready, and serves what it announces until the stream ends. It returns at once; the Stream tells how it
// goes. The Hub closes rw. Whoever attached it calls Reaped once the worker's process is gone.
func (h *Hub) Attach(worker string, rw io.ReadWriteCloser, start change.Start) *Stream {
	s := &Stream{
		hub: h, worker: worker, rw: rw, w: change.NewWriter(rw), since: time.Now(),
		ready: make(chan struct{}), ended: make(chan struct{}), prepared: map[uint64]func(){},
	}
	h.mu.Lock()
	h.streams[s] = struct{}{}
	h.mu.Unlock()
	start.Protocol = change.Protocol
	go s.serve(start)
	return s
}

// Live reports whether every worker that may have written is in touch: no stream ended in the middle of something and
// waits for its process to be reaped. While it is false no cached answer may be served.
func (h *Hub) Live() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.doubt == 0
}

// Status is a Hub's state for the admin API.
type Status struct {
	// Live: cached answers may be served.
	Live bool `json:"live"`
	// Workers are the streams in use, and those in doubt.
	Workers []WorkerStatus `json:"workers"`
	// Prepares and Changes count what was announced since the hub began, Aborts the prepares that were given up.
	Prepares uint64 `json:"prepares"`
	Changes  uint64 `json:"changes"`
	Aborts   uint64 `json:"aborts"`
	// Gaps counts the streams that ended in any way but a finished drain.
	Gaps uint64 `json:"gaps"`
}

// WorkerStatus is the state of one worker's stream.
type WorkerStatus struct {
	Worker string `json:"worker"`
	PID    int    `json:"pid,omitempty"`
	// State is starting, ready, draining, in doubt (lost, its process not yet reaped) or ended.
	State string `json:"state"`
	// Position is the number of the last prepare that was applied.
	Position uint64 `json:"position"`
	// Prepared is the number of prepares that are applied and not finished.
	Prepared int       `json:"prepared"`
	Since    time.Time `json:"since"`
	// Error says why the stream ended.
	Error string `json:"error,omitempty"`
}

// Status returns the state of the hub and of its streams.
func (h *Hub) Status() Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := Status{
		Live: h.doubt == 0, Workers: make([]WorkerStatus, 0, len(h.streams)),
		Prepares: h.totals.prepares, Changes: h.totals.changes, Aborts: h.totals.aborts, Gaps: h.totals.gaps,
	}
	for s := range h.streams {
		out.Workers = append(out.Workers, s.status())
	}
	slices.SortFunc(out.Workers, func(a, b WorkerStatus) int {
		return cmp.Or(cmp.Compare(a.Worker, b.Worker), a.Since.Compare(b.Since))
	})
	return out
}
