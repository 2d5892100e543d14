package cache

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
)

// fillCache stores n finds by equality, each showing one object of its own.
func fillCache(tb testing.TB, n int) *Cache {
	tb.Helper()
	c := New(Options{MaxBytes: 1 << 30})
	for i := range n {
		r := Reading{Class: "Game", Level: Exact, Query: &query.Query{Class: "Game", Limit: -1,
			Where: query.And{
				&query.Compare{Path: "level", Op: query.Eq, Value: float64(i)},
				&query.Compare{Path: "score", Op: query.Gt, Value: 10.0},
			}}}
		f, _ := c.Begin(Key{Hi: uint64(i) * 0x9e3779b97f4a7c15, Lo: uint64(i)}, r)
		var d Dependencies
		d.AddObject("Game", fmt.Sprint("g", i))
		e := entry("{}")
		e.Expires = time.Now().Add(time.Hour)
		if !f.Store(e, d) {
			tb.Fatal("not stored")
		}
	}
	return c
}

func fillKey(i int) Key { return Key{Hi: uint64(i) * 0x9e3779b97f4a7c15, Lo: uint64(i)} }

func BenchmarkHit(b *testing.B) {
	c := fillCache(b, 1000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, ok := c.Get(fillKey(i % 1000)); !ok {
			b.Fatal("a miss")
		}
		i++
	}
}

func BenchmarkHitParallel(b *testing.B) {
	c := fillCache(b, 1000)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			c.Get(fillKey(i % 1000))
		}
	})
}

func TestAHitAllocatesNothing(t *testing.T) {
	c := fillCache(t, 10)
	if n := testing.AllocsPerRun(100, func() { c.Get(fillKey(3)) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// unaffecting is a change that concerns no entry of fillCache, though some come close.
func unaffecting() []change.Change {
	return []change.Change{update("Game", "other", fields{"level": 3.0, "score": 5.0, "name": "x"}, fields{"level": 3.0, "score": 6.0, "name": "x"})}
}

// BenchmarkChange is prepare and finish of one update, by the number of entries.
func BenchmarkChange(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := fillCache(b, n)
			changes := unaffecting()
			b.ReportAllocs()
			for b.Loop() {
				c.Prepare(changes)()
			}
			if s := c.Stats(); s.Entries != n {
				b.Fatalf("%d entries are left of %d", s.Entries, n)
			}
		})
	}
}

// What a change costs doesn't depend on the number of entries it doesn't concern. Allocations stand for time here.
func TestTheCostOfAChangeIsFlat(t *testing.T) {
	changes := unaffecting()
	cost := func(n int) float64 {
		c := fillCache(t, n)
		return testing.AllocsPerRun(100, func() { c.Prepare(changes)() })
	}
	few, many := cost(10), cost(5000)
	if many > few || many > 12 {
		t.Errorf("%v allocations with 10 entries, %v with 5000", few, many)
	}
}

// BenchmarkInvalidateAndFill is a change that drops an entry, and the fill that brings it back.
func BenchmarkInvalidateAndFill(b *testing.B) {
	c := fillCache(b, 10_000)
	changes := []change.Change{update("Game", "g7", fields{"level": 7.0, "score": 50.0}, fields{"level": 7.0, "score": 60.0})}
	r := Reading{Class: "Game", Level: Exact, Query: &query.Query{Class: "Game", Where: &query.Compare{Path: "level", Op: query.Eq, Value: 7.0}}}
	e := entry("{}")
	var d Dependencies
	d.AddObject("Game", "g7")
	b.ReportAllocs()
	for b.Loop() {
		c.Prepare(changes)()
		f, _ := c.Begin(fillKey(7), r)
		if !f.Store(e, d) {
			b.Fatal("not stored")
		}
	}
}

// BenchmarkPurgeClass drops 10,000 entries at once.
func BenchmarkPurgeClass(b *testing.B) {
	for range b.N {
		b.StopTimer()
		c := fillCache(b, 10_000)
		b.StartTimer()
		if n := c.Purge("Game", ""); n != 10_000 {
			b.Fatal(n)
		}
	}
}

func benchmarkBody() (*query.Query, []byte) {
	var sb strings.Builder
	sb.WriteString(`{"results":[`)
	for i := range 20 {
		if i > 0 {
			sb.WriteByte(',')
		}
		fmt.Fprintf(&sb, `{"objectId":"xWMyZ4Y%03d","createdAt":"2026-11-24T00:00:00.000Z","updatedAt":"2026-11-24T00:00:00.000Z","score":1337,"playerName":"Sean Plott","cheatMode":false,"player":{"__type":"Pointer","className":"_User","objectId":"3KmCvT7Zsb"},"ACL":{"*":{"read":true}}}`, i)
	}
	sb.WriteString(`]}`)
	return &query.Query{Class: "GameScore", Include: []query.Path{"player"}}, []byte(sb.String())
}

func BenchmarkFromBody(b *testing.B) {
	q, body := benchmarkBody()
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, ok := FromBody(q, body); !ok {
			b.Fatal("refused")
		}
	}
}
