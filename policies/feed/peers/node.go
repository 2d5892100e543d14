package peers

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parsescale/parsescale/server/change"
)

// Cache is what is kept in step with the other gateways' writes.
type Cache interface {
	// Prepare is feed.Applier's: when it returns, what the changes may touch is served no more, nor kept until finish.
	Prepare(changes []change.Change) (finish func())
	// Purge("", "") drops everything, and leaves no answer on its way to be kept.
	Purge(class, objectID string) int
}

// Options are what a Node needs. Name, App and Cache are required.
type Options struct {
	// Name is this process's name in the log and in the roster. No two processes ever have the same.
	Name string
	// App is the application id, which every change is given.
	App string
	// Cache is this gateway's.
	Cache Cache
	// Strict: a write of this gateway's workers is committed only when every live gateway has applied it, and nothing
	// cached is served while this gateway isn't sure to have heard of every other's writes. It must be the same at all
	// gateways of an app. Default: false.
	Strict bool
	// Lease is for how long it counts that another gateway has confirmed a beat, or that the roster was looked at.
	// Default 2 s.
	Lease time.Duration
	// Margin is what is added to a lease where somebody waits for its end; two clocks may differ by as much in the time of
	// a lease. Default a tenth of it.
	Margin time.Duration
	// MaxAge is how old an answer may be, from its question, while the gateway isn't in step. Default 3 s.
	MaxAge time.Duration
	// Beat is the time between two beats. Default a quarter of the lease.
	Beat time.Duration
	// MaxQueue and MaxQueueBytes bound what waits for the log; beyond, all of it is thrown away, and the others drop what
	// they have cached. Defaults 8192 records and 32 MiB.
	MaxQueue, MaxQueueBytes int
	// Finished counts the changes that the cache has finished, for positions: what is finished later has a higher number. It waits
	// for nothing. Default: none; there are no positions.
	Finished func() uint64
	// Clock tells the time. Default time.Now.
	Clock func() time.Time
	// Logger gets what the operator should know. Default: nobody.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	o.Lease = cmp.Or(o.Lease, 2*time.Second)
	o.Margin = cmp.Or(o.Margin, o.Lease/10)
	o.MaxAge = cmp.Or(o.MaxAge, 3*time.Second)
	o.Beat = cmp.Or(o.Beat, o.Lease/4)
	o.MaxQueue = cmp.Or(o.MaxQueue, 8192)
	o.MaxQueueBytes = cmp.Or(o.MaxQueueBytes, 32<<20)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Node is one gateway's part in the protocol. It does nothing by itself: somebody has to bring it what the log and the
// roster say, publish its batches, and tick (see Run). All methods are safe for concurrent use.
type Node struct {
	o    Options
	wake chan struct{} // holds a token when there is something to publish

	step   atomic.Pointer[time.Time] // in step until then
	ticked atomic.Pointer[time.Time] // when the last tick was
	left   atomic.Bool
	// arrivals is what Arrivals returns.
	arrivals atomic.Uint64

	mu       sync.Mutex
	peers    map[string]*peer
	look     Look
	open     []*write // in the order they began; those at the front haven't ended
	waiting  []*write // of those, the ones that may not be committed yet
	seq      uint64   // of the last record that was made
	queue    [][]byte // records that wait to be published
	queued   int      // bytes of them
	batch    [][]byte // records that are being published
	sent     []moment // when some of the own records were made
	wantBeat bool
	beaten   time.Time // when the last beat was made
	own      uint64    // the last own record that was read in the log
	lag      time.Duration
	samples  []sample
	said     marks  // own records
	floor    uint64 // a position counts if this own record was heard
	wasIn    bool
	totals   totals
}

type totals struct{ received, gaps, lost, overflows, waits uint64 }

// peer is what is known of another gateway.
type peer struct {
	last uint64    // number of the last record that was read and applied
	read time.Time // when that was
	came time.Time // when the first was
	// counted is how often its arrival was.
	counted int
	// from is the first record since when nothing of it is missing. What it prepared before may be unknown here.
	from      uint64
	confirmed time.Time // all that its workers committed before was applied here
	heardMe   uint64    // it has applied my records up to this one
	strict    bool
	beats     bool // a beat was read: strict is known
	// quoted is when the newest record that was quoted to it in a beat was read: what it may rely on began before.
	quoted time.Time
	left   bool
	member bool // the roster has it, or had it a moment ago
	// gone is since when the roster doesn't have it any more; zero: it has.
	gone time.Time
	held map[uint64]func() // prepared and not done, by number
	told marks             // changed and prepared
}

// write is what one of this gateway's workers is about to commit.
type write struct {
	begun time.Time
	// finished is what the cache had finished by then.
	finished uint64
	seq      uint64 // of its prepared; 0 in the default mode
	payload  []byte // in the default mode
	proceed  func() // nil once it may be committed
	// leases are the gateways that have to apply it first, and until when they may serve without having.
	leases map[string]time.Time
	ended  bool
}

// moment is when an own record was made.
type moment struct {
	seq uint64
	at  time.Time
}

// New returns a Node. It isn't in step before it was told of the roster.
func New(o Options) *Node {
	n := &Node{o: o.withDefaults(), wake: make(chan struct{}, 1), peers: map[string]*peer{}}
	now := n.o.Clock()
	n.step.Store(&time.Time{})
	n.ticked.Store(&now)
	return n
}

// maxPayload is the most bytes of changes in one record; what is larger loses its images.
const maxPayload = 64 << 10

// Announce implements feed.Announcer: changes of this gateway's workers, applied here and about to be committed.
func (n *Node) Announce(changes []change.Change, proceed func()) (finish func()) {
	frame := change.Frame{Type: change.TypePrepare, Changes: changes}
	payload, err := frame.AppendWithin(nil, maxPayload)
	if err != nil { // a Prepare always fits
		frame.Changes = []change.Change{{Kind: change.Purge}}
		payload, _ = frame.AppendWithin(nil, maxPayload)
	}
	now := n.o.Clock()
	n.mu.Lock()
	w := &write{begun: now, finished: n.finished(), payload: payload, proceed: proceed}
	n.open = append(n.open, w)
	if n.o.Strict {
		w.payload = nil
		w.seq = n.enqueue(now, &record{kind: prepared, payload: payload}, w.finished)
		w.leases = n.leases(now)
	}
	n.waiting = append(n.waiting, w)
	free := n.release(now)
	if w.proceed != nil {
		n.totals.waits++
	}
	n.mu.Unlock()
	run(free)
	return sync.OnceFunc(func() { n.finish(w) })
}

// leases are the gateways that may serve what they have cached by what this one has told them up to now. The lock is held.
func (n *Node) leases(now time.Time) map[string]time.Time {
	var all map[string]time.Time
	for name, p := range n.peers {
		if end := p.quoted.Add(n.o.Lease + n.o.Margin); !p.left && end.After(now) {
			if all == nil {
				all = map[string]time.Time{}
			}
			all[name] = end
		}
	}
	return all
}

// release takes those of the waiting writes out that may be committed now. The lock is held; the caller runs what is
// returned without it.
func (n *Node) release(now time.Time) (free []func()) {
	if len(n.waiting) == 0 || !n.mayCommit(now) {
		return nil
	}
	n.waiting = slices.DeleteFunc(n.waiting, func(w *write) bool {
		for name, end := range w.leases {
			if p := n.peers[name]; p == nil || p.left || p.heardMe >= w.seq || !now.Before(end) {
				delete(w.leases, name)
			}
		}
		if len(w.leases) > 0 {
			return false
		}
		free = append(free, w.proceed)
		w.proceed = nil
		return true
	})
	return free
}

func run(all []func()) {
	for _, f := range all {
		f()
	}
}

// finish says that a write is committed, or never will be.
func (n *Node) finish(w *write) {
	now := n.o.Clock()
	n.mu.Lock()
	defer n.mu.Unlock()
	w.ended = true
	n.waiting = slices.DeleteFunc(n.waiting, func(other *write) bool { return other == w })
	for len(n.open) > 0 && n.open[0].ended {
		n.open[0] = nil
		n.open = n.open[1:]
	}
	if w.seq != 0 {
		n.enqueue(now, &record{kind: done, of: w.seq}, nothing)
		return
	}
	n.enqueue(now, &record{kind: changed, payload: w.payload}, w.finished)
	w.payload = nil
}
