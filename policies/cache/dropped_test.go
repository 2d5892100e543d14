package cache

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/change"
)

// TestDropped drops an answer by one change each, and fills it again: with the same, with another, or not at all.
func TestDropped(t *testing.T) {
	untold := change.Change{Class: "Game", ObjectID: "g2", Kind: change.Create}
	related := Reading{Class: "User", Query: find(t, "User", `{"$relatedTo":{"object":{"__type":"Pointer","className":"Game","objectId":"g1"},"key":"likes"}}`).Query, Level: Exact}
	hidden := update("Game", "g1", fields{}, fields{})
	hidden.After.Fields["_rperm"] = []any{"u1"}
	for _, tt := range []struct {
		name, reason string
		reading      Reading
		depends      []string
		change       change.Change
	}{
		{"a where", "where", find(t, "Game", `{"score":7}`), nil, create("Game", "g2", fields{"score": 7.0})},
		{"an object that is shown", "object", find(t, "Game", `{"score":7}`), []string{"Game:g1"}, update("Game", "g1", fields{"score": 7.0}, fields{"score": 8.0})},
		{"an object that was asked for", "object", get("Game", "g1"), nil, remove("Game", "g1", fields{})},
		{"a row of a join class", "relation", related, nil, join(change.Create, "_Join:likes:Game", "g1", "u1")},
		{"the owner of a relation", "owner", related, nil, hidden},
		{"a class", "class", get("Game", "g1"), []string{"Post"}, create("Post", "p1", fields{})},
		{"a change without images", "untold", find(t, "Game", `{"score":7}`), nil, untold},
		{"a schema", "whole", find(t, "Game", `{"score":7}`), nil, change.Change{Class: "Game", Kind: change.Schema}},
		{"everything", "whole", find(t, "Game", `{"score":7}`), nil, change.Change{Kind: change.Purge}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := New(Options{})
			fill := func(body, etag string) {
				t.Helper()
				f, _ := c.Begin(key("q"), tt.reading)
				e := entry(body)
				e.ETag = etag
				if !f.Store(e, dependsOn(t, tt.depends...)) {
					t.Fatal("not stored")
				}
			}
			check := func(want Drop) {
				t.Helper()
				drops := c.Stats().Drops
				drops.Each(func(reason string, n Drop) {
					if reason == tt.reason && n != want || reason != tt.reason && n != (Drop{}) {
						t.Errorf("%s: %+v; want %s: %+v", reason, n, tt.reason, want)
					}
				})
			}
			fill("one", "")
			check(Drop{})
			apply(c, tt.change)
			check(Drop{Dropped: 1})
			fill("one", "")
			check(Drop{1, 0, 1})
			apply(c, tt.change)
			fill("two", "")
			check(Drop{2, 1, 1})
			c.Purge("", "")
			fill("three", "") // nothing of what follows counts for it
			if n := allDrops(c); n != (Drop{3, 2, 1}) {
				t.Errorf("after a purge: %+v", n)
			}
		})
	}
}

// TestDroppedAnswers are fills that aren't the plain one.
func TestDroppedAnswers(t *testing.T) {
	gone := func(c *Cache) { apply(c, remove("Game", "g1", fields{})) }
	fill := func(c *Cache, e Entry) {
		f, _ := c.Begin(key("q"), get("Game", "g1"))
		f.Store(&e, Dependencies{})
	}
	for _, tt := range []struct {
		name      string
		was, is   Entry
		meanwhile func(*Cache)
		want      Drop
	}{
		{"the ETag stands for the body", Entry{Status: 200, Body: []byte("one"), ETag: `"1"`}, Entry{Status: 200, Body: []byte("other"), ETag: `"1"`}, gone, Drop{1, 0, 1}},
		{"another ETag", Entry{Status: 200, ETag: `"1"`}, Entry{Status: 200, ETag: `"2"`}, gone, Drop{1, 1, 0}},
		{"another status", Entry{Status: 200, Body: []byte("one")}, Entry{Status: 404, Body: []byte("one")}, gone, Drop{1, 1, 0}},
		{"time alters it", Entry{Status: 200, Timed: true}, Entry{Status: 200, Timed: true}, gone, Drop{1, 0, 0}},
		{"dropped for room", Entry{Status: 200}, Entry{Status: 200}, func(c *Cache) { c.SetMaxBytes(1); c.SetMaxBytes(1 << 20) }, Drop{}},
		{"discarded", Entry{Status: 200}, Entry{Status: 200}, func(c *Cache) { e, _ := c.Get(key("q")); c.Discard(key("q"), e) }, Drop{}},
		{"too many others were dropped", Entry{Status: 200}, Entry{Status: 200}, func(c *Cache) {
			gone(c)
			other := key("q")
			other.Hi++
			f, _ := c.Begin(other, get("Game", "g1"))
			f.Store(entry("other"), Dependencies{})
			gone(c)
		}, Drop{2, 0, 0}},
		{"a bound that is lowered", Entry{Status: 200}, Entry{Status: 200}, func(c *Cache) { gone(c); c.SetMaxBytes(1400); c.SetMaxBytes(1 << 20) }, Drop{1, 0, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := New(Options{MaxBytes: 1 << 20})
			fill(c, tt.was)
			tt.meanwhile(c)
			fill(c, tt.is)
			if got := allDrops(c); got != tt.want {
				t.Errorf("counted %+v, want %+v", got, tt.want)
			}
			c.Purge("", "")
			checkEmpty(t, c)
		})
	}
}

// TestDroppedRights: a session that stands for the same as before was dropped needlessly.
func TestDroppedRights(t *testing.T) {
	c := New(Options{})
	store := func(name string) {
		f, _ := c.Begin(key("q"+name), get("Game", "g1"))
		defer f.Abandon()
		if !f.StoreRights(key("token"), name, dependsOn(t, "_Session:s1"), time.Now().Add(time.Hour), time.Time{}) {
			t.Fatal("not stored")
		}
	}
	for _, name := range []string{"one", "one", "two"} {
		store(name)
		apply(c, update("_Session", "s1", fields{}, fields{"x": 1.0}))
	}
	if got := c.Stats().Drops[ofRights]; got != (Drop{3, 1, 1}) {
		t.Errorf("counted %+v", got)
	}
}

// TestWhatIsLostIsBounded drops far more than is remembered.
func TestWhatIsLostIsBounded(t *testing.T) {
	for _, max := range []int64{100 << 10, 64 << 20} {
		c := New(Options{MaxBytes: max})
		for i := range 2 * maxLost {
			put(t, c, fmt.Sprint(i), get("Game", fmt.Sprint(i)))
			apply(c, remove("Game", fmt.Sprint(i), fields{}))
		}
		if n := c.lost.size(); n == 0 || n > max/lostShare || n > maxLost*lostSize {
			t.Errorf("with a bound of %d bytes %d are for what is lost", max, n)
		}
		checkEmpty(t, c)
	}
}

func TestMatchingIsTimed(t *testing.T) {
	clock := newClock()
	c := New(Options{Clock: clock.now})
	slow := clock.now
	c.options.Clock = func() time.Time { clock.t = clock.t.Add(3 * time.Microsecond); return slow() }
	apply(c, create("Game", "g1", fields{}), create("Game", "g2", fields{}))
	apply(c, create("Game", "g3", fields{}))
	c.stats.Matching.took(time.Minute)
	m := c.Stats().Matching
	if m.Commits != 3 || m.Within[2] != 2 || m.Within[len(MatchBounds)] != 1 || m.Seconds < 60 || m.Seconds > 60.1 {
		t.Errorf("%+v", m)
	}
}

func TestDropsAsJSON(t *testing.T) {
	c := New(Options{})
	put(t, c, "q", get("Game", "g1"))
	apply(c, remove("Game", "g1", fields{}))
	text, err := json.Marshal(c.Stats())
	if err != nil || !strings.Contains(string(text), `"drops":{"object":{"dropped":1,"needed":0,"needless":0}},"matching":{"commits":1,"seconds":`) {
		t.Errorf("%s, %v", text, err)
	}
	var again Stats
	if err := json.Unmarshal(text, &again); err != nil || again.Drops != c.Stats().Drops {
		t.Errorf("%+v, %v", again.Drops, err)
	}
}
