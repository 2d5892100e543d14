package cache

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
)

func TestMemoryIsBounded(t *testing.T) {
	const max = 200 << 10
	c := New(Options{MaxBytes: max, Shards: 4})
	body := strings.Repeat("x", 1000)
	for i := range 2000 {
		f, _ := c.Begin(key(fmt.Sprint(i)), find(t, "Game", fmt.Sprintf(`{"level":%d}`, i)))
		if !f.Store(entry(body), dependsOn(t, fmt.Sprint("Game:g", i))) {
			t.Fatalf("entry %d isn't stored", i)
		}
		if s := c.Stats(); s.Bytes > max {
			t.Fatalf("%d bytes after entry %d, more than %d", s.Bytes, i, max)
		}
		if _, ok := c.Get(key(fmt.Sprint(i))); !ok {
			t.Fatalf("entry %d was evicted for its own sake", i)
		}
		c.Get(key("0")) // stays in use
	}
	s := c.Stats()
	if s.Entries < 50 || s.Evictions != uint64(2000-s.Entries) {
		t.Errorf("stats %+v", s)
	}
	if _, ok := c.Get(key("0")); !ok {
		t.Error("the entry in use was evicted")
	}
	f, _ := c.Begin(key("large"), find(t, "Game", `{}`))
	if f.Store(entry(strings.Repeat("x", max/2)), Dependencies{}) || c.Stats().Oversized != 1 {
		t.Error("an entry of half the bound is stored")
	}
	c.SetMaxBytes(50 << 10)
	if s := c.Stats(); s.Bytes > 50<<10 || s.Entries == 0 {
		t.Errorf("after the bound was lowered: %+v", s)
	}
	c.SetMaxBytes(0)
	c.SetMaxBytes(1)
	checkEmpty(t, c)
}

func TestANewAnswerReplacesTheOld(t *testing.T) {
	c := New(Options{})
	put(t, c, "q", find(t, "Game", `{"a":1}`), "Game:g1")
	f, _ := c.Begin(key("q"), find(t, "Game", `{"a":1}`))
	if !has(c, "q") {
		t.Error("a fill hides the entry")
	}
	if !f.Store(entry("new"), dependsOn(t, "Game:g2")) {
		t.Error("not stored")
	}
	if e, _ := c.Get(key("q")); string(e.Body) != "new" {
		t.Errorf("got %s", e.Body)
	}
	if s := c.Stats(); s.Entries != 1 || s.Invalidations != 0 {
		t.Errorf("stats %+v", s)
	}
	apply(c, update("Game", "g1", fields{}, fields{}))
	if _, ok := c.Get(key("q")); !ok {
		t.Error("what the old answer depended on drops the new one")
	}
	apply(c, update("Game", "g2", fields{}, fields{}))
	if _, ok := c.Get(key("q")); ok {
		t.Error("what the new answer depends on doesn't drop it")
	}
	checkEmpty(t, c)
}

func TestUnusedExpiredEntriesLeave(t *testing.T) {
	now := newClock()
	c := New(Options{Clock: now.now, Shards: 1})
	for i := range 300 {
		f, _ := c.Begin(key(fmt.Sprint(i)), find(t, "Game", fmt.Sprintf(`{"level":%d}`, i)))
		e := entry("x")
		e.Expires = now.t.Add(10 * time.Second)
		f.Store(e, Dependencies{})
		now.t = now.t.Add(time.Second)
	}
	if s := c.Stats(); s.Entries > 11 || s.Expirations < 280 {
		t.Errorf("stats %+v", s)
	}
}

func TestStatsJSON(t *testing.T) {
	c := New(Options{MaxBytes: 1 << 20})
	put(t, c, "q", find(t, "Game", `{"a":1}`))
	has(c, "q")
	has(c, "nothing")
	apply(c, create("Game", "g", fields{}))
	b, err := json.Marshal(c.Stats())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"entries":1`, `"hits":1`, `"misses":1`, `"fills":1`, `"changes":1`, `"max_bytes":1048576`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s isn't in %s", want, b)
		}
	}
}

// The estimate of memory must be near what the heap says, or the bound means nothing.
func TestBytesAreHonest(t *testing.T) {
	if testing.Short() {
		t.Skip("measures the heap")
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for _, tc := range []struct {
		name string
		fill func(i int) (Reading, *Entry, Dependencies)
	}{
		{"small gets", func(i int) (Reading, *Entry, Dependencies) {
			id := fmt.Sprint("g", i)
			return get("Game", id), entry(strings.Clone(`{"objectId":"x"}`)), dependsOn(t, "Game:"+id)
		}},
		{"finds of 20 objects", func(i int) (Reading, *Entry, Dependencies) {
			var d Dependencies
			for j := range 20 {
				d.AddObject("Game", fmt.Sprintf("g%08d", i*20+j))
			}
			return find(t, "Game", fmt.Sprintf(`{"level":%d,"player":"%d"}`, i, i)), entry(strings.Repeat("x", 5000)), d
		}},
		{"large wheres", func(i int) (Reading, *Entry, Dependencies) {
			text := `{"objectId":{"$in":[`
			for j := range 50 {
				text += fmt.Sprintf(`"id%08d",`, i*50+j)
			}
			return find(t, "Game", text[:len(text)-1]+`]}}`), entry("{}"), Dependencies{}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			const n = 3000
			c := New(Options{MaxBytes: 1 << 30})
			before := heap()
			for i := range n {
				r, e, d := tc.fill(i)
				f, _ := c.Begin(key(fmt.Sprint(i)), r)
				if !f.Store(e, d) {
					t.Fatal("not stored")
				}
			}
			real, counted := heap()-before, c.Stats().Bytes
			t.Logf("%d bytes an entry, counted as %d", real/n, counted/n)
			if ratio := float64(counted) / float64(real); ratio < 0.8 || ratio > 1.6 {
				t.Errorf("counted %d bytes for %d", counted, real)
			}
			runtime.KeepAlive(c)
		})
	}
}

// Many goroutines at once, for the race detector; what can be checked at any moment is checked.
func TestConcurrency(t *testing.T) {
	c := New(Options{MaxBytes: 100 << 10, Shards: 4, Recent: 64})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for i := range 400 {
				n := r.IntN(40)
				name := fmt.Sprint("q", n)
				switch {
				case g == 0 && i%50 == 0:
					c.Purge("", "")
				case g < 3:
					finish := c.Prepare([]change.Change{
						update("Game", fmt.Sprint("g", r.IntN(40)), fields{"level": float64(r.IntN(40))}, fields{"level": float64(r.IntN(40))}),
						join(change.Create, "_Join:likes:_User", "u1", fmt.Sprint("g", n)),
					})
					runtime.Gosched()
					finish()
				default:
					if e, ok := c.Get(key(name)); ok {
						if string(e.Body) != name {
							t.Errorf("got %s for %s", e.Body, name)
						}
						continue
					}
					f, leader := c.Begin(key(name), Reading{Class: "Game", Level: Exact,
						Query: &query.Query{Class: "Game", Where: &query.Compare{Path: "level", Op: query.Eq, Value: float64(n)}}})
					if !leader {
						if e, err := f.Wait(t.Context()); err == nil && string(e.Body) != name {
							t.Errorf("got %s for %s", e.Body, name)
						}
						continue
					}
					runtime.Gosched()
					if i%7 == 0 {
						f.Abandon()
						continue
					}
					f.Store(entry(name), dependsOn(t, fmt.Sprint("Game:g", n)))
				}
			}
		})
	}
	wg.Wait()
	if s := c.Stats(); s.OpenPrepares != 0 || s.Filling != 0 {
		t.Errorf("stats %+v", s)
	}
	c.Purge("", "")
	checkEmpty(t, c)
}

func TestLevels(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range []Level{TTL, Lossy, Fenced, Exact} {
		text, err := l.MarshalText()
		if err != nil || seen[string(text)] || l.Promise() == "" {
			t.Errorf("%d: %q, %v, %q", l, text, err, l.Promise())
		}
		seen[string(text)] = true
		var back Level
		if err := back.UnmarshalText(text); err != nil || back != l {
			t.Errorf("%s came back as %s, %v", l, back, err)
		}
		if careful := l == TTL || l == Lossy; l.TokenScope() != careful || (l.MaxTTL() == 5*time.Second) != careful {
			t.Errorf("%s: scope by token %v, at most %v", l, l.TokenScope(), l.MaxTTL())
		}
	}
	var l Level
	if l.UnmarshalText([]byte("strict")) == nil {
		t.Error("an unknown level is taken")
	}
	if _, err := Level(9).MarshalText(); err == nil || Level(9).String() != "unknown" || !Level(9).TokenScope() || Level(9).Promise() != "" {
		t.Error("a level that isn't one has rules")
	}
}
