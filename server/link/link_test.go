package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ storage.Announcer = (*Link)(nil)

// gateway is the other end, played by the test frame by frame.
type gateway struct {
	t    *testing.T
	conn net.Conn
	r    *change.Reader
}

func (g *gateway) send(f change.Frame) {
	g.t.Helper()
	b, err := f.Append(nil)
	if err != nil {
		g.t.Fatal(err)
	}
	if _, err := g.conn.Write(b); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gateway) next(want change.Type) change.Frame {
	g.t.Helper()
	f, err := g.r.Next()
	if err != nil {
		g.t.Fatal(err)
	}
	if f.Type != want {
		g.t.Fatalf("got %s, want %s", f.Type, want)
	}
	return f
}

// connect opens a link to a gateway that the test plays.
func connect(t *testing.T) (*Link, *gateway) {
	t.Helper()
	worker, conn := net.Pipe()
	g := &gateway{t, conn, change.NewReader(conn)}
	go g.send(change.Frame{Type: change.TypeStart, Start: change.Start{Protocol: change.Protocol, App: "app", Socket: "/s", Options: []byte(`{"a":1}`)}})
	l, start, err := Open(worker)
	if err != nil {
		t.Fatal(err)
	}
	if start.App != "app" || start.Socket != "/s" || string(start.Options) != `{"a":1}` {
		t.Errorf("start is %+v", start)
	}
	return l, g
}

func one(id string) []change.Change {
	return []change.Change{{App: "app", Class: "Game", ObjectID: id, Kind: change.Create, After: &change.Image{Fields: map[string]any{"objectId": id}}}}
}

func TestPrepareWaitsForTheAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, g := connect(t)
		defer g.conn.Close()
		if err := l.Ready(); err != nil {
			t.Fatal(err)
		}
		if f := g.next(change.TypeReady); f.Ready.Protocol != change.Protocol || f.Ready.PID == 0 {
			t.Errorf("ready says %+v", f.Ready)
		}
		var finish func(bool)
		returned := false
		go func() {
			var err error
			finish, err = l.Prepare(t.Context(), one("g1"))
			if err != nil {
				t.Error(err)
			}
			returned = true
		}()
		f := g.next(change.TypePrepare)
		if f.ID != 1 || len(f.Changes) != 1 || f.Changes[0].ObjectID != "g1" {
			t.Errorf("prepare says %+v", f)
		}
		synctest.Wait()
		if returned {
			t.Fatal("Prepare returned before the Ack")
		}
		g.send(change.Frame{Type: change.TypeAck, ID: 1})
		synctest.Wait()
		if !returned {
			t.Fatal("Prepare didn't return after the Ack")
		}
		if err := l.Drained(); err == nil {
			t.Error("Drained with an open write")
		}
		finish(true)
		finish(false) // only the first call counts
		if f := g.next(change.TypeDone); f.ID != 1 {
			t.Errorf("done says %d", f.ID)
		}
		go func() {
			if err := l.Drained(); err != nil {
				t.Error(err)
			}
		}()
		g.next(change.TypeDrained)
		synctest.Wait()
		if _, err := l.Prepare(t.Context(), one("g2")); !errors.Is(err, ErrDraining) {
			t.Errorf("a Prepare after Drained: %v", err)
		}
	})
}

func TestPreparesArePipelined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, g := connect(t)
		defer g.conn.Close()
		const n = 20
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				finish, err := l.Prepare(t.Context(), one(fmt.Sprint(i)))
				if err != nil {
					t.Error(err)
					return
				}
				finish(i%2 == 0)
			})
		}
		// All are sent before any is acknowledged, with ids in order.
		object := map[uint64]string{}
		for id := uint64(1); id <= n; id++ {
			f := g.next(change.TypePrepare)
			if f.ID != id {
				t.Fatalf("prepare %d has the id %d", id, f.ID)
			}
			object[f.ID] = f.Changes[0].ObjectID
		}
		for id := uint64(n); id >= 1; id-- { // any order will do
			g.send(change.Frame{Type: change.TypeAck, ID: id})
			f, err := g.r.Next()
			if err != nil {
				t.Fatal(err)
			}
			want := change.TypeAbort
			if last := object[id][len(object[id])-1] - '0'; last%2 == 0 {
				want = change.TypeDone
			}
			if f.Type != want || f.ID != id {
				t.Errorf("after the Ack of %d (object %s): %s %d", id, object[id], f.Type, f.ID)
			}
		}
		wg.Wait()
	})
}

func TestPrepareGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, g := connect(t)
		defer g.conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		// The gateway reads nothing at all: the stream is blocked, and Prepare must return all the same.
		if _, err := l.Prepare(ctx, one("g1")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if _, err := l.Prepare(ctx, one("g1")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with an ended context: %v", err)
		}
		if f := g.next(change.TypePrepare); f.ID != 1 {
			t.Errorf("prepare %d", f.ID)
		}
		if f := g.next(change.TypeAbort); f.ID != 1 {
			t.Errorf("abort %d", f.ID)
		}
		g.send(change.Frame{Type: change.TypeAck, ID: 1}) // too late; it must do no harm
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := l.Prepare(t.Context(), one("g2")); err != nil {
				t.Error(err)
			}
		})
		if f := g.next(change.TypePrepare); f.ID != 2 {
			t.Errorf("the next prepare has the id %d", f.ID)
		}
		g.send(change.Frame{Type: change.TypeAck, ID: 2})
		wg.Wait()
	})
}

func TestALostStreamFailsEveryPrepare(t *testing.T) {
	for name, lose := range map[string]func(*gateway){
		"the gateway is gone":         func(g *gateway) { g.conn.Close() },
		"the gateway talks nonsense":  func(g *gateway) { g.conn.Write([]byte{0, 0, 0, 1, 99}); g.drain() },
		"the gateway sends a Prepare": func(g *gateway) { g.send(change.Frame{Type: change.TypePrepare, ID: 1}); g.drain() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, g := connect(t)
				errs := make(chan error, 3)
				for i := range 3 {
					go func() {
						_, err := l.Prepare(t.Context(), one(fmt.Sprint(i)))
						errs <- err
					}()
				}
				for range 3 {
					g.next(change.TypePrepare)
				}
				select {
				case <-l.Lost():
					t.Fatal("lost too early")
				default:
				}
				lose(g)
				for range 3 {
					if err := <-errs; !errors.Is(err, ErrLost) {
						t.Errorf("got %v, want ErrLost", err)
					}
				}
				<-l.Lost()
				if _, err := l.Prepare(t.Context(), one("late")); !errors.Is(err, ErrLost) {
					t.Errorf("a later Prepare: %v", err)
				}
				if err := l.Drained(); err == nil {
					t.Error("Drained on a lost stream")
				}
			})
		})
	}
}

func (g *gateway) drain() {
	for {
		if _, err := g.r.Next(); err != nil {
			return
		}
	}
}

func TestPingAndStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, g := connect(t)
		defer g.conn.Close()
		// The link answers even when nobody in the worker does anything, and reads on while its answer waits.
		g.send(change.Frame{Type: change.TypePing})
		g.send(change.Frame{Type: change.TypePing})
		g.next(change.TypePong)
		g.next(change.TypePong)
		select {
		case <-l.Stopping():
			t.Fatal("stopping too early")
		default:
		}
		g.send(change.Frame{Type: change.TypeStop})
		g.send(change.Frame{Type: change.TypeStop})
		<-l.Stopping()
		go l.Failed(strings.Repeat("x", 100<<10))
		if f := g.next(change.TypeFailed); len(f.Reason) != 64<<10 {
			t.Errorf("a reason of %d bytes", len(f.Reason))
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	for _, tc := range []struct {
		name  string
		first change.Frame
		want  string
		tells bool // the gateway is told why
	}{
		{"another version", change.Frame{Type: change.TypeStart, Start: change.Start{Protocol: 99}}, "protocol 99", true},
		{"another frame", change.Frame{Type: change.TypePing}, "expected a start message, got ping", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			worker, conn := net.Pipe()
			defer worker.Close()
			g := &gateway{t, conn, change.NewReader(conn)}
			told := make(chan string, 1)
			go func() {
				g.send(tc.first)
				if f, err := g.r.Next(); err == nil {
					told <- f.Reason
				}
				close(told)
			}()
			_, _, err := Open(worker)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if tc.tells != errors.Is(err, ErrVersion) {
				t.Errorf("the error is %v", err)
			}
			worker.Close()
			if reason := <-told; tc.tells && !strings.Contains(reason, tc.want) {
				t.Errorf("the gateway was told %q", reason)
			}
		})
	}
	worker, conn := net.Pipe()
	conn.Close()
	if _, _, err := Open(worker); err == nil {
		t.Error("opened a stream that had ended")
	}
}
