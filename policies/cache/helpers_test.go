package cache

import (
	"encoding/binary"
	"hash/fnv"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
)

// key makes a key of a name.
func key(name string) Key {
	h := fnv.New128a()
	h.Write([]byte(name))
	sum := h.Sum(nil)
	return Key{Hi: binary.BigEndian.Uint64(sum), Lo: binary.BigEndian.Uint64(sum[8:]), Len: uint32(len(name))}
}

// where parses a where, which must be valid.
func where(t testing.TB, text string) query.Expr {
	t.Helper()
	if text == "" {
		return nil
	}
	e, err := query.ParseWhere([]byte(text), query.Limits{})
	if err != nil {
		t.Fatalf("where %s: %v", text, err)
	}
	return e
}

// find is the reading of a find without parameters but where.
func find(t testing.TB, class, text string) Reading {
	t.Helper()
	return Reading{Class: class, Query: &query.Query{Class: class, Where: where(t, text), Limit: -1}, Level: Exact}
}

func get(class, id string) Reading {
	return Reading{Class: class, ObjectID: id, Query: &query.Query{Class: class, Limit: -1}, Level: Exact}
}

// entry makes an entry that never expires.
func entry(body string) *Entry { return &Entry{Status: 200, Body: []byte(body)} }

// put fills a key with an answer that shows objects, given as "Class:id", or depends on classes, given as "Class".
func put(t testing.TB, c *Cache, name string, r Reading, depends ...string) {
	t.Helper()
	f, leader := c.Begin(key(name), r)
	if !leader {
		t.Fatalf("%s: not the leader", name)
	}
	if !f.Store(entry(name), dependsOn(t, depends...)) {
		t.Fatalf("%s: not stored", name)
	}
}

func dependsOn(t testing.TB, items ...string) Dependencies {
	t.Helper()
	var d Dependencies
	for _, item := range items {
		r, ok := ParseReads(item)
		if !ok {
			t.Fatalf("cannot parse %q", item)
		}
		d.Add(r)
	}
	return d
}

func has(c *Cache, name string) bool {
	e, ok := c.Get(key(name))
	return ok && string(e.Body) == name
}

// apply prepares and finishes changes.
func apply(c *Cache, changes ...change.Change) { c.Prepare(changes)() }

type fields = map[string]any

func image(id string, f fields) *change.Image {
	if f == nil {
		return nil
	}
	all := fields{"objectId": id}
	for k, v := range f {
		all[k] = v
	}
	return change.NewImage("Game", all)
}

func create(class, id string, after fields) change.Change {
	return change.Change{Class: class, ObjectID: id, Kind: change.Create, After: image(id, after)}
}

func update(class, id string, before, after fields) change.Change {
	return change.Change{Class: class, ObjectID: id, Kind: change.Update, Before: image(id, before), After: image(id, after)}
}

func remove(class, id string, before fields) change.Change {
	return change.Change{Class: class, ObjectID: id, Kind: change.Delete, Before: image(id, before)}
}

func join(kind change.Kind, class, owning, relatedID string) change.Change {
	i := &change.Image{Fields: fields{"owningId": owning, "relatedId": relatedID}}
	if kind == change.Delete {
		return change.Change{Class: class, Kind: kind, Before: i}
	}
	return change.Change{Class: class, Kind: kind, After: i}
}

// clock is a clock that the test sets.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newClock() *clock { return &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

// checkEmpty fails if the cache holds memory for nothing.
func checkEmpty(t testing.TB, c *Cache) {
	t.Helper()
	s := c.Stats()
	if s.Entries != 0 || s.Bytes != c.lost.size() || s.Filling != 0 || len(c.graph.deps) != 0 || len(c.graph.classes) != 0 {
		t.Errorf("an empty cache holds %d entries, %d bytes, %d fills, %d subjects, %d classes", s.Entries, s.Bytes, s.Filling, len(c.graph.deps), len(c.graph.classes))
	}
	if s.OpenPrepares == 0 && len(c.open.touched) != 0 {
		t.Errorf("nothing is open, but %d subjects count as touched", len(c.open.touched))
	}
}
