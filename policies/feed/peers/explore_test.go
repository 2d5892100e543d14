package peers

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/change"
)

var (
	seed      = flag.Uint64("peers.seed", 0, "explore this history only")
	histories = flag.Uint64("peers.histories", 30, "how many histories to explore in each mode")
)

// trouble is what goes wrong in a history.
var troubles = []func(w *world, g *gateway){
	func(w *world, _ *gateway) { w.logDown = w.now + w.upTo(4*time.Second) },
	func(w *world, _ *gateway) { w.logSlow = 4*time.Millisecond + w.upTo(time.Second) },
	func(w *world, _ *gateway) { w.logSlow = 4 * time.Millisecond },
	func(w *world, _ *gateway) { w.log = w.log[len(w.log)-min(w.rng.IntN(4), len(w.log)):] },  // trimmed
	func(w *world, _ *gateway) { w.log = w.log[:len(w.log)-min(w.rng.IntN(12), len(w.log))] }, // a failover
	func(w *world, _ *gateway) {
		w.log, w.nextID = nil, w.rng.IntN(w.nextID+1)
	},
	func(w *world, g *gateway) { g.paused = w.now + w.upTo(6*time.Second) },
	func(w *world, g *gateway) { g.kill(); w.after(w.upTo(3*time.Second), func() { w.start() }) },
	func(w *world, g *gateway) { g.kill(); w.start() },
	func(w *world, g *gateway) {
		if !g.leaving {
			g.leave()
			w.after(w.upTo(2*time.Second), func() { w.start() })
		}
	},
	func(w *world, g *gateway) { // somebody ends a gateway's sessions
		w.endSessions(g.name)
	},
	func(w *world, g *gateway) { g.noDB = w.now + w.upTo(5*time.Second) },
	func(w *world, g *gateway) {
		if g.worker != nil {
			g.giveUp(g.worker)
		}
	},
	func(w *world, _ *gateway) { // it comes, writes, and is gone
		x := w.start()
		x.fated = true
		var write func()
		write = func() {
			x.write(fmt.Sprint("o", w.rng.IntN(4)))
			x.soon(100*time.Millisecond, write)
		}
		write()
	},
}

// explore runs one history: troubles for a while, then calm.
func explore(seed uint64, strict bool, mutant string) *world {
	const troubled, whole = 25 * time.Second, 45 * time.Second
	w := newWorld(seed, strict, mutant)
	for range 2 + w.rng.IntN(2) {
		w.start()
	}
	objects := 1 << w.rng.IntN(6)
	any := func() *gateway {
		if len(w.gateways) == 0 {
			w.start()
		}
		return w.gateways[w.rng.IntN(len(w.gateways))]
	}
	object := func() string { return fmt.Sprint("o", w.rng.IntN(objects)) }
	var read, write, trouble func()
	read = func() { any().ask(object()); w.after(w.upTo(30*time.Millisecond), read) }
	write = func() { any().write(object()); w.after(w.upTo(400*time.Millisecond), write) }
	trouble = func() {
		if w.now < troubled {
			troubles[w.rng.IntN(len(troubles))](w, any())
			w.after(w.upTo(3*time.Second), trouble)
		}
	}
	w.after(0, read)
	w.after(0, write)
	w.after(3*time.Second, trouble)
	w.run(troubled)
	w.calm, w.logSlow = true, 4*time.Millisecond
	w.logDown = min(w.logDown, w.now+4*time.Second)
	writes := w.writes
	w.run(whole)
	if len(w.wrong) > 0 {
		return w
	}
	if w.writes-writes < 50 {
		w.fail("only %d writes after the troubles", w.writes-writes)
	}
	for _, g := range w.gateways {
		if notBefore, ok := g.node.Serve(); !ok || !notBefore.IsZero() {
			w.fail("%s isn't in step after the troubles: %+v", g.name, g.node.behind(g.clock()))
		}
	}
	return w
}

// TestExplore: whatever happens to the log, the database and the gateways, no answer is older than was promised; and when
// it is over all are in step.
func TestExplore(t *testing.T) {
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprintf("strict %v", strict), func(t *testing.T) {
			t.Parallel()
			first, last := uint64(1), *histories
			if *seed != 0 {
				first, last = *seed, *seed
			}
			var hits, reads, writes, taken int
			for s := first; s <= last; s++ {
				w := explore(s, strict, "")
				if len(w.wrong) > 0 {
					t.Fatalf("history %d: %s", s, strings.Join(w.wrong, "\n"))
				}
				hits, reads, writes, taken = hits+w.hits, reads+w.reads, writes+w.writes, taken+w.taken
			}
			t.Logf("%d hits of %d reads, %d writes, %d answers taken from others", hits, reads, writes, taken)
			if *seed == 0 && hits*3 < reads {
				t.Errorf("only %d hits of %d reads", hits, reads)
			}
			if *seed == 0 && taken*200 < reads {
				t.Errorf("only %d answers of %d were taken from others", taken, reads)
			}
		})
	}
}

// mutants are ways to break the protocol, at the place where a Node meets the world.
var mutants = []struct {
	name            string
	bounded, strict bool // in which mode that must be noticed
}{
	{"missing numbers are not noticed", true, true},
	{"open writes are not told in beats", true, false},
	{"prepares before a gap are taken for ended", false, true},
	{"there is no limit of age out of step", true, false},
	{"out of step all is served", false, true},
	{"nobody is waited for", false, true},
	{"a write waits for no time in the roster", true, false},
	{"a dead gateway is taken for one that left", true, true},
	{"a done of something unknown is ignored", false, true},
	{"what is prepared is applied when it is done", false, true},
	{"changes are told before they are committed", true, false},
	{"another's answer is as new as when it is taken", true, true},
	{"another's answer is taken whatever was missed", true, true},
	{"answers are told whoever isn't in step", false, true},
}

// TestExploreNotices: the exploration finds a protocol that is broken.
func TestExploreNotices(t *testing.T) {
	for _, m := range mutants {
		for _, strict := range []bool{false, true} {
			if strict && !m.strict || !strict && !m.bounded {
				continue
			}
			t.Run(fmt.Sprintf("%s, strict %v", m.name, strict), func(t *testing.T) {
				t.Parallel()
				for s := uint64(1); s <= 10**histories; s++ {
					if w := explore(s, strict, m.name); len(w.wrong) > 0 {
						t.Logf("history %d: %s", s, w.wrong[0])
						return
					}
				}
				t.Error("not noticed")
			})
		}
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// wrapped stands between a Node and the world, and breaks what the mutant breaks.
type wrapped struct {
	g        *gateway
	last     map[string]uint64            // by sender
	prepared map[string]map[uint64][]byte // by sender and number
	seen     map[string]bool              // in the roster
}

func newWrapped(g *gateway) *wrapped {
	return &wrapped{g: g, last: map[string]uint64{}, prepared: map[string]map[uint64][]byte{}, seen: map[string]bool{}}
}

func (x *wrapped) receive(b []byte) {
	r, err := parse(b)
	if err != nil {
		x.g.w.fail("cannot read a record: %v", err)
		return
	}
	empty := func(seq uint64) []byte {
		e := record{from: r.from, seq: seq, kind: beat, strict: x.g.w.strict, open: seq}
		return e.append(nil)
	}
	fresh := r.from != x.g.name && r.seq > x.last[r.from]
	if x.prepared[r.from] == nil {
		x.prepared[r.from] = map[uint64][]byte{}
	}
	switch x.g.w.mutant {
	case "missing numbers are not noticed":
		for s := x.last[r.from] + 1; fresh && s < r.seq; s++ {
			x.g.node.Receive(empty(s))
		}
	case "open writes are not told in beats":
		r.held = 0
	case "prepares before a gap are taken for ended":
		if r.kind == beat {
			r.open = r.seq
		}
	case "a done of something unknown is ignored":
		if fresh && r.kind == done && x.prepared[r.from][r.of] == nil {
			x.last[r.from] = r.seq
			x.g.node.Receive(empty(r.seq))
			return
		}
	case "what is prepared is applied when it is done":
		switch {
		case fresh && r.kind == prepared:
			x.prepared[r.from][r.seq] = r.payload
			x.last[r.from] = r.seq
			x.g.node.Receive(empty(r.seq))
			x.g.node.mu.Lock()
			x.g.node.beatSoon()
			x.g.node.mu.Unlock()
			return
		case fresh && r.kind == done && x.prepared[r.from][r.of] != nil:
			r.kind, r.payload = changed, x.prepared[r.from][r.of]
		}
	}
	if fresh {
		if r.kind == prepared {
			x.prepared[r.from][r.seq] = r.payload
		}
		x.last[r.from] = r.seq
	}
	x.g.node.Receive(r.append(nil))
}

func (x *wrapped) serve() (time.Time, bool) {
	notBefore, ok := x.g.node.Serve()
	switch x.g.w.mutant {
	case "there is no limit of age out of step":
		notBefore = time.Time{}
	case "out of step all is served":
		return time.Time{}, true
	}
	return notBefore, ok
}

func (x *wrapped) position() (Position, bool) {
	if x.g.w.mutant == "answers are told whoever isn't in step" {
		n := x.g.node
		n.mu.Lock()
		step := *n.step.Load()
		far := n.o.Clock().Add(time.Minute)
		n.step.Store(&far)
		n.mu.Unlock()
		defer n.step.Store(&step)
	}
	return x.g.node.Position()
}

func (x *wrapped) since(p Position) (since, dropped uint64, ok bool) {
	switch x.g.w.mutant {
	case "another's answer is taken whatever was missed":
		n := x.g.node
		p = maps.Clone(p)
		p[n.o.Name] = max(p[n.o.Name], n.floor)
		for name, other := range n.peers {
			p[name] = max(p[name], other.from)
		}
		since, _, ok = n.Since(p)
		return since, nothing, ok
	case "another's answer is as new as when it is taken":
		_, dropped, ok = x.g.node.Since(p)
		return x.g.cache.finished, dropped, ok
	}
	return x.g.node.Since(p)
}

func (x *wrapped) looked(l Look) {
	switch x.g.w.mutant {
	case "a write waits for no time in the roster":
		l.Since = l.Since.Add(-time.Minute)
	case "a dead gateway is taken for one that left":
		in := map[string]bool{}
		for _, name := range l.Members {
			in[name] = true
		}
		for _, name := range sortedKeys(x.seen) {
			if !in[name] {
				delete(x.seen, name)
				r := record{from: name, seq: x.last[name] + 1, kind: leave}
				x.g.node.Receive(r.append(nil))
			}
		}
		for name := range in {
			x.seen[name] = name != x.g.name
		}
		delete(x.seen, x.g.name)
	}
	x.g.node.Looked(l)
}

func (x *wrapped) announce(changes []change.Change, proceed func()) func() {
	switch x.g.w.mutant {
	case "nobody is waited for":
		finish := x.g.node.Announce(changes, func() {})
		proceed()
		return finish
	case "changes are told before they are committed":
		x.g.node.Announce(changes, proceed)()
		proceed()
		return func() {}
	}
	return x.g.node.Announce(changes, proceed)
}
