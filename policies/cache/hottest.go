package cache

import (
	"cmp"
	"slices"
	"time"

	"github.com/parsescale/parsescale/server/query"
)

// Hot is a stored answer as an operator sees it: without the values that were asked for.
type Hot struct {
	// Class is the class asked for; ObjectID the object, of a get.
	Class    string `json:"class"`
	ObjectID string `json:"object_id,omitempty"`
	// Where is the shape of what a find asks.
	Where string `json:"where,omitempty"`
	// Hits is how often the entry was served.
	Hits uint64 `json:"hits"`
	// Bytes is its memory, that of the index included.
	Bytes int64 `json:"bytes"`
	// DependsOn is how many objects, classes and wheres it depends on.
	DependsOn int       `json:"depends_on"`
	Stored    time.Time `json:"stored"`
	// Expires is absent where only a change ends it.
	Expires *time.Time `json:"expires,omitempty"`
}

// Hottest returns up to n stored answers, those that were served most often first.
func (c *Cache) Hottest(n int) []Hot {
	type counted struct {
		node *node
		hits uint64
	}
	var all []counted
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for _, n := range s.lru.Values() {
			if n.rights == nil {
				all = append(all, counted{n, n.hits})
			}
		}
		s.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b counted) int { return cmp.Compare(b.hits, a.hits) })
	hot := make([]Hot, 0, min(max(n, 0), len(all)))
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range all {
		if len(hot) == cap(hot) {
			break
		}
		if a.node.stored { // it may be gone meanwhile
			h := a.node.describe()
			h.Hits = a.hits
			hot = append(hot, h)
		}
	}
	return hot
}

// describe tells of a stored node. The lock is held.
func (n *node) describe() Hot {
	h := Hot{Bytes: n.size, DependsOn: len(n.edges), Stored: n.entry.Stored}
	if !n.entry.Expires.IsZero() {
		expires := n.entry.Expires
		h.Expires = &expires
	}
	switch {
	case len(n.asks) > 0 && n.edges[0].dep.part == asked: // else the question itself isn't among them: it became any change
		h.Class, h.Where = n.asks[0].class, string(query.AppendShape(nil, n.asks[0].where))
	case len(n.edges) > 0:
		h.Class, h.ObjectID = n.edges[0].dep.class, n.edges[0].dep.id
	}
	return h
}
