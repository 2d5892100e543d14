package cache

import (
	"testing"
	"time"
)

// TestOldest: what was asked before the oldest time is neither served nor waited for, and is again when it may be.
func TestOldest(t *testing.T) {
	now := time.Unix(1000, 0)
	var oldest time.Time
	c := New(Options{Clock: func() time.Time { return now }, Oldest: func() time.Time { return oldest }})
	put(t, c, "a", get("C", "a"))
	rights := func() bool { return c.Rights(key("token")) != nil }
	store := func() {
		t.Helper()
		f, leader := c.Begin(key("asked"), get("C", "a"))
		if !leader || !f.StoreRights(key("token"), "user", dependsOn(t, "_Session:s"), now.Add(time.Hour), time.Time{}) {
			t.Fatal("the rights aren't stored")
		}
		f.Abandon()
	}
	store()
	waits, _ := c.Begin(key("b"), get("C", "b"))
	defer waits.Abandon()
	check := func(want bool) {
		t.Helper()
		if _, ok := c.Get(key("a")); ok != want {
			t.Errorf("served: %v", ok)
		}
		if _, ok := c.Stale(key("a"), time.Hour); ok != want {
			t.Errorf("served for want of a worker: %v", ok)
		}
		if rights() != want {
			t.Errorf("rights are known: %v", !want)
		}
	}
	check(true)
	oldest = now // as old as may be
	check(true)
	now = now.Add(time.Minute)
	oldest = now.Add(-time.Second)
	check(false)
	if f, leader := c.Begin(key("b"), get("C", "b")); !leader {
		t.Error("an old fill is joined")
	} else {
		f.Abandon()
	}
	store()
	if !rights() {
		t.Error("rights that a worker has just told are not known")
	}
	oldest = time.Time{}
	check(true)
}
