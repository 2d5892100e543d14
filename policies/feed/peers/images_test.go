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
	image := func(seconds float64) *change.Image {
		at := day.Add(time.Duration(seconds * float64(time.Second)))
		return &change.Image{Fields: map[string]any{"updatedAt": query.Date{Time: at}, "n": seconds}}
	}
	update := func(id string, before, after float64) change.Change {
		return change.Change{Class: "A", ObjectID: id, Kind: change.Update, Before: image(before), After: image(after)}
	}
	type heard struct {
		own bool
		ch  change.Change
		at  float64
	}
	for _, test := range []struct {
		name    string
		heard   []heard
		change  change.Change
		at      float64 // when, in seconds of the day
		trusted bool
	}{
		{"what it was before is old", nil, update("x", -11, 0), 0, true},
		{"what it was before is new, and nobody told of it", nil, update("x", -1, 0), 0, false},
		{"another gateway told of it", []heard{{false, update("x", -9, -1), -0.5}}, update("x", -1, 0), 0, true},
		{"it was an own write", []heard{{true, update("x", -9, -1), -1}}, update("x", -1, 0), 0, true},
		{"an own write, and another's after it", []heard{{true, update("x", -9, -2), -2}}, update("x", -1, 0), 0, false},
		{"another one told of another object", []heard{{false, update("y", -9, -1), -0.5}}, update("x", -1, 0), 0, false},
		{"an older write is told of late", []heard{{false, update("x", -3, -1), -0.5}, {false, update("x", -9, -3), -0.4}}, update("x", -1, 0), 0, true},
		{"it was told of some time ago", []heard{{false, update("x", -40, -9), -8.9}, {false, update("y", -9, 11), 11.5}}, update("x", -9, 0), 0, true},
		{"no time is known", nil, change.Change{Class: "A", ObjectID: "x", Kind: change.Update, Before: &change.Image{Partial: true}, After: image(0)}, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := day
			c := &taken{}
			i := NewImages(c, func() time.Time { return now })
			for _, h := range test.heard {
				now = day.Add(time.Duration(h.at * float64(time.Second)))
				if h.own {
					Own{i}.Prepare([]change.Change{h.ch})()
				} else {
					i.Prepare([]change.Change{h.ch})()
				}
			}
			now = day.Add(time.Duration(test.at * float64(time.Second)))
			changes := []change.Change{{Class: "A", ObjectID: "z", Kind: change.Create, After: image(0)}, test.change}
			Own{i}.Prepare(changes)()
			if got := c.changes[1].Before != nil; got != test.trusted {
				t.Errorf("trusted: %v, want %v", got, test.trusted)
			}
			if changes[1].Before == nil || c.changes[1].After == nil || c.changes[0].After == nil {
				t.Error("more was taken out than the image before, or it was taken from the others, too")
			}
		})
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
	now = now.Add(time.Minute)
	i.Prepare(nil)()
	now = now.Add(time.Minute)
	i.Prepare(nil)()
	if len(i.heard)+len(i.old) != 0 {
		t.Errorf("%d writes are remembered for ever", len(i.heard)+len(i.old))
	}
}
