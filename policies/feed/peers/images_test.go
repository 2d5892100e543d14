package peers

import (
	"fmt"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
)

// taken keeps the changes that reach the cache.
type taken struct{ changes []change.Change }

func (c *taken) Prepare(changes []change.Change) func() { c.changes = changes; return func() {} }

func (c *taken) Purge(string, string) int { return 0 }

// TestImages: the image before an own write is believed only if nothing that another gateway wrote unheard can be in it.
func TestImages(t *testing.T) {
	day := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	// An image as a write left it at a time of the day, in seconds, with a value.
	image := func(at float64, n any) *change.Image {
		when := day.Add(time.Duration(at * float64(time.Second)))
		return &change.Image{Fields: map[string]any{"updatedAt": query.Date{Time: when}, "n": n, "m": map[string]any{"a": 1.0, "b": "x"}}}
	}
	update := func(class, id string, before, after *change.Image) change.Change {
		return change.Change{Class: class, ObjectID: id, Kind: change.Update, Before: before, After: after}
	}
	x := func(before, after *change.Image) change.Change { return update("A", "x", before, after) }
	long := image(-3600, 0.0)
	type heard struct {
		own bool
		ch  change.Change
	}
	for _, test := range []struct {
		name     string
		heard    []heard
		change   change.Change
		believed bool
	}{
		{"it is old, and nobody told of it", nil, x(image(-61, 1.0), image(0, 2.0)), true},
		{"it is new, and nobody told of it", nil, x(image(-59, 1.0), image(0, 2.0)), false},
		{"another gateway told of it", []heard{{false, x(long, image(-1, 1.0))}}, x(image(-1, 1.0), image(0, 2.0)), true},
		{"it was an own write", []heard{{true, x(long, image(-1, 1.0))}}, x(image(-1, 1.0), image(0, 2.0)), true},
		{"another's write after an own one", []heard{{true, x(long, image(-2, 1.0))}}, x(image(-1, 2.0), image(0, 3.0)), false},
		{"another's write in the same millisecond as an own one", []heard{{true, x(long, image(-1, 1.0))}}, x(image(-1, 2.0), image(0, 3.0)), false},
		{"another's write that says it is old", []heard{{true, x(long, image(-1, 1.0))}}, x(image(-900, 2.0), image(0, 3.0)), false},
		{"another object was told of", []heard{{false, update("A", "y", long, image(-1, 1.0))}}, x(image(-1, 1.0), image(0, 2.0)), false},
		{"an older write is told of after a newer one", []heard{{true, x(long, image(-1, 2.0))}, {false, x(long, image(-2, 1.0))}}, x(image(-1, 2.0), image(0, 3.0)), false},
		{"null and a missing field are one", []heard{{false, x(long, &change.Image{Fields: map[string]any{"n": nil, "k": 1.0}})}}, x(&change.Image{Fields: map[string]any{"k": 1.0}}, image(0, 1.0)), true},
		{"what was heard left no image", []heard{{false, change.Change{Class: "A", ObjectID: "x", Kind: change.Delete, Before: long}}}, x(image(-900, 1.0), image(0, 2.0)), false},
		{"what was heard left a part of an image", []heard{{false, x(long, &change.Image{Partial: true})}}, x(&change.Image{Partial: true}, image(0, 2.0)), false},
		{"an old user, whose columns may be written without a new time", nil, update("_User", "u", image(-3600, 1.0), image(0, 2.0)), false},
		{"a user that was told of", []heard{{false, update("_User", "u", long, image(-3600, 1.0))}}, update("_User", "u", image(-3600, 1.0), image(0, 2.0)), true},
		{"no time is known", nil, x(&change.Image{Partial: true}, image(0, 1.0)), false},
		{"a row of a relation", nil, change.Change{Class: "_Join:users:_Role", Kind: change.Delete, Before: &change.Image{Fields: map[string]any{"owningId": "r", "relatedId": "u"}}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &taken{}
			i := NewImages(c, func() time.Time { return day })
			for _, h := range test.heard {
				if h.own {
					Own{i}.Prepare([]change.Change{h.ch})()
				} else {
					i.Prepare([]change.Change{h.ch})()
				}
			}
			changes := []change.Change{{Class: "A", ObjectID: "z", Kind: change.Create, After: long}, test.change}
			Own{i}.Prepare(changes)()
			if got := c.changes[1].Before != nil; got != test.believed {
				t.Errorf("believed: %v, want %v", got, test.believed)
			}
			if changes[1].Before == nil || (c.changes[1].After == nil) != (test.change.After == nil) || c.changes[0].After == nil {
				t.Error("more was taken out than the image before, or it was taken from the others, too")
			}
		})
	}
}

// TestImagesOverTime: what was heard is known until it is old enough to be believed by its age.
func TestImagesOverTime(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	c := &taken{}
	i := NewImages(c, func() time.Time { return now })
	last := &change.Image{Fields: map[string]any{"updatedAt": query.Date{Time: now}}}
	i.Prepare([]change.Change{{Class: "A", ObjectID: "x", Kind: change.Update, Before: last, After: last}})()
	for range 60 {
		now = now.Add(7 * time.Second)
		i.Prepare([]change.Change{{Class: "A", ObjectID: "y", Kind: change.Update, Before: last, After: last}})()
		if !i.believes(&change.Change{Class: "A", ObjectID: "x", Kind: change.Update, Before: last}) {
			t.Fatalf("%v: the image isn't believed any more", now)
		}
	}
}

// TestImagesAreBounded: what is remembered has its bounds, and beyond them nothing is believed that isn't known.
func TestImagesAreBounded(t *testing.T) {
	now := time.Unix(1_900_000_000, 0)
	c := &taken{}
	i := NewImages(c, func() time.Time { return now })
	write := func(id string) change.Change {
		image := &change.Image{Fields: map[string]any{"updatedAt": query.Date{Time: now}}}
		return change.Change{Class: "A", ObjectID: id, Kind: change.Update, Before: image, After: image}
	}
	for n := range maxRemembered + 10 {
		i.Prepare([]change.Change{write(fmt.Sprint(n))})()
	}
	if len(i.heard) != maxRemembered {
		t.Errorf("%d writes are remembered, want %d", len(i.heard), maxRemembered)
	}
	if (Own{i}).Prepare([]change.Change{write("1")})(); c.changes[0].Before == nil {
		t.Error("one that is remembered isn't believed")
	}
	if (Own{i}).Prepare([]change.Change{write(fmt.Sprint(maxRemembered + 5))})(); c.changes[0].Before != nil {
		t.Error("one that isn't remembered is believed")
	}
	for range 2 {
		now = now.Add(2*settledAfter + time.Second)
		i.Prepare(nil)()
	}
	if len(i.heard)+len(i.old) != 0 {
		t.Errorf("%d writes are remembered for ever", len(i.heard)+len(i.old))
	}
}
