package cache

import (
	"reflect"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/change"
)

func TestChecksAreBounded(t *testing.T) {
	var k Checks
	if k.Begin(false, time.Second) {
		t.Error("a check began while the workers were busy")
	}
	for i := range maxChecks {
		if !k.Begin(true, 0) {
			t.Fatalf("check %d didn't begin", i)
		}
	}
	if k.Begin(true, 2*time.Second) {
		t.Error("too many checks are under way")
	}
	k.End(Same, 0)
	if !k.Begin(true, 0) {
		t.Error("no check begins after one ended")
	}
	k.End(Different, 10*time.Minute+1)
	k.End(Undecided, 1000*time.Hour)
	want := CheckCounts{"skipped": {"1s": 1, "5s": 1}, "same": {"1s": 1}, "different": {"1h": 1}, "undecided": {"older": 1}}
	if got := k.Counts(); !reflect.DeepEqual(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// TestHolds has an entry compared with what is stored: only the very entry that was served counts.
func TestHolds(t *testing.T) {
	for _, tt := range []struct {
		name  string
		then  func(t *testing.T, c *Cache, now *clock)
		holds bool
	}{
		{"nothing happens", func(*testing.T, *Cache, *clock) {}, true},
		{"another object changes", func(_ *testing.T, c *Cache, _ *clock) { apply(c, update("Game", "b", fields{}, fields{"n": 1.0})) }, true},
		{"its object changes", func(_ *testing.T, c *Cache, _ *clock) { apply(c, update("Game", "a", fields{}, fields{"n": 1.0})) }, false},
		{"a change of its object is open", func(_ *testing.T, c *Cache, _ *clock) {
			c.Prepare([]change.Change{update("Game", "a", fields{}, fields{"n": 1.0})})
		}, false},
		{"it is stored anew", func(t *testing.T, c *Cache, _ *clock) { put(t, c, "k", get("Game", "a")) }, false},
		{"it expires", func(_ *testing.T, _ *Cache, now *clock) { now.t = now.t.Add(time.Minute) }, false},
		{"everything is dropped", func(_ *testing.T, c *Cache, _ *clock) { c.Purge("", "") }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := newClock()
			c := New(Options{Clock: now.now})
			f, _ := c.Begin(key("k"), get("Game", "a"))
			e := entry("k")
			e.Expires = now.t.Add(time.Minute)
			if !f.Store(e, Dependencies{}) {
				t.Fatal("not stored")
			}
			e, _ = c.Get(key("k"))
			tt.then(t, c, now)
			if got := c.Holds(key("k"), e); got != tt.holds {
				t.Errorf("holds: %v, want %v", got, tt.holds)
			}
			if tt.holds && (!c.Discard(key("k"), e) || c.Discard(key("k"), e)) {
				t.Error("it isn't dropped once")
			}
			if _, ok := c.Get(key("k")); tt.holds && ok {
				t.Error("it is served after it was dropped")
			}
		})
	}
}
