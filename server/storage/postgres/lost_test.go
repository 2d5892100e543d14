package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/storetest"
	"github.com/parsescale/parsescale/server/testservices"
)

// wire is a connection to the server that can be cut at a COMMIT, or another statement that ends a transaction: after it
// has arrived, before its answer has.
type wire struct {
	at       string // how that statement begins
	listener net.Listener
	server   string
	cut      atomic.Bool   // at the next COMMIT
	before   bool          // cut before the COMMIT arrives
	late     chan struct{} // if not nil: the COMMIT arrives once it is closed
	arrived  chan struct{} // closed when it has arrived then
	down     atomic.Bool   // nobody gets through
	mute     atomic.Bool   // no answer gets through
}

// through returns an address that leads through a wire to the same database.
func through(t *testing.T, uri string) (*wire, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	address := uri[strings.LastIndexByte(uri, '@')+1 : strings.LastIndexByte(uri, '/')]
	w := &wire{at: "COMMIT\x00", listener: l, server: address}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go w.serve(client)
		}
	}()
	return w, strings.Replace(uri, address, l.Addr().String(), 1)
}

func (w *wire) serve(client net.Conn) {
	defer client.Close()
	if w.down.Load() {
		return
	}
	server, err := net.Dial("tcp", w.server)
	if err != nil {
		return
	}
	defer server.Close()
	dead := make(chan struct{})
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil {
				client.Close()
				return
			}
			select {
			case <-dead:
				_, _ = io.Copy(io.Discard, server)
				return
			default:
			}
			for w.mute.Load() {
				time.Sleep(10 * time.Millisecond)
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	last := "\x00never"
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		// The name under which it was prepared stands in the message that runs it.
		if i := bytes.Index(buf[:n], []byte("\x00"+w.at)); i >= 0 {
			start := bytes.LastIndexByte(buf[:i], 'P') + 5
			if last = "\x00" + string(buf[start:i]) + "\x00"; start == i {
				last = "\x00" + w.at // it has none, and is parsed each time
			}
		}
		if bytes.Contains(buf[:n], []byte(last)) && w.cut.CompareAndSwap(true, false) {
			close(dead)
			if w.before {
				return
			}
			if w.late != nil {
				client.Close()
				<-w.late
				defer close(w.arrived)
			}
			_, _ = server.Write(buf[:n])
			time.Sleep(300 * time.Millisecond) // it commits
			return
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// TestCommitWithoutAnswer: with an id a write happens once and is answered, whether its commit arrived or not; without one
// the outcome is said to be unknown.
func TestCommitWithoutAnswer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before bool
		id     string
		err    error
		kept   string
		ends   string // what the announcer is told of the write; "": there is none
		hasty  bool
	}{
		{"committed, with an id", false, "w1", nil, "first x", "[true]", false},
		{"not committed, with an id", true, "w1", nil, "first x", "[false true]", false},
		{"committed, announced without an id", false, "", nil, "first x", "[true]", false},
		{"not committed, announced without an id", true, "", nil, "first x", "[false true]", false},
		{"committed, without an id", false, "", storage.ErrUnknownOutcome, "first x", "", false},
		{"not committed, without an id", true, "", storage.ErrUnknownOutcome, "first", "", false},
		{"last statement committed, with an id", false, "w1", nil, "first x", "[true]", true},
		{"last statement not committed, with an id", true, "w1", nil, "first x", "[false true]", true},
		{"last statement committed, announced without an id", false, "", nil, "first x", "[true]", true},
		{"last statement not committed, announced without an id", true, "", nil, "first x", "[false true]", true},
		{"last statement committed, without an id", false, "", storage.ErrUnknownOutcome, "first x", "", true},
		{"last statement not committed, without an id", true, "", storage.ErrUnknownOutcome, "first", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := &announced{}
			w, uri := through(t, database(t))
			w.before = tt.before
			var s storage.Store = open(t, uri, func(o *Options) {
				if tt.ends != "" {
					o.Announcer = a
				}
			})
			if tt.hasty {
				w.at = `INSERT INTO "A"`
				s = storetest.Hasty(s)
			}
			c := storetest.PutClass(t, s, "A")
			storetest.Insert(t, s, c, `{"objectId":"first"}`)
			w.cut.Store(true)
			result, _, err := s.Write(ctx, tt.id, func(tx storage.Tx) ([]byte, error) {
				tx.Emit(change.Change{Class: "A", ObjectID: "x", Kind: change.Create})
				return []byte("done"), tx.Insert(ctx, c, storage.Object{"objectId": "x"})
			})
			if !errors.Is(err, tt.err) || tt.err == nil && string(result) != "done" {
				t.Errorf("answered %q, %v", result, err)
			}
			if w.cut.Load() {
				t.Error("the connection wasn't cut")
			}
			if got := storetest.All(t, s, "A"); got != tt.kept {
				t.Errorf("kept %q", got)
			}
			if got := fmt.Sprint(a.finished); tt.ends != "" && got != tt.ends {
				t.Errorf("the announcer was told %s, want %s", got, tt.ends)
			}
			if tt.id != "" {
				again, repeated, err := s.Write(ctx, tt.id, func(tx storage.Tx) ([]byte, error) {
					return nil, tx.Insert(ctx, c, storage.Object{"objectId": "y"})
				})
				if string(again) != "done" || !repeated || err != nil {
					t.Errorf("repeated: %q, %v, %v", again, repeated, err)
				}
			}
		})
	}
}

// TestCommitThatComesLate: a commit that wasn't answered, and that hasn't arrived when the write is tried again and fails,
// is never done. The announcer hears that it wasn't only when that is certain.
func TestCommitThatComesLate(t *testing.T) {
	a := &announced{}
	w, uri := through(t, database(t))
	w.late, w.arrived = make(chan struct{}), make(chan struct{})
	s := open(t, uri, func(o *Options) { o.Announcer = a })
	c := storetest.PutClass(t, s, "A")
	storetest.Insert(t, s, c, `{"objectId":"first"}`)
	w.cut.Store(true)
	no, tries := errors.New("no"), 0
	_, _, err := s.Write(ctx, "w1", func(tx storage.Tx) ([]byte, error) {
		if tries++; tries > 1 {
			return nil, no
		}
		tx.Emit(change.Change{Class: "A", ObjectID: "x", Kind: change.Create})
		return []byte("done"), tx.Insert(ctx, c, storage.Object{"objectId": "x"})
	})
	if !errors.Is(err, no) || tries != 2 {
		t.Errorf("%d tries, the last: %v", tries, err)
	}
	if got := fmt.Sprint(a.finished); got != "[false]" {
		t.Errorf("the announcer was told %s", got)
	}
	close(w.late)
	<-w.arrived
	if got := storetest.All(t, s, "A"); got != "first" {
		t.Errorf("kept %q", got)
	}
	// The id is free for who sends the write again.
	again, repeated, err := s.Write(ctx, "w1", func(tx storage.Tx) ([]byte, error) {
		return []byte("done"), tx.Insert(ctx, c, storage.Object{"objectId": "y"})
	})
	if string(again) != "done" || repeated || err != nil {
		t.Errorf("once more: %q, %v, %v", again, repeated, err)
	}
	if result, found, err := s.Written(ctx, "w1"); !found || string(result) != "done" || err != nil {
		t.Errorf("its result is %q, %v, %v", result, found, err)
	}
}

// TestCommitInDoubtForLong: while nobody can say whether a commit arrives, the announcer isn't told that it is over, though the
// client has been told that it isn't known. Once the server can be reached the session is ended, or the id claimed where a pooler
// knows the session alone, and nothing can arrive any more.
func TestCommitInDoubtForLong(t *testing.T) {
	pooler := server(t).StartPgBouncer(t, "transaction")
	for _, test := range []struct {
		id     string
		pooled bool
	}{{"w1", false}, {"", false}, {"w1", true}, {"", true}} {
		a, id, address := &announced{}, test.id, database(t)
		if test.pooled {
			address = pooler.Through(t, address)
		}
		w, uri := through(t, address)
		w.late, w.arrived = make(chan struct{}), make(chan struct{})
		s := open(t, uri, func(o *Options) { o.Announcer, o.Timeout = a, 200*time.Millisecond })
		c := storetest.PutClass(t, s, "A")
		storetest.Insert(t, s, c, `{"objectId":"first"}`)
		told := a.ends()
		w.cut.Store(true)
		_, _, err := s.Write(ctx, id, func(tx storage.Tx) ([]byte, error) {
			w.down.Store(true) // for new connections
			tx.Emit(change.Change{Class: "A", ObjectID: "x", Kind: change.Create})
			return []byte("done"), tx.Insert(ctx, c, storage.Object{"objectId": "x"})
		})
		if !errors.Is(err, storage.ErrUnknownOutcome) {
			t.Errorf("id %q: %v", id, err)
		}
		time.Sleep(100 * time.Millisecond)
		if got := a.ends(); got != told {
			t.Errorf("id %q: the announcer was told %s while the commit may arrive", id, got)
		}
		w.down.Store(false)
		for end := time.Now().Add(20 * time.Second); a.ends() == told && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		if got := a.ends(); got == told {
			t.Errorf("id %q: the announcer was never told", id)
		}
		close(w.late)
		<-w.arrived
		if got := storetest.All(t, s, "A"); got != "first" {
			t.Errorf("id %q: kept %q", id, got)
		}
	}
}

// claimed leaves a claim under an id, as a write does that failed after a commit that wasn't answered.
func claimed(t *testing.T, s *Store, id string) {
	t.Helper()
	err := s.use(ctx, func(c *conn) error {
		return c.exec(sqlClaimKnown, id, instant(time.Now().Add(time.Minute)), instant(time.Now()))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTwoWritersOverAClaim: of two who do the write of an id at the same time one does it, whether there is a claim or not.
func TestTwoWritersOverAClaim(t *testing.T) {
	for _, hasty := range []bool{false, true} {
		inner := open(t, database(t))
		var s storage.Store = inner
		if hasty {
			s = storetest.Hasty(inner)
		}
		c := storetest.PutClass(t, s, "A", "n Number")
		storetest.Insert(t, s, c, `{"objectId":"counter","n":0}`)
		claimed(t, inner, "w1")
		in, out, done := make(chan struct{}), make(chan struct{}), make(chan error)
		tries := 0
		go func() {
			result, repeated, err := s.Write(ctx, "w1", func(tx storage.Tx) ([]byte, error) {
				err := tx.Insert(ctx, c, storage.Object{"objectId": "a"})
				if tries++; tries == 1 {
					close(in)
					<-out
				}
				return []byte("a"), err
			})
			if err == nil && (!repeated || string(result) != "b") {
				err = fmt.Errorf("answered %q, repeated %v", result, repeated)
			}
			done <- err
		}()
		<-in
		result, repeated, err := s.Write(ctx, "w1", func(tx storage.Tx) ([]byte, error) {
			return []byte("b"), tx.Insert(ctx, c, storage.Object{"objectId": "b"})
		})
		if string(result) != "b" || repeated || err != nil {
			t.Errorf("the second: %q, %v, %v", result, repeated, err)
		}
		close(out)
		if err := <-done; err != nil {
			t.Errorf("hasty %v: the first: %v", hasty, err)
		}
		if got := storetest.All(t, s, "A"); got != "b counter" {
			t.Errorf("hasty %v: kept %q", hasty, got)
		}
	}
}

// TestCommitOverAClaim: a commit that isn't answered is settled as ever where there is a claim under its id, and one that
// comes late over a claim is never done.
func TestCommitOverAClaim(t *testing.T) {
	for _, late := range []bool{false, true} {
		a := &announced{}
		w, uri := through(t, database(t))
		if w.before = !late; late {
			w.late, w.arrived = make(chan struct{}), make(chan struct{})
		}
		s := open(t, uri, func(o *Options) { o.Announcer = a })
		c := storetest.PutClass(t, s, "A")
		claimed(t, s, "w1")
		w.cut.Store(true)
		tries := 0
		result, repeated, err := s.Write(ctx, "w1", func(tx storage.Tx) ([]byte, error) {
			tries++
			tx.Emit(change.Change{Class: "A", ObjectID: "x", Kind: change.Create})
			return []byte(fmt.Sprint("try ", tries)), tx.Insert(ctx, c, storage.Object{"objectId": fmt.Sprint("x", tries)})
		})
		if string(result) != "try 2" || repeated || err != nil {
			t.Errorf("late %v: %q, %v, %v", late, result, repeated, err)
		}
		if late {
			close(w.late)
			<-w.arrived
		}
		if got := storetest.All(t, s, "A"); got != "x2" {
			t.Errorf("late %v: kept %q", late, got)
		}
		if got := fmt.Sprint(a.finished); got != "[false true]" {
			t.Errorf("late %v: the announcer was told %s", late, got)
		}
	}
}

// TestLostConnections: connections that the server has ended are replaced, without anybody's noticing.
func TestLostConnections(t *testing.T) {
	p, uri := testservices.SharedDatabase(t)
	inner := open(t, uri)
	s := storetest.Hasty(inner)
	c := storetest.PutClass(t, s, "A", "n Number")
	for i := range 5 {
		name := inner.primary.location.config.Database
		if _, err := p.Query("postgres", `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '`+name+`'`); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // it has to be known here
		if i%2 == 0 {
			storetest.Insert(t, s, c, fmt.Sprintf(`{"objectId":"o%d"}`, i))
		}
		storetest.All(t, s, "A")
	}
	if got := storetest.All(t, s, "A"); got != "o0 o2 o4" {
		t.Errorf("kept %q", got)
	}
}

// TestDatabaseDown: while the database is away everything fails soon and clearly; when it is back all goes on.
func TestDatabaseDown(t *testing.T) {
	p := testservices.StartPostgreSQL(t)
	s := open(t, p.URI, func(o *Options) { o.Timeout = 2 * time.Second })
	c := storetest.PutClass(t, s, "A", "n Number")
	storetest.Insert(t, s, c, `{"objectId":"1"}`)
	insert := func(id string) error {
		return storetest.Try(s, func(tx storage.Tx) error { return tx.Insert(ctx, c, storage.Object{"objectId": id}) })
	}
	for _, stop := range []func(){p.Stop, p.Kill} {
		stop()
		start := time.Now()
		err := s.Read(ctx, func(sn storage.Snapshot) error { _, err := sn.Get(ctx, c, "1"); return err })
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("Read: %v", err)
		}
		if err := insert("2"); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("Write: %v", err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		p.Start(t)
		if o := storetest.Get(t, s, "A", "1"); o == nil {
			t.Error("the object is gone")
		}
	}
	if err := insert("3"); err != nil {
		t.Error(err)
	}
	if got := storetest.All(t, s, "A"); got != "1 3" {
		t.Errorf("kept %q", got)
	}
}

// TestFailOver: with both hosts in the address, the store goes on with the standby once that takes writes.
func TestFailOver(t *testing.T) {
	p := testservices.StartPostgreSQL(t)
	standby := p.StartStandby(t)
	uri := "postgres://postgres@" + p.Address() + "," + standby.Address() + "/parse?target_session_attrs=read-write"
	s := open(t, uri, func(o *Options) { o.Timeout = 2 * time.Second })
	c := storetest.PutClass(t, s, "A", "n Number")
	storetest.Insert(t, s, c, `{"objectId":"1"}`)
	if err := await(func() error {
		got, err := standby.Query("parse", `SELECT count(*) FROM "A"`)
		if err == nil && got != "1" {
			err = errors.New("it lags")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	if err := storetest.Try(s, func(tx storage.Tx) error { return tx.Insert(ctx, c, storage.Object{"objectId": "2"}) }); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("without a primary: %v", err)
	}
	standby.Promote(t)
	if err := storetest.Try(s, func(tx storage.Tx) error { return tx.Insert(ctx, c, storage.Object{"objectId": "3"}) }); err != nil {
		t.Error(err)
	}
	storetest.PutClass(t, s, "B", "s String")
	if got := storetest.All(t, s, "A"); got != "1 3" {
		t.Errorf("kept %q", got)
	}
}

func await(ready func() error) error {
	var err error
	for range 200 {
		if err = ready(); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

// TestCanceledFind: a find whose client is gone ends, on the server too, and the store goes on.
func TestCanceledFind(t *testing.T) {
	p, uri := testservices.SharedDatabase(t)
	t.Run("direct", func(t *testing.T) { canceledFind(t, p, uri) })
	_, uri = testservices.SharedDatabase(t)
	t.Run("through a pooler", func(t *testing.T) { canceledFind(t, p, p.StartPgBouncer(t, "transaction").Through(t, uri)) })
}

func canceledFind(t *testing.T, p *testservices.PostgreSQL, uri string) {
	s := open(t, uri)
	c := storetest.PutClass(t, s, "A", "n Number")
	storetest.Insert(t, s, c, `{"objectId":"1"}`)
	name := s.primary.location.config.Database
	if err := p.SQL(name, `ALTER TABLE "A" RENAME TO "A2"; CREATE VIEW "A" AS SELECT "A2".* FROM "A2", pg_sleep(30)`); err != nil {
		t.Fatal(err)
	}
	limited, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := s.Read(limited, func(sn storage.Snapshot) error {
		sch, err := sn.Schema(limited)
		if err != nil {
			return err
		}
		return sn.Find(limited, &storage.Find{Schema: sch, Class: sch.Class("A"), Limit: -1}, func(storage.Row) error { return nil })
	})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	if err := await(func() error {
		got, err := p.Query(name, `SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND datname = current_database() AND query LIKE '%FROM "A"%' AND pid <> pg_backend_pid()`)
		if err == nil && got != "0" {
			err = errors.New("it still runs")
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// TestClosedInDoubt: a store that is closed before it is known what became of a commit leaves it open: the announcer isn't told that
// it is over, so that the worker can't say that it is drained.
func TestClosedInDoubt(t *testing.T) {
	a := &announced{}
	w, uri := through(t, database(t))
	w.late, w.arrived = make(chan struct{}), make(chan struct{})
	s, err := Open(t.Context(), Options{URI: uri, App: "app", Announcer: a, Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	c := storetest.PutClass(t, s, "A")
	told := a.ends()
	w.cut.Store(true)
	_, _, err = s.Write(ctx, "", func(tx storage.Tx) ([]byte, error) {
		w.down.Store(true)
		tx.Emit(change.Change{Class: "A", ObjectID: "x", Kind: change.Create})
		return nil, tx.Insert(ctx, c, storage.Object{"objectId": "x"})
	})
	if !errors.Is(err, storage.ErrUnknownOutcome) {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	if got := a.ends(); got != told {
		t.Errorf("the announcer was told %s", got)
	}
	close(w.late)
	<-w.arrived
}
