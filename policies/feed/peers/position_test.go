package peers

import (
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/change"
)

type noCache struct{}

func (noCache) Prepare([]change.Change) func() { return func() {} }
func (noCache) Purge(string, string) int       { return 0 }

// TestArrivals: a gateway that comes counts twice, and one that has been there all the time never again.
func TestArrivals(t *testing.T) {
	now := time.Unix(1e9, 0)
	n := New(Options{Name: "me", App: "app", Cache: noCache{}, Clock: func() time.Time { return now }})
	lease := n.o.Lease
	after := func(d time.Duration) uint64 {
		now = now.Add(d)
		n.Tick()
		return n.Arrivals()
	}
	say := func(name string, seq uint64, k kind) {
		n.Receive((&record{from: name, seq: seq, kind: k}).append(nil))
	}
	if got := after(10 * lease); got != 0 {
		t.Errorf("%d have come where nobody is", got)
	}
	say("one", 7, beat)
	for i, want := range []uint64{0, 0, 0, 1, 1, 1, 1, 2, 2, 2} { // by leases
		if got := after(lease); got != want {
			t.Errorf("after %d leases: %d, want %d", i+1, got, want)
		}
		say("one", 8+uint64(i), beat)
	}
	say("two", 1, beat)
	say("two", 2, leave)
	say("three", 1, beat)
	if got := after(8 * lease); got != 4 {
		t.Errorf("one has left at once, and one has stayed: %d", got)
	}
}

// TestSettledPosition: what is in the cache is told with a position of a lease ago, and with none after trouble.
func TestSettledPosition(t *testing.T) {
	now := time.Unix(1e9, 0)
	n := New(Options{Name: "me", App: "app", Cache: noCache{}, Clock: func() time.Time { return now }, Finished: func() uint64 { return 0 }})
	tick := n.o.Beat
	run := func(d time.Duration, look bool) {
		for end := now.Add(d); now.Before(end); now = now.Add(tick) {
			if look {
				n.Looked(Look{Began: now, Since: time.Unix(1, 0)})
			}
			n.Tick()
			for range n.Batch() { // everything is published at once
			}
			n.Published()
		}
	}
	if _, ok := n.SettledPosition(); ok {
		t.Error("it has a position before it has looked around")
	}
	run(n.o.Lease, true)
	if p, ok := n.SettledPosition(); ok {
		t.Errorf("in step for a lease: %v", p)
	}
	run(4*n.o.Lease, true)
	p, ok := n.SettledPosition()
	present, _ := n.Position()
	if behind := present["me"] - p["me"]; !ok || behind < 4 || behind > 6 {
		t.Errorf("%v %v, and now it is %v", p, ok, present)
	}
	run(2*n.o.Lease, false)
	if p, ok := n.SettledPosition(); ok {
		t.Errorf("out of step: %v", p)
	}
	run(n.o.Lease, true)
	if p, ok := n.SettledPosition(); ok {
		t.Errorf("in step again for a lease: %v", p)
	}
	run(n.o.Lease, true)
	if _, ok := n.SettledPosition(); !ok {
		t.Error("in step again for two leases: no position")
	}
}
