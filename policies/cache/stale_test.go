package cache

import (
	"testing"
	"time"
)

func TestStale(t *testing.T) {
	const ttl, past = time.Minute, 30 * time.Second
	for _, tt := range []struct {
		name   string
		until  time.Duration // by the worker's word; 0: none
		then   func(c *Cache, now *clock)
		served bool // by Get
		stale  bool // by Stale
		kept   bool // in memory after both were asked
	}{
		{"fresh", 0, func(*Cache, *clock) {}, true, true, true},
		{"just expired", 0, func(_ *Cache, now *clock) { now.t = now.t.Add(ttl) }, false, true, true},
		{"nearly too old", 0, func(_ *Cache, now *clock) { now.t = now.t.Add(ttl + past - 1) }, false, true, true},
		{"too old", 0, func(_ *Cache, now *clock) { now.t = now.t.Add(ttl + past) }, false, false, false},
		{"good for no longer by the worker's word", ttl + 10*time.Second, func(_ *Cache, now *clock) { now.t = now.t.Add(ttl + 10*time.Second) }, false, false, false},
		{"good by the worker's word", ttl + 10*time.Second, func(_ *Cache, now *clock) { now.t = now.t.Add(ttl + 5*time.Second) }, false, true, true},
		{"dropped by a change", 0, func(c *Cache, _ *clock) { apply(c, update("Game", "a", fields{}, fields{"n": 1.0})) }, false, false, false},
		{"dropped by a change after it expired", 0, func(c *Cache, now *clock) {
			now.t = now.t.Add(ttl + 1)
			c.Get(key("k"))
			apply(c, update("Game", "a", fields{}, fields{"n": 1.0}))
		}, false, false, false},
		{"superseded", 0, func(c *Cache, now *clock) {
			now.t = now.t.Add(ttl + 1)
			c.DropExpired(key("other"), key("k"))
		}, false, false, false},
		{"not superseded while it is fresh", 0, func(c *Cache, _ *clock) { c.DropExpired(key("k")) }, true, true, true},
		{"no longer wanted", 0, func(c *Cache, now *clock) {
			now.t = now.t.Add(ttl + 1)
			c.SetStale(0)
		}, false, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := newClock()
			c := New(Options{Clock: now.now})
			c.SetStale(past)
			e := entry("k")
			e.Expires = now.t.Add(ttl)
			if tt.until > 0 {
				e.Until = now.t.Add(tt.until)
			}
			f, _ := c.Begin(key("k"), get("Game", "a"))
			if !f.Store(e, Dependencies{}) {
				t.Fatal("not stored")
			}
			tt.then(c, now)
			if _, stale := c.Stale(key("k"), past); stale != tt.stale {
				t.Errorf("stale: %v, want %v", stale, tt.stale)
			}
			if _, ok := c.Get(key("k")); ok != tt.served {
				t.Errorf("served: %v, want %v", ok, tt.served)
			}
			if kept := c.Stats().Entries == 1; kept != tt.kept {
				t.Errorf("kept: %v, want %v", kept, tt.kept)
			}
			if !tt.kept {
				checkEmpty(t, c)
			}
		})
	}
}

func TestStaleRights(t *testing.T) {
	for _, tt := range []struct {
		name string
		then func(c *Cache, now *clock)
		has  bool
	}{
		{"to be asked again", func(*Cache, *clock) {}, true},
		{"too old", func(_ *Cache, now *clock) { now.t = now.t.Add(time.Minute) }, false},
		{"the session has ended by itself", func(_ *Cache, now *clock) { now.t = now.t.Add(20 * time.Second) }, false},
		{"the session was deleted", func(c *Cache, _ *clock) { apply(c, remove("_Session", "s", fields{})) }, false},
		{"roles changed", func(c *Cache, _ *clock) { apply(c, update("_Role", "r", fields{}, fields{"n": 1.0})) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := newClock()
			c := New(Options{Clock: now.now})
			c.SetStale(30 * time.Second)
			f, _ := c.Begin(key("k"), get("Game", "a"))
			defer f.Abandon()
			if !f.StoreRights(key("token"), "ann", dependsOn(t, "_Session:s _User:u _Role"), now.t.Add(time.Minute), now.t.Add(80*time.Second)) {
				t.Fatal("not stored")
			}
			rights := c.Rights(key("token"))
			now.t = now.t.Add(time.Minute)
			if c.Rights(key("token")) != nil {
				t.Fatal("they count although they have to be asked again")
			}
			tt.then(c, now)
			got := c.StaleRights(key("token"), 30*time.Second)
			if (got == rights && got.Current()) != tt.has {
				t.Errorf("rights %v, want them: %v", got, tt.has)
			}
		})
	}
}
