package peers

import (
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/change"
)

// opened counts the prepares that aren't finished.
type opened int

func (o *opened) Prepare([]change.Change) func() { *o++; return func() { *o-- } }

func (o *opened) Purge(string, string) int { return 0 }

// TestPreparedReadLate: what a gateway prepared isn't held for ever when it is read after that gateway was forgotten; but it is as
// long as the gateway may be one that comes.
func TestPreparedReadLate(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	since := now
	var open opened
	n := New(Options{Name: "b", App: "a", Cache: &open, Strict: true, Clock: func() time.Time { return now }})
	pass := func(d time.Duration, members ...string) {
		for end := now.Add(d); now.Before(end); {
			now = now.Add(100 * time.Millisecond)
			n.Looked(Look{Began: now, Since: since, Members: members})
			n.Tick()
		}
	}
	say := func(r record) { n.Receive(r.append(nil)) }
	pass(time.Second, "a", "b")
	say(record{from: "a", seq: 1, kind: beat, strict: true, open: 1})
	pass(10*time.Second, "b") // a is killed, and what it said last waits in a log that can't be read
	say(record{from: "a", seq: 2, kind: prepared, payload: []byte{0, 0, 0, 1, 9}})
	if open != 1 {
		t.Fatalf("%d prepares are held, want 1", open)
	}
	pass(n.o.Lease, "b")
	if open != 1 {
		t.Error("what may belong to a gateway that comes isn't held")
	}
	pass(n.o.Margin+time.Second, "b")
	if open != 0 || len(n.peers) != 0 {
		t.Errorf("%d prepares of a gateway that is gone are held, %d gateways known", open, len(n.peers))
	}
}
