package peers

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/parsescale/parsescale/server/change"
)

// gateway is one process of the simulation, with one worker.
type gateway struct {
	w      *world
	name   string
	node   *Node
	cache  *cached
	offset time.Duration // of its clock
	rate   float64
	alive  bool
	paused time.Duration // until then

	at      int // what it has read of the log
	session *session
	since   time.Time // of the session
	noDB    time.Duration
	worker  *session // the worker's
	doubt   int      // dead workers whose sessions are still there
	open    int      // transactions
	leaving bool
	fated   bool // it is killed when it has written something
	wrap    *wrapped
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (w *world) start() *gateway {
	w.born++
	g := &gateway{w: w, name: fmt.Sprintf("g%d", w.born), cache: newCached(), alive: true, offset: time.Duration(w.rng.IntN(1e6)) * time.Millisecond}
	g.rate = 0.98 + 0.04*w.rng.Float64()
	o := w.options
	o.Name, o.Cache, o.Clock = g.name, g.cache, g.clock
	o.Finished = func() uint64 { return g.cache.finished }
	g.node = New(o)
	g.wrap = newWrapped(g)
	if len(w.log) > 0 {
		g.at = w.log[len(w.log)-1].id
	}
	w.gateways = append(w.gateways, g)
	g.connect()
	g.publish()
	g.read()
	g.tick()
	return g
}

func (g *gateway) clock() time.Time {
	return epoch.Add(g.offset + time.Duration(float64(g.w.now)*g.rate))
}

// soon does something in this process after up to a time, unless it has ended by then. A paused process does it later.
func (g *gateway) soon(most time.Duration, do func()) {
	var attempt func()
	attempt = func() {
		switch {
		case !g.alive:
		case g.paused > g.w.now:
			g.w.after(g.paused-g.w.now+g.w.upTo(20*time.Millisecond), attempt)
		default:
			do()
		}
	}
	g.w.after(g.w.upTo(most), attempt)
}

// connect opens the gateway's own session at the database and looks at the roster from then on.
func (g *gateway) connect() {
	g.soon(20*time.Millisecond, func() {
		if g.w.now < g.noDB {
			g.soon(300*time.Millisecond, g.connect)
			return
		}
		g.session = g.w.open(g.name)
		g.soon(50*time.Millisecond, func() {
			g.since = g.clock()
			g.lookAround()
		})
	})
}

func (g *gateway) lookAround() {
	began := g.clock()
	g.soon(30*time.Millisecond, func() {
		if g.w.now < g.noDB {
			g.soon(300*time.Millisecond, g.lookAround)
			return
		}
		if !g.session.alive {
			g.connect()
			return
		}
		seen := map[string]bool{}
		for _, s := range g.w.sessions {
			seen[s.owner] = true
		}
		l := Look{Began: began, Since: g.since}
		for _, other := range sortedKeys(seen) {
			l.Members = append(l.Members, other)
		}
		g.soon(30*time.Millisecond, func() {
			g.wrap.looked(l)
			g.w.after(400*time.Millisecond, func() { g.soon(100*time.Millisecond, g.lookAround) })
		})
	})
}

func (g *gateway) tick() {
	g.node.Tick()
	g.w.after(50*time.Millisecond, func() { g.soon(20*time.Millisecond, g.tick) })
}

// publish sends batches, as the log takes them.
func (g *gateway) publish() {
	w := g.w
	batch := g.node.Batch()
	if len(batch) == 0 {
		g.soon(10*time.Millisecond, g.publish)
		return
	}
	w.after(w.upTo(w.logSlow), func() { // whatever becomes of the process
		ok := w.now >= w.logDown
		n := len(batch)
		if ok && !w.calm && w.chance(.03) { // the connection breaks
			ok, n = false, w.rng.IntN(n+1)
			w.after(w.upTo(time.Second), func() { w.append(batch) }) // and what was on its way arrives later
		}
		if w.now >= w.logDown {
			w.append(batch[:n])
		}
		g.soon(w.logSlow, func() {
			if ok {
				g.node.Published()
			}
			g.publish()
		})
	})
}

func (w *world) append(batch [][]byte) {
	if w.now < w.logDown {
		return
	}
	for _, b := range batch {
		w.nextID++
		w.log = append(w.log, logged{w.nextID, b})
	}
}

func (g *gateway) read() {
	w := g.w
	w.after(w.upTo(w.logSlow), func() {
		var got [][]byte
		if w.now >= w.logDown {
			if k := len(w.log); (k == 0 || w.log[k-1].id < g.at) && w.chance(.3) {
				g.at = 0
			}
			i := sort.Search(len(w.log), func(i int) bool { return w.log[i].id > g.at })
			for ; i < len(w.log) && len(got) < 16; i++ {
				got = append(got, w.log[i].b)
				g.at = w.log[i].id
			}
		}
		g.soon(w.logSlow, func() {
			for _, b := range got {
				g.wrap.receive(b)
			}
			g.read()
		})
	})
}

// write has the worker write an object.
func (g *gateway) write(object string) {
	w := g.w
	if !g.alive || g.leaving || w.locked[object] || w.now < g.noDB || g.doubt > 0 {
		return
	}
	if g.worker == nil || !g.worker.alive {
		g.worker = w.open(g.name)
	}
	s := g.worker
	w.locked[object] = true
	g.open++
	w.writes++
	ended, over := false, false
	end := func() { // of the transaction
		if !ended {
			ended = true
			w.locked[object] = false
		}
	}
	before := s.end
	s.end = func() { before(); end() }
	g.soon(3*time.Millisecond, func() { // the prepare is read
		here := g.cache.Prepare(changesOf(object))
		var there func()
		finish := func() {
			if !over {
				over = true
				g.open--
				here()
				there()
			}
		}
		var settle func()
		settle = func() { // the gateway hears that the transaction has ended, or that the dead worker's session has
			switch {
			case ended && (g.worker == s || !s.alive):
				finish()
			default:
				g.soon(20*time.Millisecond, settle)
			}
		}
		there = g.wrap.announce(changesOf(object), func() {
			if !w.calm && w.chance(.01) { // the process is stopped before the ack has left
				g.paused = max(g.paused, w.now+w.upTo(6*time.Second))
			}
			g.soon(4*time.Millisecond, func() {
				if ended || !s.alive || !g.alive || g.worker != s {
					return
				}
				slow := w.upTo(10 * time.Millisecond)
				if !w.calm && w.chance(.05) {
					slow = w.upTo(3 * time.Second)
				}
				w.after(slow, func() {
					if s.alive && !ended {
						n := len(w.committed[object])
						w.committed[object] = append(w.committed[object], commit{w.now, n + 1, g})
						end()
						if g.fated && g.alive {
							g.kill()
						}
					}
				})
			})
		})
		if !w.calm && w.chance(.02) { // it gives up, perhaps before it may commit
			w.after(w.upTo(3*time.Second), func() {
				if s.alive && !over && g.alive && len(w.committed[object]) >= 0 {
					g.giveUp(s)
				}
			})
		}
		g.soon(5*time.Millisecond, settle)
	})
}

// giveUp is a worker's end. What it has on its way at the database goes on until its session ends.
func (g *gateway) giveUp(s *session) {
	g.doubt++
	g.worker = nil
	w := g.w
	w.after(w.upTo(8*time.Second), func() {
		w.endSession(s)
		g.soon(10*time.Millisecond, func() { g.doubt-- })
	})
}

func (w *world) open(owner string) *session {
	s := &session{owner: owner, alive: true, end: func() {}}
	w.sessions = append(w.sessions, s)
	return s
}

func (w *world) endSession(s *session) {
	s.alive = false
	s.end()
	w.sessions = slices.DeleteFunc(w.sessions, func(other *session) bool { return other == s })
}

// endSessions ends all sessions of a gateway.
func (w *world) endSessions(owner string) {
	for _, s := range slices.Clone(w.sessions) {
		if s.owner == owner {
			w.endSession(s)
		}
	}
}

// ask reads an object: from the cache, where that may be, else from the database.
func (g *gateway) ask(object string) {
	w := g.w
	if !g.alive || g.paused > w.now {
		return
	}
	w.reads++
	began := w.now
	asked := g.clock()
	notBefore, ok := g.wrap.serve()
	look := func() {
		e, found := g.cache.entries[object]
		if ok && found && g.doubt == 0 && !e.asked.Before(notBefore) {
			w.hits++
			g.judge(object, e, began, notBefore.IsZero())
			return
		}
		if w.now < g.noDB {
			return
		}
		at, said := g.wrap.position()
		f := g.cache.begin(object, g.clock())
		_ = asked
		ask := func() {
			w.after(w.upTo(20*time.Millisecond), func() {
				version := w.latest(object, w.now+1)
				g.soon(20*time.Millisecond, func() {
					if g.cache.store(f, version) && said {
						w.share(object, shared{version, at, g.name})
					}
				})
			})
		}
		s := w.second[object]
		if len(s) == 0 || w.chance(.3) {
			ask()
			return
		}
		k := len(s) - 1 - int(w.upTo(time.Duration(len(s)))) // mostly the last, but it may have lost that
		g.soon(5*time.Millisecond, func() {
			if since, dropped, ok := g.wrap.since(s[k].at); ok && g.cache.take(f, s[k], since, dropped) {
				if s[k].by != g.name {
					w.taken++
				}
				return
			}
			ask()
		})
	}
	if w.chance(.05) {
		g.soon(50*time.Millisecond, look)
		return
	}
	look()
}

// share makes an answer one that others may take, sooner or later.
func (w *world) share(object string, s shared) {
	slow := 2 * time.Millisecond
	if !w.calm && w.chance(.1) {
		slow = 5 * time.Second
	}
	w.after(w.upTo(slow), func() {
		if w.now >= w.logDown {
			w.second[object] = append(w.second[object], s)
		}
	})
}

// judge compares a hit with what the database had when it was asked for.
func (g *gateway) judge(object string, e entry, began time.Duration, inStep bool) {
	w := g.w
	bound := g.node.o.MaxAge
	switch {
	case w.strict:
		bound = 0
	case inStep:
		bound = g.node.o.Lease
	}
	bound += bound / 20 // by a clock that runs slowly
	if want := w.latest(object, began-bound); e.version < want {
		w.fail("%s answers version %d of %s where %d was committed %v before", g.name, e.version, object, want, bound)
	}
	if own := w.latestBy(g, object); e.version < own && w.committed[object][own-1].at < began {
		w.fail("%s answers version %d of %s after its own worker wrote %d", g.name, e.version, object, own)
	}
}

func changesOf(object string) []change.Change {
	return []change.Change{{Class: "C", ObjectID: object, Kind: change.Update}}
}

// kill ends the process at once, and its worker. What is on its way at the database goes on for a while.
func (g *gateway) kill() {
	w := g.w
	g.alive = false
	w.remove(g)
	for _, s := range w.sessions {
		if s.owner == g.name {
			w.after(w.upTo(2*time.Second), func() { w.endSession(s) })
		}
	}
}

func (w *world) remove(g *gateway) {
	for i, other := range w.gateways {
		if other == g {
			w.gateways = append(w.gateways[:i:i], w.gateways[i+1:]...)
			return
		}
	}
}

// leave ends the process in order.
func (g *gateway) leave() {
	g.leaving = true
	var wait func()
	wait = func() {
		switch {
		case g.open > 0 || g.doubt > 0:
		case !g.node.Said() || !g.node.left.Load():
			g.node.Leave()
		default:
			g.alive = false
			g.w.remove(g)
			g.w.endSessions(g.name)
			return
		}
		g.soon(30*time.Millisecond, wait)
	}
	wait()
}
