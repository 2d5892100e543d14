package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/storetest"
)

// lockTable locks a table against everybody, as a change of the table by another program does, until unlock is called.
func lockTable(t *testing.T, s *Store, name ...string) (unlock func()) {
	t.Helper()
	return hold(t, s, `LOCK TABLE "`+strings.Join(name, `"."`)+`" IN ACCESS EXCLUSIVE MODE`)
}

// hold runs a statement in a transaction that lasts until it is undone.
func hold(t *testing.T, s *Store, sql string) (undo func()) {
	t.Helper()
	locked, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.use(context.Background(), func(c *conn) error {
			err := c.script("BEGIN; " + sql)
			close(locked)
			<-end
			return errors.Join(err, c.script("ROLLBACK"))
		})
	}()
	<-locked
	return sync.OnceFunc(func() {
		close(end)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestReadsOfALockedTable: whoever asks about an object of a class that is locked waits as long as its own context lasts,
// alone or together with others, and leaves nothing behind that others would miss.
func TestReadsOfALockedTable(t *testing.T) {
	s := open(t, database(t))
	c := storetest.PutClass(t, s, "A", "n Number", "r Relation A")
	storetest.Insert(t, s, c, `{"objectId":"1","n":1}`)
	unlock := lockTable(t, open(t, s.options.URI), "A")
	defer unlock()
	gone, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	where := storetest.Where(t, `{"objectId":"1"}`)
	find := func(ctx context.Context, last bool) error {
		return s.Read(ctx, func(sn storage.Snapshot) error {
			sch, err := sn.Schema(ctx)
			if err != nil {
				return err
			}
			return sn.Find(ctx, &storage.Find{Schema: sch, Class: sch.Classes["A"], Where: where, Limit: 1, Last: last}, func(storage.Row) error { return nil })
		})
	}
	reads := map[string]func(ctx context.Context) error{
		"a find among others": func(ctx context.Context) error { return find(ctx, false) },
		"a get": func(ctx context.Context) error {
			return s.Read(ctx, func(sn storage.Snapshot) error { _, err := sn.Get(ctx, c, "1"); return err })
		},
	}
	const together = 2*mostUnderWay + mostMembers
	for i := range together {
		reads[fmt.Sprint("lookup ", i)] = func(ctx context.Context) error { return find(ctx, true) }
	}
	var wg sync.WaitGroup
	begun := time.Now()
	for name, read := range reads {
		wg.Go(func() {
			if err := read(gone); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	ended := make(chan struct{})
	go func() { wg.Wait(); close(ended) }()
	select {
	case <-ended:
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("they waited for %s", took)
		}
	case <-time.After(20 * time.Second):
		t.Error("they wait for the lock")
		unlock()
		<-ended
	}
	// Who is still there is answered once the lock is gone, although others of its company have left.
	var left, stayed sync.WaitGroup
	short, cancelShort := context.WithCancel(t.Context())
	for i := range together {
		if i%2 == 0 {
			left.Go(func() { _ = find(short, true) })
			continue
		}
		stayed.Go(func() {
			if err := find(t.Context(), true); err != nil {
				t.Errorf("one who stayed: %v", err)
			}
		})
	}
	time.Sleep(2 * patience)
	cancelShort()
	time.Sleep(2 * patience)
	unlock()
	left.Wait()
	stayed.Wait()
	if n := len(s.primary.slots); n != 0 {
		t.Errorf("%d connections are still in use", n)
	}
}

// TestSweepHoldsNobodyUp: a write doesn't wait until the ids of others are deleted.
func TestSweepHoldsNobodyUp(t *testing.T) {
	s := open(t, database(t))
	c := storetest.PutClass(t, s, "A")
	unlock := lockTable(t, open(t, s.options.URI), "parsescale", "_write")
	defer unlock()
	s.sweeping.Store(0)
	ended := make(chan error, 1)
	go func() {
		ended <- storetest.Try(s, func(tx storage.Tx) error { return tx.Insert(ctx, c, storage.Object{"objectId": "1"}) })
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits for the lock")
	}
}

// TestCloseCallsTheSweepOff: whoever closes the store doesn't wait until the ids of others are deleted.
func TestCloseCallsTheSweepOff(t *testing.T) {
	var logged bytes.Buffer
	s := open(t, database(t), func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&logged, nil)) })
	unlock := lockTable(t, open(t, s.options.URI), "parsescale", "_write")
	defer unlock()
	s.sweeping.Store(0)
	s.sweep()
	for len(s.primary.slots) == 0 {
		time.Sleep(time.Millisecond)
	}
	begin := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > sweepEvery/3 {
		t.Errorf("it waited for %v", took)
	}
	if logged.Len() > 0 {
		t.Errorf("it warns: %s", &logged)
	}
}

// TestOwnersOfALockedRelation: as above, of what a relation holds.
func TestOwnersOfALockedRelation(t *testing.T) {
	s := open(t, database(t))
	storetest.PutClass(t, s, "A", "r Relation A")
	unlock := lockTable(t, open(t, s.options.URI), schema.JoinTable("A", "r"))
	defer unlock()
	gone, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- s.Read(gone, func(sn storage.Snapshot) error { _, err := sn.Owners(gone, "A", "r", []string{"1"}); return err })
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits for the lock")
	}
}

// TestLookupsWithFurtherConditions: who asks for an object by its id and something else, which may take long, isn't waited for by
// those who ask for the same or others by their ids alone.
func TestLookupsWithFurtherConditions(t *testing.T) {
	s := open(t, database(t))
	storetest.PutClass(t, s, "B", "n Number")
	c := storetest.PutClass(t, s, "A", "b Pointer B")
	storetest.Insert(t, s, c, `{"objectId":"1"}`)
	unlock := lockTable(t, open(t, s.options.URI), "B")
	defer unlock()
	slow, cancel := context.WithCancel(ctx)
	defer cancel()
	where := storetest.Where(t, `{"objectId":"1","b":{"$inQuery":{"className":"B","where":{"n":1}}}}`)
	var waiting sync.WaitGroup
	for range mostUnderWay {
		waiting.Go(func() {
			_ = s.Read(slow, func(sn storage.Snapshot) error {
				sch, err := sn.Schema(slow)
				if err != nil {
					return err
				}
				return sn.Find(slow, &storage.Find{Schema: sch, Class: sch.Classes["A"], Where: where, Limit: 1, Last: true}, func(storage.Row) error { return nil })
			})
		})
	}
	for len(s.primary.slots) < mostUnderWay {
		time.Sleep(time.Millisecond)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := lookUp(t, s, "A", "1", func(storage.Row) error { return nil })
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("a lookup waits for other finds")
		cancel()
		<-ended
	}
	cancel()
	waiting.Wait()
}
