package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/storetest"
)

// holdID has a transaction under way that stores a result under an id, as a commit that waits for a standby.
const holdID = `INSERT INTO parsescale._write (id, result, expires) SELECT 'w' || n, '', now() + interval '1 hour' FROM generate_series(1, 8) AS n`

// TestCommitHeldUp: a commit in doubt that the server neither does nor undoes holds up neither the client for ever nor the
// only connection. The announcer isn't told that it is over as long as it may be done.
func TestCommitHeldUp(t *testing.T) {
	pooler := server(t).StartPgBouncer(t, "transaction")
	for _, pooled := range []bool{false, true} {
		a, direct := &announced{}, database(t)
		address := direct
		if pooled {
			address = pooler.Through(t, direct)
		}
		w, uri := through(t, address)
		w.late, w.arrived = make(chan struct{}), make(chan struct{})
		s := open(t, uri+"?max=1", func(o *Options) { o.Announcer, o.Timeout = a, 200*time.Millisecond })
		c := storetest.PutClass(t, s, "A")
		storetest.Insert(t, s, c, `{"objectId":"first"}`)
		undo := hold(t, open(t, direct), holdID)
		arrive := sync.OnceFunc(func() { close(w.late); <-w.arrived })
		told := a.ends()
		w.cut.Store(true)
		ended := make(chan error, 1)
		go func() {
			_, _, err := s.Write(ctx, "w1", func(tx storage.Tx) ([]byte, error) {
				tx.Emit(change.Change{Class: "A", ObjectID: "x", Kind: change.Create})
				return []byte("done"), tx.Insert(ctx, c, storage.Object{"objectId": "x"})
			})
			ended <- err
		}()
		select {
		case err := <-ended:
			if !errors.Is(err, storage.ErrUnknownOutcome) {
				t.Errorf("pooled %t: %v", pooled, err)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("pooled %t: the client waits for the commit", pooled)
			undo()
			arrive()
			<-ended
		}
		if err := await(func() error {
			_, err := lookUp(t, s, "A", "first", func(storage.Row) error { return nil })
			return err
		}); err != nil {
			t.Errorf("pooled %t: a read: %v", pooled, err)
		}
		if got := a.ends(); pooled && got != told {
			t.Errorf("the announcer was told %s while the commit may be done", got)
		}
		undo()
		_ = await(func() error {
			if a.ends() == told {
				return errors.New("nothing")
			}
			return nil
		})
		if got, want := a.ends(), fmt.Sprint([]bool{!pooled}); got != want {
			t.Errorf("pooled %t: in the end the announcer was told %s, want %s", pooled, got, want)
		}
		arrive()
		if got := storetest.All(t, s, "A"); got != "first" {
			t.Errorf("pooled %t: kept %q", pooled, got)
		}
	}
}

// TestManyCommitsHeldUp: however many commits in doubt are held up, one connection is used to settle them, and isn't lost by that.
func TestManyCommitsHeldUp(t *testing.T) {
	s := open(t, database(t), func(o *Options) { o.Timeout = time.Second })
	var dialed atomic.Int64
	dial := s.primary.location.config.DialFunc
	s.primary.location.config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialed.Add(1)
		return dial(ctx, network, addr)
	}
	undo := hold(t, open(t, s.options.URI), holdID)
	var over sync.WaitGroup
	for i := range 8 {
		over.Add(1)
		w := &write{Store: s, id: fmt.Sprint("w", i+1), since: time.Now(), lost: []uint32{0}, doubt: func(committed bool) {
			if committed {
				t.Error("it is said to have been done")
			}
			over.Done()
		}}
		w.leave()
	}
	most := 0
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		most = max(most, len(s.primary.slots))
	}
	if most != 1 {
		t.Errorf("%d connections were in use", most)
	}
	if n := dialed.Load(); n > 1 {
		t.Errorf("%d connections were opened", n)
	}
	undo()
	over.Wait()
}

// TestCommitInDoubtLongerThanItsResult: once the result of a write might have been deleted, that there is none doesn't mean that it
// wasn't done.
func TestCommitInDoubtLongerThanItsResult(t *testing.T) {
	var later atomic.Int64
	s := open(t, database(t), func(o *Options) {
		o.Clock = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	})
	c := storetest.PutClass(t, s, "A")
	for _, passed := range []time.Duration{0, s.options.WriteIDTTL + time.Second} {
		later.Store(0)
		id := fmt.Sprint("w", passed)
		w := &write{Store: s, id: id, since: s.options.Clock()}
		if _, _, err := create(s, id, c, storage.Object{"objectId": id}); err != nil {
			t.Fatal(err)
		}
		later.Store(int64(passed))
		committed := false
		if over := w.over(0, &committed); !over || !committed {
			t.Errorf("after %v: over %t, committed %t", passed, over, committed)
		}
	}
}

// TestClaimMadeOnceMore: a claim whose connection was lost, and that is made once more, isn't free because it was at first: what was in
// doubt may have been done between.
func TestClaimMadeOnceMore(t *testing.T) {
	s := open(t, database(t))
	c := storetest.PutClass(t, s, "A")
	other := open(t, s.options.URI)
	s.primary.drop()
	var begun atomic.Bool
	dial := s.primary.location.config.DialFunc
	s.primary.location.config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if begun.Swap(true) {
			return conn, err
		}
		return &undone{Conn: conn, statement: []byte(claimKnown), then: func() {
			if _, _, err := create(other, "w1", c, storage.Object{"objectId": "x"}); err != nil {
				t.Error(err)
			}
		}}, err
	}
	committed := false
	w := &write{Store: s, id: "w1", since: time.Now()}
	if over := w.over(0, &committed); !over || !committed {
		t.Errorf("over %t, committed %t", over, committed)
	}
	if got := storetest.All(t, s, "A"); got != "x" {
		t.Errorf("kept %q: the claim wasn't undone", got)
	}
}

// undone is a connection on which the answer to a statement arrives, but is lost before its transaction ends. then is called after.
type undone struct {
	net.Conn
	statement []byte
	sent      bool
	answered  bool
	then      func()
}

var (
	syncMessage  = []byte{'S', 0, 0, 0, 4}
	flushMessage = []byte{'H', 0, 0, 0, 4}
)

func (u *undone) Write(p []byte) (int, error) {
	if bytes.Contains(p, u.statement) && bytes.HasSuffix(p, syncMessage) {
		u.sent = true
		_, err := u.Conn.Write(append(bytes.TrimSuffix(p, syncMessage), flushMessage...))
		return len(p), err
	}
	return u.Conn.Write(p)
}

func (u *undone) Read(p []byte) (int, error) {
	if u.answered {
		return 0, io.EOF
	}
	n, err := u.Conn.Read(p)
	if u.sent && bytes.Contains(p[:n], []byte("INSERT 0 1\x00")) {
		u.answered = true
		u.Conn.Close()
		u.then()
	}
	return n, err
}

// TestClaimCalledOff: a claim that is held up and called off loses its own connection, not those that nobody uses.
func TestClaimCalledOff(t *testing.T) {
	s := open(t, database(t), func(o *Options) { o.Timeout = 200 * time.Millisecond })
	undo := hold(t, open(t, s.options.URI), holdID)
	defer undo()
	var conns []*conn
	for range 3 {
		c, err := s.primary.take(ctx, false)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	for _, c := range conns {
		s.primary.give(c)
	}
	w := &write{Store: s, id: "w1", since: time.Now(), fresh: true, doubt: func(bool) {}, f: func(storage.Tx) ([]byte, error) { return nil, nil }}
	if o := w.try(ctx); !o.again || !errors.Is(o.err, storage.ErrUnavailable) {
		t.Errorf("the claim was not called off: %v", o.err)
	}
	s.primary.mu.Lock()
	defer s.primary.mu.Unlock()
	if idle := len(s.primary.idle); idle != 3 {
		t.Errorf("%d connections are left", idle)
	}
}
