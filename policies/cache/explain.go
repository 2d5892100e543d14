package cache

import (
	"fmt"
	"slices"

	"github.com/parsescale/parsescale/server/query"
)

// Explanation says what the cache knows of a question.
type Explanation struct {
	// Key is the fingerprint under which the answer is kept, in hexadecimal.
	Key string `json:"key"`
	// Entry is the stored answer; absent if there is none.
	Entry *Hot `json:"entry,omitempty"`
	// Filling: a worker is being asked, and others may wait for its answer.
	Filling bool `json:"filling"`
	// Changing: a change that isn't finished may touch the answer, so it is neither stored nor shared.
	Changing bool `json:"changing"`
	// Storable: what the answer depends on can be told.
	Storable bool `json:"storable"`
	// DependsOn is what a change has to touch to drop the answer: of the stored one, or as far as the question tells.
	DependsOn []string `json:"depends_on"`
}

// maxExplained bounds how many dependencies are spelt out.
const maxExplained = 100

// Explain tells of the question with the first of the keys; its answer may be stored under any of them. Values that are
// asked for aren't shown, ids of objects are. It counts as no look-up.
func (c *Cache) Explain(r Reading, keys ...Key) Explanation {
	x := Explanation{Key: fmt.Sprintf("%016x%016x", keys[0].Hi, keys[0].Lo), DependsOn: []string{}}
	p := r.plan()
	c.mu.Lock()
	defer c.mu.Unlock()
	x.Storable, x.Filling, x.Changing = !p.unstorable, slices.ContainsFunc(keys, func(k Key) bool { return c.flights[k] != nil }), c.open.touches(&p)
	for _, k := range keys {
		s := c.shard(k)
		s.mu.Lock()
		n, _ := s.lru.Peek(k)
		if n == nil || !n.entry.Expires.IsZero() && !c.options.Clock().Before(n.entry.Expires) {
			s.mu.Unlock()
			continue
		}
		h := n.describe()
		h.Hits = n.hits
		s.mu.Unlock()
		x.Entry = &h
		for _, a := range n.asks {
			x.dependsOn(a.String())
		}
		for _, e := range n.edges {
			if e.dep.part != asked {
				x.dependsOn(e.dep.subject.String())
			}
		}
		return x
	}
	for _, a := range p.asks {
		x.dependsOn(a.String())
	}
	for _, s := range p.subjects {
		x.dependsOn(s.String())
	}
	return x
}

func (x *Explanation) dependsOn(what string) {
	switch {
	case len(x.DependsOn) < maxExplained:
		x.DependsOn = append(x.DependsOn, what)
	case len(x.DependsOn) == maxExplained:
		x.DependsOn = append(x.DependsOn, "and more")
	}
}

func (a ask) String() string {
	return a.class + " where " + string(query.AppendShape(nil, a.where))
}

func (s subject) String() string {
	switch s.part {
	case object:
		return s.class + " object " + s.id
	case visible:
		return s.class + " object " + s.id + " being readable"
	case owner:
		return s.class + " members of " + s.id
	case related:
		return s.class + " owners of " + s.id
	}
	return s.class + " any change"
}
