package feed

import (
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/parsescale/parsescale/server/change"
)

// hesitant is an Announcer that lets the changes of objects commit when the test does.
type hesitant struct {
	recorder
	proceed map[string]func()
}

func (h *hesitant) Announce(changes []change.Change, proceed func()) func() {
	h.mu.Lock()
	h.proceed[changes[0].ObjectID] = proceed
	h.mu.Unlock()
	return h.Prepare(changes)
}

func (h *hesitant) let(id string) {
	h.mu.Lock()
	proceed := h.proceed[id]
	h.mu.Unlock()
	proceed()
}

// A write waits for the other gateways, and for nothing else: not for the write before it.
func TestAckWaitsForTheAnnouncer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		local, others := &recorder{}, &hesitant{proceed: map[string]func(){}}
		h := NewHub("app", local, Options{Announcer: others})
		s, w := attachReady(t, h, "w1")
		w.prepare(1, "a")
		w.prepare(2, "b")
		acked := make(chan uint64, 2)
		go func() {
			for range 2 {
				acked <- w.next(change.TypeAck).ID
			}
		}()
		synctest.Wait()
		if p, _ := local.lists(); !reflect.DeepEqual(p, []string{"app/Game:a", "app/Game:b"}) {
			t.Errorf("applied here: %v", p)
		}
		if len(acked) > 0 {
			t.Fatal("acknowledged before the announcer let it")
		}
		others.let("b")
		if id := <-acked; id != 2 {
			t.Errorf("acknowledged %d", id)
		}
		// A worker may give up before it has its ack; the ack that comes late does no harm.
		w.send(change.Frame{Type: change.TypeAbort, ID: 1})
		w.send(change.Frame{Type: change.TypeDone, ID: 2})
		synctest.Wait()
		for who, r := range map[string]*recorder{"here": local, "there": &others.recorder} {
			if _, f := r.lists(); !reflect.DeepEqual(f, []string{"app/Game:a", "app/Game:b"}) {
				t.Errorf("finished %s: %v", who, f)
			}
		}
		others.let("a")
		if id := <-acked; id != 1 {
			t.Errorf("acknowledged %d", id)
		}
		w.conn.Close()
		<-s.Ended()
		s.Reaped()
	})
}
