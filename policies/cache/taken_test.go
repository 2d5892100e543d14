package cache

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/change"
)

func taking(o Options) *Cache {
	c := New(o)
	c.SetTaking(true)
	return c
}

// TestTake takes an answer that was given when the cache had finished one change, after further ones.
func TestTake(t *testing.T) {
	far := create("Game", "g9", fields{"score": 9.0})
	q := find(t, "Game", `{"score":7}`)
	token := find(t, "Game", `{"score":7}`)
	token.Level = Fenced
	for _, tt := range []struct {
		name    string
		reading Reading
		depends []string
		later   func(c *Cache)
		taken   bool
	}{
		{"nothing since", q, nil, func(*Cache) {}, true},
		{"a change of something else", q, []string{"Game:g1"}, func(c *Cache) { apply(c, far) }, true},
		{"a match", q, nil, func(c *Cache) { apply(c, create("Game", "g2", fields{"score": 7.0})) }, false},
		{"a match that was undone", q, nil, func(c *Cache) {
			apply(c, create("Game", "g2", fields{"score": 7.0}))
			apply(c, remove("Game", "g2", fields{"score": 7.0}))
		}, false},
		{"an object that is shown", q, []string{"Game:g1"}, func(c *Cache) { apply(c, update("Game", "g1", fields{"score": 1.0}, fields{"score": 2.0})) }, false},
		{"a class that was read", q, []string{"Post"}, func(c *Cache) { apply(c, create("Post", "p", fields{})) }, false},
		{"the object that was asked for", get("Game", "g1"), nil, func(c *Cache) { apply(c, remove("Game", "g1", fields{})) }, false},
		{"the schema", q, nil, func(c *Cache) { apply(c, change.Change{Class: "Game", Kind: change.Schema}) }, false},
		{"everything", q, nil, func(c *Cache) { apply(c, change.Change{Kind: change.Purge}) }, false},
		{"a match that is open", q, nil, func(c *Cache) { c.Prepare([]change.Change{create("Game", "g2", fields{"score": 7.0})}) }, false},
		{"an object that is shown is open", q, []string{"Game:g1"}, func(c *Cache) { c.Prepare([]change.Change{remove("Game", "g1", fields{})}) }, false},
		{"a match that began before and is finished since", q, nil, nil, false},
		{"a purge of another class", q, nil, func(c *Cache) { c.Purge("Post", "") }, false},
		{"an answer that was wrong", q, nil, func(c *Cache) {
			put(t, c, "other", get("Post", "p"))
			e, _ := c.Get(key("other"))
			c.Discard(key("other"), e)
		}, false},
		{"too many changes of the class", q, nil, func(c *Cache) {
			for range maxTaken {
				apply(c, far)
			}
		}, false},
		{"many changes of another class", q, nil, func(c *Cache) {
			for range maxTaken {
				apply(c, create("Post", "p", fields{}))
			}
		}, true},
		{"more changes than are remembered", q, nil, func(c *Cache) {
			for range maxPast + 1 {
				apply(c, create("Post", "p", fields{}))
			}
		}, false},
		{"taking was off for a while", q, nil, func(c *Cache) {
			c.SetTaking(false)
			apply(c, create("Game", "g2", fields{"score": 7.0}))
			c.SetTaking(true)
		}, false},
		{"taking is set again", q, nil, func(c *Cache) { c.SetTaking(true) }, true},
		{"a level at which not every write is told", token, nil, func(*Cache) {}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := taking(Options{})
			apply(c, far)
			finish := func() {}
			if tt.later == nil {
				finish = c.Prepare([]change.Change{create("Game", "g2", fields{"score": 7.0})})
				tt.later = func(*Cache) { finish() }
			}
			since := c.Finished()
			tt.later(c)
			f, leader := c.Begin(key("q"), tt.reading)
			if !leader {
				t.Fatal("not the leader")
			}
			taken := f.Take(key("q"), entry("q"), dependsOn(t, tt.depends...), since, since)
			if taken != tt.taken || has(c, "q") != tt.taken {
				t.Fatalf("taken: %v, there: %v, want %v", taken, has(c, "q"), tt.taken)
			}
			if !taken { // the fill goes on
				f.StoreAs(key("q"), entry("q"), dependsOn(t, tt.depends...))
			}
			f.Abandon()
			apply(c, create("Game", "g3", fields{"score": 7.0}), remove("Game", "g1", fields{}))
			if has(c, "q") {
				t.Error("a change afterwards doesn't touch it")
			}
		})
	}
}

// TestTakeInAFill are things that happen between Begin and Take.
func TestTakeInAFill(t *testing.T) {
	q := find(t, "Game", `{"score":7}`)
	match := create("Game", "g2", fields{"score": 7.0})
	t.Run("a change makes it dirty", func(t *testing.T) {
		c := taking(Options{})
		f, _ := c.Begin(key("q"), q)
		apply(c, match)
		if f.Take(key("q"), entry("q"), Dependencies{}, c.Finished(), c.Finished()) || has(c, "q") {
			t.Error("taken")
		}
		f.Abandon()
	})
	t.Run("a follower gets it", func(t *testing.T) {
		c := taking(Options{})
		f, _ := c.Begin(key("q"), q)
		follower, leader := c.Begin(key("q"), q)
		if leader || follower.Take(key("q"), entry("q"), Dependencies{}, 0, 0) {
			t.Error("the follower took it")
		}
		e := entry("q")
		if !f.Take(key("q"), e, Dependencies{}, 0, 0) || f.Take(key("q"), e, Dependencies{}, 0, 0) {
			t.Error("not taken, or twice")
		}
		if got, err := follower.Wait(context.Background()); got != e || err != nil {
			t.Errorf("the follower got %v, %v", got, err)
		}
	})
	t.Run("who asks for everyone doesn't get one's own", func(t *testing.T) {
		c := taking(Options{})
		all := q
		all.Everyone = true
		f, _ := c.Begin(key("all"), all)
		follower, _ := c.Begin(key("all"), all)
		if !f.Take(key("own"), entry("own"), Dependencies{}, 0, 0) {
			t.Error("not taken")
		}
		if got, err := follower.Wait(context.Background()); got != nil || err == nil {
			t.Errorf("the follower got %v, %v", got, err)
		}
	})
	t.Run("too old or too large", func(t *testing.T) {
		clock := newClock()
		c := taking(Options{Clock: clock.now, MaxBytes: 100 << 10})
		f, _ := c.Begin(key("q"), q)
		defer f.Abandon()
		old := entry("q")
		old.Expires = clock.t
		if f.Take(key("q"), old, Dependencies{}, 0, 0) || f.Take(key("q"), entry(strings.Repeat("x", 30<<10)), Dependencies{}, 0, 0) {
			t.Error("taken")
		}
		if s := c.Stats(); s.Taken != 0 || s.RefusedTaken != 0 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("where age counts it isn't served", func(t *testing.T) {
		clock := newClock()
		oldest := time.Time{}
		c := taking(Options{Clock: clock.now, Oldest: func() time.Time { return oldest }})
		f, _ := c.Begin(key("q"), q)
		if !f.Take(key("q"), entry("q"), Dependencies{}, 0, 0) || !has(c, "q") {
			t.Fatal("not taken")
		}
		if oldest = clock.t.Add(-time.Hour); has(c, "q") {
			t.Error("served")
		}
		if oldest = (time.Time{}); !has(c, "q") {
			t.Error("gone")
		}
	})
}

// TestThePastIsBounded finishes changes of all sizes, and looks at the memory they are counted for.
func TestThePastIsBounded(t *testing.T) {
	c := taking(Options{MaxBytes: 1 << 20})
	for i := range 3 * maxPast {
		apply(c, create("Game", fmt.Sprint(i), fields{"text": strings.Repeat("x", i%2000)}))
		if s := c.Stats(); s.Bytes > 1<<20/pastShare || s.Bytes < int64(i%2000) {
			t.Fatalf("after %d changes %d bytes", i, s.Bytes)
		}
	}
	var sum int64
	for _, p := range c.past.list {
		sum += p.size
	}
	if sum != c.past.size || c.past.from != c.past.list[0].seq-1 {
		t.Errorf("%d bytes counted, %d there; from %d, the first is %d", c.past.size, sum, c.past.from, c.past.list[0].seq)
	}
	c.SetTaking(false)
	checkEmpty(t, c)
	c = taking(Options{MaxBytes: 1 << 30})
	for i := range 3 * maxPast {
		apply(c, create("Game", fmt.Sprint(i), fields{}))
	}
	if n := len(c.past.list); n != maxPast {
		t.Errorf("%d prepares are remembered", n)
	}
}
