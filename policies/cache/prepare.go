package cache

import (
	"strings"
	"sync"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
)

// Prepare applies changes that are about to be committed: when it returns, no entry they may affect is served any more,
// and no answer on its way that they may affect will be stored. Until finish is called, answers that they may affect
// are neither stored nor shared. finish may be called more than once; only the first call counts.
//
// A change of a known object affects an entry if its before- or its after-image satisfies, or may satisfy, a where that
// the entry depends on, if an image that should be there is missing, or if the entry depends on the object by its id. A
// Schema or Purge change affects all that depends on the class in any way; one without a class affects everything.
//
// The changes belong to the cache. It implements feed.Applier.
func (c *Cache) Prepare(changes []change.Change) (finish func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.invalidate(changes)
	p := c.hold(changes)
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.finish(p)
	})
}

// invalidate drops every entry the changes may affect, and marks such fills. It returns the number of entries. The
// lock is held.
func (c *Cache) invalidate(changes []change.Change) (dropped int) {
	c.serial++
	c.stats.Changes += uint64(len(changes))
	began := c.options.Clock()
	f := finder{graph: &c.graph, round: c.graph.begin()}
	f.visit = f.asked
	for i := range changes {
		if changes[i].Class == "" {
			return c.flush()
		}
		f.find(&changes[i])
	}
	c.stats.Matching.took(c.options.Clock().Sub(began))
	for _, found := range f.found {
		n := found.node
		if fl := n.flight; fl != nil {
			fl.dirty = true
			if c.flights[n.key] == fl {
				delete(c.flights, n.key)
			}
			c.graph.detach(n)
			continue
		}
		if c.drop(n) {
			c.dropped(n, found.why)
			dropped++
		}
	}
	c.stats.Invalidations += uint64(dropped)
	c.evict(0, nil) // for what is remembered of them
	return dropped
}

// finder collects the nodes that changes affect, each once.
type finder struct {
	graph *graph
	round uint64
	found []finding
	doc   document
	visit func(*node)
	ch    *change.Change // the one that is looked at
	touch *touch         // what it alters; nil until somebody asks
}

// finding is a node that changes affect, and why.
type finding struct {
	node *node
	why  reason
}

func (f *finder) add(n *node, why reason) {
	if n.mark != f.round {
		n.mark = f.round
		f.found = append(f.found, finding{n, why})
	}
}

// asked is told of a node with a where that finds the object of the change, or may find it, before or after.
func (f *finder) asked(n *node) {
	if n.mark == f.round || f.passes(n) || n.window != nil && n.window.keeps(n.asks[0].where, f.ch, f.altered()) {
		return
	}
	f.add(n, byWhere)
}

// altered is what the change alters. Comparing the images takes its time, and most changes concern nobody.
func (f *finder) altered() *touch {
	if f.touch == nil {
		t := touchOf(f.ch)
		f.touch = &t
	}
	return f.touch
}

// passes reports whether the change alters nothing that the wheres of a node look at.
func (f *finder) passes(n *node) bool {
	for i := range n.asks {
		if a := &n.asks[i]; a.class == f.ch.Class && !f.altered().passes(a) {
			return false
		}
	}
	return true
}

func (f *finder) dep(s subject, why reason) {
	if d := f.graph.deps[s]; d != nil {
		f.all(d, why)
	}
}

func (f *finder) all(d *dep, why reason) {
	for _, r := range d.refs {
		f.add(r.node, why)
	}
}

func (f *finder) find(ch *change.Change) {
	cl := f.graph.classes[ch.Class]
	if cl == nil {
		return
	}
	if touchesWhole(ch) {
		for _, d := range cl.deps {
			f.all(d, byWhole)
		}
		return
	}
	f.ch, f.touch = ch, nil
	f.dep(subject{ch.Class, "", anything}, byClass)
	if own, rel, ok := joinIDs(ch); ok {
		f.dep(subject{ch.Class, own, owner}, byRelation)
		f.dep(subject{ch.Class, rel, related}, byRelation)
	} else {
		f.dep(subject{ch.Class, ch.ObjectID, object}, byObject)
		if d := f.graph.deps[subject{ch.Class, ch.ObjectID, visible}]; d != nil && f.altered().mayHide() {
			f.all(d, byOwner)
		}
	}
	switch {
	case cl.index.Len() == 0:
	case imageMissing(ch):
		f.dep(subject{ch.Class, "", asked}, byUntold)
	default: // those that show the object are found by now
		for _, i := range [...]*change.Image{ch.Before, ch.After} {
			if i != nil {
				f.doc = document{i, ch.ObjectID}
				cl.index.Each(&f.doc, f.visit)
			}
		}
	}
}

// document is an image as a where sees it.
type document struct {
	image *change.Image
	id    string
}

// Field implements query.Document.
func (d *document) Field(name string) (value any, known bool) {
	value, known = d.image.Field(name)
	if value != nil {
		return value, known
	}
	switch name {
	case "objectId":
		return d.id, d.id != ""
	case "authData": // one secret column per provider, none of this name
		return nil, false
	}
	return value, known
}

// imageMissing reports whether the change doesn't tell an image that it should.
func imageMissing(ch *change.Change) bool {
	switch ch.Kind {
	case change.Create:
		return ch.After == nil
	case change.Delete:
		return ch.Before == nil
	}
	return ch.Before == nil || ch.After == nil
}

// mayMatch reports whether a change may alter what a where of its class finds.
func mayMatch(where query.Expr, ch *change.Change) bool {
	if imageMissing(ch) {
		return true
	}
	for _, i := range [...]*change.Image{ch.Before, ch.After} {
		if i != nil && query.Match(where, &document{i, ch.ObjectID}) != query.No {
			return true
		}
	}
	return false
}

// touchesWhole reports whether a change concerns everything in its class, or doesn't say what it concerns.
func touchesWhole(ch *change.Change) bool {
	switch ch.Kind {
	case change.Create, change.Update, change.Delete:
	default:
		return true
	}
	if strings.HasPrefix(ch.Class, joinPrefix) {
		_, _, ok := joinIDs(ch)
		return !ok
	}
	return ch.ObjectID == ""
}

// joinIDs returns both ends of the row of a join class that a change is about.
func joinIDs(ch *change.Change) (owningID, relatedID string, ok bool) {
	if !strings.HasPrefix(ch.Class, joinPrefix) || ch.Kind == change.Update {
		return "", "", false
	}
	image := ch.After
	if ch.Kind == change.Delete {
		image = ch.Before
	}
	if image == nil {
		return "", "", false
	}
	owningID, _ = image.Fields["owningId"].(string)
	relatedID, _ = image.Fields["relatedId"].(string)
	return owningID, relatedID, owningID != "" && relatedID != ""
}
