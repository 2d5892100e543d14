package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	driversqlite "modernc.org/sqlite"
)

var ctx = context.Background()

// together runs the writes so that they share one group: a first write holds the writer until all are queued.
func together(s *Store, ids []string, fs ...func(storage.Tx) ([]byte, error)) (results []string, repeated []bool, errs []error) {
	results, repeated, errs = make([]string, len(fs)), make([]bool, len(fs)), make([]error, len(fs))
	held, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = try(s, func(storage.Tx) error { close(held); <-release; return nil })
	})
	<-held
	for i, f := range fs {
		id := ""
		if ids != nil {
			id = ids[i]
		}
		wg.Go(func() {
			result, again, err := s.Write(ctx, id, f)
			results[i], repeated[i], errs[i] = string(result), again, err
		})
		for len(s.queue) < i+1 {
			runtime.Gosched()
		}
	}
	close(release)
	wg.Wait()
	return results, repeated, errs
}

func adds(c *schema.Class, id string, err error) func(storage.Tx) ([]byte, error) {
	return func(tx storage.Tx) ([]byte, error) {
		return []byte(id), errors.Join(tx.Insert(ctx, c, storage.Object{"objectId": id}), err)
	}
}

func all(t *testing.T, s *Store, name string) string {
	t.Helper()
	got, err := ids(s, storage.Find{Class: &schema.Class{Name: name}, Limit: -1, Order: []query.Sort{{Path: "objectId"}}})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestGroupKeepsWhatSucceeded(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "a.db"), func(o *Options) { o.GroupTime = time.Minute })
	c := class(t, s, "A")
	mine := errors.New("mine")
	before := s.catalogCommits(t)
	results, _, errs := together(s, nil,
		adds(c, "1", nil), adds(c, "2", mine), adds(c, "3", nil), adds(c, "3", nil),
		func(tx storage.Tx) ([]byte, error) {
			_ = tx.Insert(ctx, c, storage.Object{"objectId": "4"})
			panic("oh")
		},
		func(tx storage.Tx) ([]byte, error) {
			_, err := tx.PutClass(ctx, schema.New("B", nil))
			return nil, errors.Join(err, mine)
		},
		adds(c, "5", nil))
	if got := all(t, s, "A"); got != "1 3 5" {
		t.Errorf("kept %q", got)
	}
	var dup *storage.Duplicate
	if errs[0] != nil || !errors.Is(errs[1], mine) || errs[2] != nil || !errors.As(errs[3], &dup) || !strings.Contains(fmt.Sprint(errs[4]), "oh") || errs[6] != nil {
		t.Errorf("errors: %v", errs)
	}
	if fmt.Sprint(results) != "[1  3    5]" {
		t.Errorf("results: %q", results)
	}
	if s.catalog.Load().schema.Class("B") != nil {
		t.Error("the class of a failed write is known")
	}
	if n := s.catalogCommits(t) - before; n != 1 {
		t.Errorf("%d commits, want one", n)
	}
	class(t, s, "B", "n Number")
	insert(t, s, mustClass(t, s, "B"), `{"objectId":"b","n":1}`)
}

func TestGoexitInWrite(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "a.db"), func(o *Options) { o.GroupTime = time.Minute })
	c := class(t, s, "A")
	_, _, errs := together(s, nil, adds(c, "1", nil), func(tx storage.Tx) ([]byte, error) {
		runtime.Goexit()
		return nil, nil
	}, adds(c, "2", nil))
	if errs[0] == nil || errs[1] == nil {
		t.Errorf("errors of the group that ended: %v", errs)
	}
	put(t, s, func(tx storage.Tx) error { return tx.Insert(ctx, c, storage.Object{"objectId": "3"}) })
	if got := all(t, s, "A"); strings.Contains(got, "1") || !strings.Contains(got, "3") {
		t.Errorf("kept %q", got)
	}
}

// announcer records what it is told.
type announcer struct {
	mu       sync.Mutex
	fail     error
	prepared [][]change.Change
	finished []bool
	during   func()
}

func (a *announcer) Prepare(_ context.Context, changes []change.Change) (func(bool), error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.during != nil {
		a.during()
	}
	if a.fail != nil {
		return nil, a.fail
	}
	a.prepared = append(a.prepared, changes)
	return func(ok bool) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.finished = append(a.finished, ok)
	}, nil
}

func emits(c *schema.Class, id string, err error) func(storage.Tx) ([]byte, error) {
	return func(tx storage.Tx) ([]byte, error) {
		tx.Emit(change.Change{Class: c.Name, ObjectID: id, Kind: change.Create})
		return nil, errors.Join(tx.Insert(ctx, c, storage.Object{"objectId": id}), err)
	}
}

func TestAnnounce(t *testing.T) {
	a := &announcer{}
	s := open(t, filepath.Join(t.TempDir(), "a.db"), func(o *Options) { o.Announcer, o.GroupTime = a, time.Minute })
	c := class(t, s, "A")
	if len(a.prepared) != 0 {
		t.Error("a group without changes was announced")
	}
	a.during = func() {
		if got := all(t, s, "A"); got != "" {
			t.Errorf("visible before the announcement ended: %q", got)
		}
	}
	if _, _, errs := together(s, nil, emits(c, "1", nil), emits(c, "2", errors.New("no")), emits(c, "3", nil)); errs[0] != nil || errs[1] == nil || errs[2] != nil {
		t.Fatal(errs)
	}
	a.during = nil
	if len(a.prepared) != 1 || len(a.prepared[0]) != 2 || fmt.Sprint(a.finished) != "[true]" {
		t.Fatalf("prepared %v, finished %v", a.prepared, a.finished)
	}
	first := a.prepared[0][0]
	if first.App != "app" || first.ObjectID != "1" || first.Version == 0 || a.prepared[0][1].ObjectID != "3" || a.prepared[0][1].Version != first.Version {
		t.Errorf("announced %+v", a.prepared[0])
	}
	if _, _, err := s.Write(ctx, "", emits(c, "4", nil)); err != nil {
		t.Fatal(err)
	}
	if v := a.prepared[1][0].Version; v <= first.Version {
		t.Errorf("version %d after %d", v, first.Version)
	}

	a.fail = errors.New("the gateway is gone")
	if _, _, err := s.Write(ctx, "", emits(c, "5", nil)); !errors.Is(err, a.fail) {
		t.Errorf("unannounced write: %v", err)
	}
	a.fail = nil
	if got := all(t, s, "A"); got != "1 3 4" {
		t.Errorf("kept %q", got)
	}

	// A commit that fails.
	err := try(s, func(t storage.Tx) error {
		t.(*tx).conn.raw.(driversqlite.HookRegisterer).RegisterCommitHook(func() int32 { return 1 })
		_, err := emits(c, "6", nil)(t)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "cannot commit") {
		t.Errorf("write with a failing commit: %v", err)
	}
	if fmt.Sprint(a.finished) != "[true true false]" {
		t.Errorf("finished %v", a.finished)
	}
	if got := all(t, s, "A"); got != "1 3 4" {
		t.Errorf("kept %q", got)
	}
}

func TestWriteIDs(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	path := filepath.Join(t.TempDir(), "a.db")
	s := open(t, path, func(o *Options) { o.Clock, o.GroupTime = func() time.Time { return now }, time.Minute })
	c := class(t, s, "A")
	calls := 0
	write := func(s *Store, id string, err error) (string, bool, error) {
		result, repeated, err := s.Write(ctx, id, func(tx storage.Tx) ([]byte, error) {
			calls++
			return fmt.Appendf(nil, "result %d", calls), errors.Join(tx.Insert(ctx, c, storage.Object{"objectId": fmt.Sprint(calls)}), err)
		})
		return string(result), repeated, err
	}
	other := open(t, path, func(o *Options) { o.Clock = func() time.Time { return now } })
	for _, step := range []struct {
		name   string
		s      *Store
		id     string
		err    error
		result string
		again  bool
	}{
		{"failed", s, "w1", errors.New("no"), "", false},
		{"first", s, "w1", nil, "result 2", false},
		{"repeated", s, "w1", nil, "result 2", true},
		{"repeated at another process", other, "w1", nil, "result 2", true},
		{"another id", other, "w2", nil, "result 3", false},
	} {
		result, again, err := write(step.s, step.id, step.err)
		if result != step.result || again != step.again || (err == nil) != (step.err == nil) {
			t.Errorf("%s: %q, %v, %v", step.name, result, again, err)
		}
	}
	now = now.Add(time.Hour)
	if result, again, err := write(s, "w1", nil); result != "result 4" || again || err != nil {
		t.Errorf("expired: %q, %v, %v", result, again, err)
	}
	if n, err := count(s, `SELECT count(*) FROM "_Parsescale_Write"`); n != 1 || err != nil {
		t.Errorf("%d ids are kept, %v", n, err)
	}
	results, again, errs := together(s, []string{"x", "x"}, adds(c, "g1", nil), adds(c, "g2", nil))
	if fmt.Sprint(results, again, errs) != "[g1 g1] [false true] [<nil> <nil>]" {
		t.Error(results, again, errs)
	}
	if got := all(t, s, "A"); got != "2 3 4 g1" {
		t.Errorf("kept %q", got)
	}
}

func count(s *Store, sql string) (n int64, err error) {
	c, err := s.reader()
	if err != nil {
		return 0, err
	}
	defer s.park(c)
	cur, err := c.query(ctx, []byte(sql), nil, 1)
	if err != nil {
		return 0, err
	}
	defer cur.close()
	_, err = cur.next()
	return cur.row[0].(int64), err
}

func TestCancelledWrites(t *testing.T) {
	s := newStore(t)
	c := class(t, s, "A")
	held, release, done := make(chan struct{}), make(chan struct{}), make(chan error)
	running, cancelRunning := context.WithCancel(ctx)
	go func() {
		_, _, err := s.Write(running, "", func(tx storage.Tx) ([]byte, error) {
			close(held)
			<-release
			return adds(c, "running", nil)(tx)
		})
		done <- err
	}()
	<-held
	queued, cancelQueued := context.WithCancel(ctx)
	left := make(chan error)
	go func() {
		_, _, err := s.Write(queued, "", adds(c, "queued", nil))
		left <- err
	}()
	for len(s.queue) == 0 {
		runtime.Gosched()
	}
	cancelQueued()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("queued: %v", err)
	}
	cancelRunning()
	close(release)
	if err := <-done; err != nil {
		t.Errorf("running: %v", err)
	}
	put(t, s, func(tx storage.Tx) error { return tx.Insert(ctx, c, storage.Object{"objectId": "later"}) })
	if got := all(t, s, "A"); got != "later running" {
		t.Errorf("kept %q", got)
	}
}

func TestSnapshotStaysAsItIs(t *testing.T) {
	s := newStore(t)
	c := class(t, s, "A", "n Number")
	insert(t, s, c, `{"objectId":"1","n":1}`, `{"objectId":"2","n":1}`)
	err := s.Read(ctx, func(sn storage.Snapshot) error {
		insert(t, s, c, `{"objectId":"3","n":1}`)
		class(t, s, "A", "m Number")
		f := &storage.Find{Schema: s.catalog.Load().schema, Class: c, Limit: -1}
		var seen []string
		err := sn.Find(ctx, f, func(r storage.Row) error {
			// The same statement again, while its rows are being read.
			return sn.Find(ctx, f, func(inner storage.Row) error {
				seen = append(seen, r.ObjectID()+inner.ObjectID())
				return nil
			})
		})
		if fmt.Sprint(seen) != "[11 12 21 22]" {
			t.Errorf("seen %v", seen)
		}
		sc, _ := sn.Schema(ctx)
		if _, ok := sc.Class("A").Fields["m"]; ok {
			t.Error("the snapshot shows a later schema")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if got := all(t, s, "A"); got != "1 2 3" {
		t.Errorf("later: %q", got)
	}
}

func TestFindObeysItsContext(t *testing.T) {
	s := newStore(t)
	c := class(t, s, "A", "n Number")
	insert(t, s, c, `{"objectId":"1"}`, `{"objectId":"2"}`)
	limited, cancel := context.WithCancel(ctx)
	err := s.Read(limited, func(sn storage.Snapshot) error {
		return sn.Find(limited, &storage.Find{Schema: s.catalog.Load().schema, Class: c, Limit: -1}, func(storage.Row) error {
			cancel()
			return nil
		})
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestClose(t *testing.T) {
	s := newStore(t)
	c := class(t, s, "A")
	if _, _, errs := together(s, nil, adds(c, "1", nil), func(tx storage.Tx) ([]byte, error) { go s.Close(); return nil, nil }, adds(c, "2", nil)); errs[0] != nil || errs[1] != nil || errs[2] != nil {
		t.Errorf("writes that ran while closing: %v", errs)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := try(s, func(storage.Tx) error { return nil }); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("Write: %v", err)
	}
	if err := s.Read(ctx, func(storage.Snapshot) error { return nil }); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("Read: %v", err)
	}
	if got := all(t, open(t, s.location.path), "A"); got != "1 2" {
		t.Errorf("reopened: %q", got)
	}
}
