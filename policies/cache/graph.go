package cache

import (
	"strings"
	"time"

	"github.com/parsescale/parsescale/server/query"
)

// part says how an entry depends on a class.
type part uint8

const (
	object   part = iota // on one object, by its id
	owner                // on the members of one owner's relation: rows of a join class, by owningId
	related              // on who has one object as a member: rows of a join class, by relatedId
	visible              // on whether one object can be read
	anything             // on any change of the class
	asked                // on whether a change may alter what a where of the class finds
	whole                // no dependency, but a change: of everything in the class
)

// subject is what an entry can depend on, and what a change touches.
type subject struct {
	class, id string
	part      part
}

// node is what the index knows of one answer: a fill under way, or a stored entry.
type node struct {
	key    Key
	entry  *Entry
	flight *flight   // nil once it is stored
	window *window   // nil: what the where finds is shown as a whole, or may be
	rights *Rights   // of a session token, in place of an answer; nil: it is an answer
	asked  time.Time // when its question was; under its shard's lock once it is stored
	stored bool
	broad  bool   // one of its wheres isn't among asks, but a dependency on any change of its class
	hits   uint64 // under its shard's lock
	sum    uint64 // fingerprint of the answer, or of the rights
	edges  []edge
	asks   []ask
	size   int64  // bytes charged for it
	packed int64  // those of them that bodies in content codings have
	mark   uint64 // the invalidation that last found it
}

// ask is a where of a class whose result an answer depends on.
type ask struct {
	class string
	where query.Expr
	// also are fields that decide, beside those of the where, what is made of the objects: they are sorted by them, or
	// values of them are what is asked for.
	also []string
}

// dep is a subject that nodes depend on. Its references and the nodes' edges know each other's places, so that either
// is removed in constant time.
type dep struct {
	subject
	at   int // place in class.deps
	refs []ref
	mark uint64 // the node that was last attached
}

type ref struct {
	node *node
	edge int // place in node.edges
}

type edge struct {
	dep *dep
	ref int // place in dep.refs
}

// class has what nodes depend on in one class.
type class struct {
	name  string
	deps  []*dep
	index query.Index[*node]
}

// graph joins nodes and what they depend on, in both directions. bytes is the memory of all nodes, their entries
// included, and of the graph itself.
type graph struct {
	classes map[string]*class
	deps    map[subject]*dep
	bytes   int64
	marks   uint64
	// scanned is the number of wheres that every change of their class is matched against, broad counts those that became a
	// dependency on all of the class instead.
	scanned int
	broad   uint64
}

// maxScanned bounds the wheres of a class that the index can't find by a value of a changed object, such as those that ask
// for nothing but $ne. It bounds what a change costs; further ones depend on any change of the class.
const maxScanned = 1000

func (g *graph) init() {
	*g = graph{classes: map[string]*class{}, deps: map[subject]*dep{}, marks: g.marks, broad: g.broad}
}

// charge adds to the memory a node answers for.
func (g *graph) charge(n *node, size int64) {
	n.size += size
	g.bytes += size
}

// attach makes a node depend on a subject. Within one round, which begin starts, doing so twice is doing it once.
func (g *graph) attach(n *node, round uint64, s subject) {
	d := g.deps[s]
	if d == nil {
		s.id = strings.Clone(s.id) // it may be part of a long text
		d = g.add(s)
	}
	g.link(n, round, d)
}

// attachBytes is attach for an object whose name is copied only if it is new.
func (g *graph) attachBytes(n *node, round uint64, class, id []byte) {
	d := g.deps[subject{string(class), string(id), object}]
	if d == nil {
		d = g.add(subject{string(class), string(id), object})
	}
	g.link(n, round, d)
}

func (g *graph) add(s subject) *dep {
	cl := g.classes[s.class]
	if cl == nil {
		cl = &class{name: strings.Clone(s.class)}
		g.classes[cl.name] = cl
		g.bytes += classSize + int64(len(cl.name))
	}
	s.class = cl.name
	d := &dep{subject: s, at: len(cl.deps)}
	cl.deps = append(cl.deps, d)
	g.deps[s] = d
	g.bytes += d.size()
	return d
}

func (g *graph) link(n *node, round uint64, d *dep) {
	if d.mark == round {
		return
	}
	d.mark = round
	d.refs = append(d.refs, ref{n, len(n.edges)})
	n.edges = append(n.edges, edge{d, len(d.refs) - 1})
	g.charge(n, edgeSize)
}

// depend makes a node depend on what its answer told.
func (g *graph) depend(n *node, d *Dependencies) {
	// The index doesn't tell which of several wheres it came upon, and the only one that it has may be an inner one.
	if d.window != nil && len(n.asks) == 1 && !n.broad {
		n.window = d.window
		g.charge(n, n.window.size())
	}
	round := g.begin()
	for i := range d.refs {
		g.attachBytes(n, round, d.refs[i].class, d.refs[i].id)
	}
	for _, class := range d.classes {
		g.attach(n, round, subject{class, "", anything})
	}
}

// begin starts a round of attaching.
func (g *graph) begin() uint64 {
	g.marks++
	return g.marks
}

// ask makes a node depend on what a where finds.
func (g *graph) ask(n *node, round uint64, a ask) {
	if cl := g.classes[a.class]; cl != nil && cl.index.Scanned() >= maxScanned && !query.Selective(a.where) {
		g.attach(n, round, subject{a.class, "", anything})
		g.broad++
		n.broad = true
		return
	}
	g.attach(n, round, subject{a.class, "", asked})
	index := &g.classes[a.class].index
	g.scanned -= index.Scanned()
	index.Add(a.where, n)
	g.scanned += index.Scanned()
	n.asks = append(n.asks, a)
	g.charge(n, askSize(a.where))
}

// detach takes a node out of the graph.
func (g *graph) detach(n *node) {
	for _, a := range n.asks {
		index := &g.classes[a.class].index
		g.scanned -= index.Scanned()
		index.Remove(a.where, n)
		g.scanned += index.Scanned()
	}
	for _, e := range n.edges {
		last := len(e.dep.refs) - 1
		moved := e.dep.refs[last]
		e.dep.refs[e.ref] = moved
		moved.node.edges[moved.edge].ref = e.ref
		e.dep.refs[last] = ref{}
		if e.dep.refs = e.dep.refs[:last]; last == 0 {
			g.remove(e.dep)
		}
	}
	g.bytes -= n.size
	n.forget()
}

// remove takes out a subject that nothing depends on any more.
func (g *graph) remove(d *dep) {
	delete(g.deps, d.subject)
	g.bytes -= d.size()
	cl := g.classes[d.class]
	last := len(cl.deps) - 1
	cl.deps[last].at = d.at
	cl.deps[d.at] = cl.deps[last]
	cl.deps[last] = nil
	if cl.deps = cl.deps[:last]; last == 0 {
		delete(g.classes, d.class)
		g.bytes -= classSize + int64(len(d.class))
	}
}

// forget empties a node that is out of the graph, so that whoever still holds it doesn't hold all the rest.
func (n *node) forget() { n.edges, n.asks, n.size, n.packed = nil, nil, 0, 0 }

// each calls f for every node of the graph, some more than once.
func (g *graph) each(f func(*node)) {
	for _, d := range g.deps {
		for _, r := range d.refs {
			f(r.node)
		}
	}
}
