package redislog

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/parsescale/parsescale/policies/feed/peers"
	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/testservices"
)

func client(t *testing.T, url string) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	o.MaxRetries, o.ContextTimeoutEnabled = -1, true
	c := redis.NewClient(o)
	t.Cleanup(func() { c.Close() })
	return c
}

func TestIDs(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{{"0-0", "1-0", true}, {"9-5", "10-1", true}, {"10-2", "10-10", true}, {"10-2", "10-2", false}, {"11-0", "10-9", false}} {
		if got := before(test.a, test.b); got != test.want {
			t.Errorf("%s before %s: %v", test.a, test.b, got)
		}
	}
}

// TestLog: what one appends all others read, in order, from when they began; and after Redis has lost everything.
func TestLog(t *testing.T) {
	c := client(t, testservices.StartRedis(t).URL)
	ctx := t.Context()
	one, two := New(c, "{d}:feed", time.Second), New(c, "{d}:feed", time.Second)
	add := func(from, to int) {
		t.Helper()
		var all [][]byte
		for i := from; i < to; i++ {
			all = append(all, fmt.Appendf(nil, "r%d\x00\xff", i))
		}
		if err := one.Append(ctx, all); err != nil {
			t.Fatal(err)
		}
	}
	read := func(l *Log, want ...int) {
		t.Helper()
		var got [][]byte
		for range 5 {
			r, err := l.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, r...); len(got) >= len(want) {
				break
			}
		}
		for i, n := range want {
			if i >= len(got) || !bytes.Equal(got[i], fmt.Appendf(nil, "r%d\x00\xff", n)) {
				t.Fatalf("read %q, want %v", got, want)
			}
		}
	}
	add(0, 3)
	read(two) // begins behind
	add(3, 6)
	read(two, 3, 4, 5)
	if ttl := c.TTL(ctx, "{d}:feed").Val(); ttl < keep/2 {
		t.Errorf("the stream ends in %v", ttl)
	}
	if err := c.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	two.at = "99999999999999-1" // of a server whose clock was ahead
	add(6, 8)
	read(two, 6, 7)
}

// memory is a cache that keeps only whether it may still have what it had.
type memory struct {
	mu     sync.Mutex
	purges int
	seen   map[string]bool
}

func (m *memory) Prepare(changes []change.Change) func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range changes {
		m.seen[c.ObjectID] = true
	}
	return func() {}
}

func (m *memory) Purge(string, string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.purges++
	return 0
}

func (m *memory) knows(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen[id]
}

func (m *memory) purged() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.purges
}

// gateway is a Node that runs on Redis; the test plays the roster.
type gateway struct {
	*peers.Node
	cache *memory
}

func start(t *testing.T, r *testservices.Redis, strict bool, names ...string) []*gateway {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all []*gateway
	var running sync.WaitGroup
	since := time.Now().Add(-time.Hour)
	for _, name := range names {
		g := &gateway{cache: &memory{seen: map[string]bool{}}}
		g.Node = peers.New(peers.Options{Name: name, App: "app", Cache: g.cache, Strict: strict, Lease: 800 * time.Millisecond})
		log := New(client(t, r.URL), "{d}:feed", 300*time.Millisecond)
		running.Go(func() { g.Run(ctx, log) })
		running.Go(func() {
			for ctx.Err() == nil {
				g.Looked(peers.Look{Began: time.Now(), Since: since, Members: names})
				time.Sleep(100 * time.Millisecond)
			}
		})
		all = append(all, g)
	}
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return all
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not in time", what)
		}
	}
}

// write has a gateway's worker write an object, and returns how long it waited.
func (g *gateway) write(id string) time.Duration {
	begun := time.Now()
	proceed := make(chan struct{})
	finish := g.Announce([]change.Change{{Class: "C", ObjectID: id, Kind: change.Update}}, func() { close(proceed) })
	<-proceed
	finish()
	return time.Since(begun)
}

// TestTroubles: after an outage, a pause, a trimmed stream and a server that comes back without its data, gateways are in step
// again, and know of every write or have dropped what they had.
func TestTroubles(t *testing.T) {
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprintf("strict %v", strict), func(t *testing.T) {
			r := testservices.StartRedis(t)
			admin := client(t, r.URL)
			both := start(t, r, strict, "a", "b")
			a, b := both[0], both[1]
			inStep := func() bool { return a.Status().InStep && b.Status().InStep }
			eventually(t, "being in step", inStep)
			tells := func(id string) {
				t.Helper()
				before := b.cache.purged()
				a.write(id)
				eventually(t, "hearing of "+id, func() bool { return b.cache.knows(id) || b.cache.purged() > before })
				eventually(t, "being in step after "+id, inStep)
			}
			before := b.cache.purged()
			tells("first")
			if b.cache.purged() != before || !b.cache.knows("first") {
				t.Error("all is dropped where nothing was lost")
			}

			admin.Do(t.Context(), "CLIENT", "PAUSE", "3000", "ALL")
			eventually(t, "falling out of step", func() bool { return !b.Status().InStep })
			if notBefore, ok := b.Serve(); ok == strict || !strict && notBefore.IsZero() {
				t.Errorf("out of step: %v, %v", notBefore, ok)
			}
			tells("paused")

			r.Kill()
			if d := a.write("while it is gone"); d > 2*time.Second {
				t.Errorf("a write waited %v", d)
			}
			eventually(t, "falling out of step", func() bool { return !b.Status().InStep })
			least := time.Hour
			for range 5 { // a busy machine holds up some
				least = min(least, a.write("alone"))
			}
			if least > 200*time.Millisecond {
				t.Errorf("without Redis every write waits, for %v at least", least)
			}
			r.Restart(t) // it has kept nothing
			eventually(t, "coming back", inStep)
			if !b.cache.knows("alone") && b.cache.purged() == before {
				t.Error("a write is lost and nothing dropped")
			}
			tells("after")

			before = b.cache.purged()
			admin.FlushAll(t.Context())
			tells("flushed")
			admin.XTrimMaxLen(t.Context(), "{d}:feed", 0)
			tells("trimmed")
			if s := a.Status(); s.LagMS <= 0 || s.LagMS > 1000 {
				t.Errorf("a lag of %v ms", s.LagMS)
			}
		})
	}
}
