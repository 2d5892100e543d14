package feed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/parsescale/parsescale/server/change"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is an Applier that keeps what it is told.
type recorder struct {
	mu       sync.Mutex
	prepared []string
	finished []string
	hold     chan struct{} // if not nil, Prepare waits for it
}

func (r *recorder) Prepare(changes []change.Change) func() {
	if r.hold != nil {
		<-r.hold
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for _, c := range changes {
		names = append(names, c.App+"/"+c.Class+":"+c.ObjectID)
	}
	name := strings.Join(names, ",")
	r.prepared = append(r.prepared, name)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.finished = append(r.finished, name)
	}
}

func (r *recorder) lists() (prepared, finished []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.prepared), slices.Clone(r.finished)
}

// worker is the other end of a stream, played by the test frame by frame.
type worker struct {
	t    *testing.T
	conn net.Conn
	r    *change.Reader
}

func (w *worker) send(f change.Frame) {
	w.t.Helper()
	b, err := f.Append(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.conn.Write(b); err != nil {
		w.t.Fatal(err)
	}
}

// next returns the next frame that isn't a ping.
func (w *worker) next(want change.Type) change.Frame {
	w.t.Helper()
	for {
		f, err := w.r.Next()
		if err != nil {
			w.t.Fatal(err)
		}
		if f.Type == change.TypePing && want != change.TypePing {
			continue
		}
		if f.Type != want {
			w.t.Fatalf("got %s, want %s", f.Type, want)
		}
		return f
	}
}

func (w *worker) prepare(id uint64, objects ...string) {
	w.t.Helper()
	f := change.Frame{Type: change.TypePrepare, ID: id}
	for _, o := range objects {
		f.Changes = append(f.Changes, change.Change{App: "forged", Class: "Game", ObjectID: o, Kind: change.Delete})
	}
	w.send(f)
}

func attach(t *testing.T, h *Hub, name string) (*Stream, *worker) {
	t.Helper()
	ours, theirs := net.Pipe()
	w := &worker{t, theirs, change.NewReader(theirs)}
	s := h.Attach(name, ours, change.Start{App: "app", Socket: "/s", Options: []byte(`{}`)})
	if f := w.next(change.TypeStart); f.Start.Protocol != change.Protocol || f.Start.App != "app" {
		t.Fatalf("start says %+v", f.Start)
	}
	return s, w
}

func attachReady(t *testing.T, h *Hub, name string) (*Stream, *worker) {
	t.Helper()
	s, w := attach(t, h, name)
	w.send(change.Frame{Type: change.TypeReady, Ready: change.Ready{Protocol: change.Protocol, PID: 7}})
	<-s.Ready()
	return s, w
}

func TestPrepareIsAppliedBeforeItsAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{hold: make(chan struct{})}
		h := NewHub("app", r, Options{})
		s, w := attachReady(t, h, "w1")
		w.prepare(1, "a", "b")
		acked := false
		go func() {
			w.next(change.TypeAck)
			acked = true
		}()
		synctest.Wait()
		if acked {
			t.Fatal("acknowledged before it was applied")
		}
		close(r.hold)
		synctest.Wait()
		if !acked {
			t.Fatal("not acknowledged after it was applied")
		}
		if p, f := r.lists(); !reflect.DeepEqual(p, []string{"app/Game:a,app/Game:b"}) || len(f) > 0 {
			t.Errorf("prepared %v, finished %v", p, f)
		}
		status := h.Status()
		if len(status.Workers) != 1 || status.Workers[0].Prepared != 1 || status.Workers[0].Position != 1 || status.Workers[0].PID != 7 ||
			status.Workers[0].State != "ready" || status.Changes != 2 || !status.Live {
			t.Errorf("status %+v", status)
		}
		w.send(change.Frame{Type: change.TypeDone, ID: 1})
		w.prepare(2, "c")
		w.next(change.TypeAck)
		w.send(change.Frame{Type: change.TypeAbort, ID: 2})
		s.Stop()
		w.next(change.TypeStop)
		w.send(change.Frame{Type: change.TypeDrained})
		w.conn.Close()
		<-s.Ended()
		if err := s.Err(); err != nil || !h.Live() {
			t.Errorf("after a finished drain: %v, live %v", err, h.Live())
		}
		s.Reaped()
		if _, f := r.lists(); !reflect.DeepEqual(f, []string{"app/Game:a,app/Game:b", "app/Game:c"}) {
			t.Errorf("finished %v", f)
		}
		if st := h.Status(); len(st.Workers) != 0 || st.Gaps != 0 || st.Aborts != 1 || st.Prepares != 2 {
			t.Errorf("status %+v", st)
		}
	})
}

// A worker that dies between the Ack and Done may have committed. Until its process is reaped nobody can tell.
func TestALostWorkerLeavesItsChangesInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		h := NewHub("app", r, Options{})
		s1, w1 := attachReady(t, h, "w1")
		s2, w2 := attachReady(t, h, "w2")
		w1.prepare(1, "a")
		w1.next(change.TypeAck)
		w1.prepare(2, "b")
		w1.next(change.TypeAck)
		w1.send(change.Frame{Type: change.TypeDone, ID: 1})
		w1.conn.Close()
		<-s1.Ended()
		if !errors.Is(s1.Err(), ErrGone) || h.Live() {
			t.Errorf("after the loss: %v, live %v", s1.Err(), h.Live())
		}
		if st := h.Status(); st.Gaps != 1 || st.Workers[0].State != "in doubt" || st.Workers[0].Prepared != 1 || st.Workers[0].Error == "" {
			t.Errorf("status %+v", st)
		}
		// The other worker goes on.
		w2.prepare(1, "c")
		w2.next(change.TypeAck)
		w2.send(change.Frame{Type: change.TypeDone, ID: 1})
		synctest.Wait()
		if _, f := r.lists(); !reflect.DeepEqual(f, []string{"app/Game:a", "app/Game:c"}) {
			t.Errorf("finished %v", f)
		}
		s1.Reaped()
		s1.Reaped() // once more does no harm
		if _, f := r.lists(); !reflect.DeepEqual(f, []string{"app/Game:a", "app/Game:c", "app/Game:b"}) || !h.Live() {
			t.Errorf("after it was reaped: finished %v, live %v", f, h.Live())
		}
		w2.conn.Close()
		s2.Reaped()
	})
}

// The last frames of a worker that has ended well are served even if its process is reaped first.
func TestReapedWaitsForTheLastFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub("app", &recorder{}, Options{})
		s, w := attachReady(t, h, "w")
		go func() {
			time.Sleep(lastWords / 2)
			w.send(change.Frame{Type: change.TypeDrained})
			w.conn.Close()
		}()
		s.Reaped()
		if s.Err() != nil || h.Status().Gaps != 0 {
			t.Errorf("a finished drain counts as %v", s.Err())
		}
		// Something that holds the stream open is cut off.
		s, w = attachReady(t, h, "w")
		defer w.conn.Close()
		s.Reaped()
		if !errors.Is(s.Err(), ErrGone) || !h.Live() {
			t.Errorf("%v, live %v", s.Err(), h.Live())
		}
	})
}

// mute is the stream of a worker that has ended: nothing can be written to it, and what it had said is read later.
type mute struct {
	said   io.Reader
	closed chan struct{}
}

func (m *mute) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func (m *mute) Read(b []byte) (int, error) {
	select {
	case <-m.closed:
		return 0, net.ErrClosed
	case <-time.After(lastWords / 4):
		return m.said.Read(b)
	}
}

func (m *mute) Close() error {
	select {
	case <-m.closed:
	default:
		close(m.closed)
	}
	return nil
}

// What a worker has said before it ended is heard, though a ping finds that it has ended.
func TestLastWordsAreHeard(t *testing.T) {
	for _, tc := range []struct {
		name   string
		frames []change.Frame
		want   error
		doubt  int // writes
	}{
		{"why it can't serve", []change.Frame{{Type: change.TypeFailed, Reason: "it is on fire"}}, ErrFailed, 0},
		{"that it has drained", []change.Frame{{Type: change.TypeDrained}}, nil, 0},
		{"that a write is done", []change.Frame{{Type: change.TypePrepare, ID: 1, Changes: []change.Change{{Class: "A", ObjectID: "a", Kind: change.Update}}}, {Type: change.TypeDone, ID: 1}, {Type: change.TypeDrained}}, nil, 0},
		{"nothing", nil, ErrGone, 0},
		{"half a write", []change.Frame{{Type: change.TypePrepare, ID: 1, Changes: []change.Change{{Class: "A", ObjectID: "a", Kind: change.Update}}}}, ErrGone, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var said []byte
				for i := range tc.frames {
					said, _ = tc.frames[i].Append(said)
				}
				h := NewHub("app", &recorder{}, Options{})
				s := h.Attach("w", &mute{bytes.NewReader(said), make(chan struct{})}, change.Start{})
				<-s.Ended()
				if !errors.Is(s.Err(), tc.want) || h.Live() != (tc.want == nil) {
					t.Errorf("the stream ended with %v, live %v", s.Err(), h.Live())
				}
				if all := h.Status().Workers; tc.want != nil && all[0].Prepared != tc.doubt {
					t.Errorf("%d writes are in doubt", all[0].Prepared)
				}
				s.Reaped()
			})
		})
	}
}

func TestASilentWorkerIsCutOff(t *testing.T) {
	for _, tc := range []struct {
		name string
		play func(w *worker, stop <-chan struct{})
		lost bool
	}{
		{"answers", func(w *worker, _ <-chan struct{}) {
			for {
				f, err := w.r.Next()
				if err != nil {
					return
				}
				if f.Type == change.TypePing {
					b, _ := (&change.Frame{Type: change.TypePong}).Append(nil)
					if _, err := w.conn.Write(b); err != nil {
						return
					}
				}
			}
		}, false},
		{"reads and says nothing", func(w *worker, _ <-chan struct{}) {
			for {
				if _, err := w.r.Next(); err != nil {
					return
				}
			}
		}, true},
		{"is stopped: doesn't even read", func(_ *worker, stop <-chan struct{}) { <-stop }, true},
		{"writes instead of answering", func(w *worker, stop <-chan struct{}) {
			go func() {
				for {
					if _, err := w.r.Next(); err != nil {
						return
					}
				}
			}()
			for id := uint64(1); ; id++ {
				select {
				case <-stop:
					return
				case <-time.After(3 * time.Second):
					w.prepare(id, fmt.Sprint(id))
					w.send(change.Frame{Type: change.TypeDone, ID: id})
				}
			}
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := NewHub("app", &recorder{}, Options{})
				s, w := attachReady(t, h, "w")
				stop := make(chan struct{})
				played := make(chan struct{})
				go func() {
					defer close(played)
					tc.play(w, stop)
				}()
				start := time.Now()
				select {
				case <-s.Ended():
					if !tc.lost {
						t.Errorf("cut off after %v: %v", time.Since(start), s.Err())
					}
					if d := time.Since(start); d < 5*time.Second || d > 7*time.Second || !errors.Is(s.Err(), ErrSilent) {
						t.Errorf("after %v: %v", d, s.Err())
					}
					if h.Live() {
						t.Error("the hub is live while the silent process isn't reaped")
					}
				case <-time.After(time.Minute):
					if tc.lost {
						t.Error("not cut off within a minute")
					}
				}
				close(stop)
				synctest.Wait() // it may be in the middle of a frame
				w.conn.Close()
				<-played
				s.Reaped()
			})
		})
	}
}

func TestASlowApplierIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{hold: make(chan struct{})}
		h := NewHub("app", r, Options{})
		s, w := attachReady(t, h, "w")
		w.prepare(1, "a")
		go func() {
			for { // reads its pings, and can't be heard answering
				if _, err := w.r.Next(); err != nil {
					return
				}
			}
		}()
		time.Sleep(20 * time.Second)
		if s.Err() != nil {
			t.Errorf("cut off: %v", s.Err())
		}
		close(r.hold)
		synctest.Wait()
		w.conn.Close()
		s.Reaped()
	})
}

func TestHandshake(t *testing.T) {
	for _, tc := range []struct {
		name string
		play func(*worker)
		want error
		text string
	}{
		{"another version", func(w *worker) { w.send(change.Frame{Type: change.TypeReady, Ready: change.Ready{Protocol: 99}}) }, ErrVersion, "the worker 99"},
		{"fails", func(w *worker) { w.send(change.Frame{Type: change.TypeFailed, Reason: "no database"}) }, ErrFailed, "no database"},
		{"never heard", func(*worker) {}, ErrNotReady, "1m0s"},
		{"answers, and is never ready", func(w *worker) {
			go func() {
				for {
					f, err := w.r.Next()
					if err != nil {
						return
					}
					if b, _ := (&change.Frame{Type: change.TypePong}).Append(nil); f.Type == change.TypePing {
						_, _ = w.conn.Write(b)
					}
				}
			}()
		}, ErrNotReady, "1m0s"},
		{"is stopped while it starts", func(w *worker) {
			w.next(change.TypePing)
			w.send(change.Frame{Type: change.TypePong})
		}, ErrSilent, "5s"},
		{"ends", func(w *worker) { w.conn.Close() }, ErrGone, ""},
		{"ends inside a frame", func(w *worker) { w.conn.Write([]byte{0, 0, 0, 9, 5}); w.conn.Close() }, ErrGone, ""},
		{"talks nonsense", func(w *worker) { w.conn.Write([]byte{0, 0, 0, 1, 99}) }, change.ErrMalformed, ""},
		{"sends a gateway's frame", func(w *worker) { w.send(change.Frame{Type: change.TypeAck, ID: 1}) }, ErrProtocol, "unexpected ack"},
		{"is done with what it didn't prepare", func(w *worker) { w.send(change.Frame{Type: change.TypeDone, ID: 1}) }, ErrProtocol, "isn't open"},
		{"skips a number", func(w *worker) { w.prepare(2, "a") }, ErrProtocol, "prepare 2 after 0"},
		{"is drained with open writes", func(w *worker) {
			w.prepare(1, "a")
			w.next(change.TypeAck)
			w.send(change.Frame{Type: change.TypeDrained})
		}, ErrProtocol, "1 writes"},
		{"writes after it was drained", func(w *worker) {
			w.send(change.Frame{Type: change.TypeDrained})
			w.prepare(1, "a")
		}, ErrProtocol, "after it was drained"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := NewHub("app", &recorder{}, Options{})
				s, w := attach(t, h, "w")
				tc.play(w)
				<-s.Ended()
				if err := s.Err(); !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) {
					t.Errorf("got %v, want %v with %q", err, tc.want, tc.text)
				}
				select {
				case <-s.Ready():
					t.Error("it counts as ready")
				default:
				}
				if h.Live() {
					t.Error("live before it was reaped")
				}
				s.Reaped()
				if !h.Live() {
					t.Error("not live after it was reaped")
				}
				w.conn.Close()
			})
		})
	}
}

// A worker may write before it is ready, to set up its database.
func TestAWorkerMayWriteBeforeItIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		h := NewHub("app", r, Options{})
		s, w := attach(t, h, "w")
		w.prepare(1, "a")
		w.next(change.TypeAck)
		w.send(change.Frame{Type: change.TypeDone, ID: 1})
		synctest.Wait()
		if p, f := r.lists(); len(p) != 1 || len(f) != 1 {
			t.Errorf("prepared %v, finished %v", p, f)
		}
		w.conn.Close()
		s.Reaped()
	})
}
