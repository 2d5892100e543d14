package peers

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/parsescale/parsescale/server/change"
)

// world is a simulation of gateways, their log, and their database. Everything happens in events in an order that the seed
// decides; nothing waits for real time.
type world struct {
	rng     *rand.Rand
	now     time.Duration
	events  events
	count   int // of events, to keep the order of equal times
	strict  bool
	mutant  string
	options Options

	log      []logged
	nextID   int
	logDown  time.Duration // until then
	logSlow  time.Duration // up to so long for each step
	logReset bool

	committed map[string][]commit // by object
	second    map[string][]shared // what gateways have filled, by object
	taken     int                 // of that by another gateway
	locked    map[string]bool     // by an open transaction
	sessions  []*session
	gateways  []*gateway // the live ones
	born      int
	calm      bool // no more troubles
	hits      int
	reads     int
	writes    int
	wrong     []string
}

type logged struct {
	id int
	b  []byte
}

type commit struct {
	at      time.Duration
	version int
	by      *gateway
}

// session is a connection to the database.
type session struct {
	owner string
	alive bool
	end   func() // ends the transaction it is in
}

type event struct {
	at    time.Duration
	order int
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	x := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return x
}

func newWorld(seed uint64, strict bool, mutant string) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 1)), strict: strict, mutant: mutant, logSlow: 4 * time.Millisecond,
		committed: map[string][]commit{}, second: map[string][]shared{}, locked: map[string]bool{},
	}
	w.options = Options{App: "app", Strict: strict}
	if w.rng.IntN(3) == 0 {
		w.options.MaxQueue = 8
	}
	return w
}

func (w *world) after(d time.Duration, do func()) {
	w.count++
	heap.Push(&w.events, event{w.now + d, w.count, do})
}

// upTo is a random time, mostly short.
func (w *world) upTo(most time.Duration) time.Duration {
	f := w.rng.Float64()
	return time.Duration(f * f * f * float64(most))
}

func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

func (w *world) run(until time.Duration) {
	for len(w.events) > 0 && w.events[0].at <= until && len(w.wrong) == 0 {
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		e.do()
	}
	w.now = until
}

// cached is a cache as simple as can be that obeys the rules of policies/cache.
type cached struct {
	entries map[string]entry
	fills   map[*fill]struct{}
	open    map[string]int
	all     int // open changes of everything

	finished uint64           // changes
	history  []finishedChange // all of them
	purged   uint64           // the last purge
}

// finishedChange is what a change was of that is finished; "": everything.
type finishedChange struct {
	number uint64
	object string
}

type entry struct {
	version int
	asked   time.Time
}

type fill struct {
	object string
	asked  time.Time
	dirty  bool
	at     Position // nil: nobody else may have the answer
}

// shared is an answer for other gateways.
type shared struct {
	version int
	at      Position
	by      string
}

func newCached() *cached {
	return &cached{entries: map[string]entry{}, fills: map[*fill]struct{}{}, open: map[string]int{}}
}

func (c *cached) Prepare(changes []change.Change) func() {
	for _, ch := range changes {
		if ch.Class == "" {
			c.Purge("", "")
			c.all++
			continue
		}
		delete(c.entries, ch.ObjectID)
		for f := range c.fills {
			f.dirty = f.dirty || f.object == ch.ObjectID
		}
		c.open[ch.ObjectID]++
	}
	ended := false
	return func() {
		if ended {
			return
		}
		ended = true
		for _, ch := range changes {
			if ch.Class == "" {
				c.all--
			} else {
				c.open[ch.ObjectID]--
			}
		}
		c.finished++
		for _, ch := range changes {
			c.history = append(c.history, finishedChange{c.finished, ch.ObjectID})
		}
	}
}

func (c *cached) Purge(string, string) int {
	clear(c.entries)
	for f := range c.fills {
		f.dirty = true
	}
	c.finished++
	c.history = append(c.history, finishedChange{c.finished, ""})
	c.purged = c.finished
	return 0
}

func (c *cached) begin(object string, asked time.Time) *fill {
	f := &fill{object: object, asked: asked, dirty: c.open[object] > 0 || c.all > 0}
	c.fills[f] = struct{}{}
	return f
}

func (c *cached) store(f *fill, version int) (stored bool) {
	delete(c.fills, f)
	if !f.dirty {
		c.entries[f.object] = entry{version, f.asked}
	}
	return !f.dirty
}

// take stores what another gateway has filled, unless a change may have touched it since. It reports whether it did.
func (c *cached) take(f *fill, s shared, since, dropped uint64) bool {
	if f.dirty || c.purged > dropped {
		return false
	}
	for _, h := range c.history {
		if h.number > since && (h.object == f.object || h.object == "") {
			return false
		}
	}
	f.asked = time.Time{} // by another's clock
	return c.store(f, s.version)
}

// latest is the version of an object that was committed before a time.
func (w *world) latest(object string, before time.Duration) int {
	list := w.committed[object]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].at < before {
			return list[i].version
		}
	}
	return 0
}

func (w *world) latestBy(g *gateway, object string) int {
	list := w.committed[object]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].by == g {
			return list[i].version
		}
	}
	return 0
}

func (w *world) fail(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf("at %v: ", w.now)+fmt.Sprintf(format, args...))
}
