package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/storetest"
)

// hang stops the server's processes of all connections that a store has, until the test ends.
func hang(t *testing.T, s *Store) {
	t.Helper()
	config := s.primary.location.config
	pids, err := server(t).Query(config.Database, `SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE application_name = '`+
		config.RuntimeParams["application_name"]+`' AND datname = current_database()`)
	if err != nil || pids == "" {
		t.Fatalf("processes %q, %v", pids, err)
	}
	for pid := range strings.FieldsSeq(pids) {
		n, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(n, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Kill(n, syscall.SIGCONT) })
	}
}

// within fails the test if f takes long.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	ended := make(chan struct{})
	go func() { defer close(ended); f() }()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s: no end", what)
	}
}

// TestReadsOfAHungServer: where statements may take so long, reads ask again by a new connection if the server's process hangs, which
// doesn't end them by itself. So whoever waits for those who hang, to go together with others, is answered too.
func TestReadsOfAHungServer(t *testing.T) {
	for _, test := range []struct {
		name string
		read func(s *Store, sn storage.Snapshot, f *storage.Find) error
		all  int
	}{
		{"a lookup", func(_ *Store, sn storage.Snapshot, f *storage.Find) error {
			f.Where, f.Last = storetest.Where(t, `{"objectId":"1"}`), true
			return sn.Find(ctx, f, func(storage.Row) error { return nil })
		}, mostUnderWay + 2*mostMembers},
		{"a find that is the last question", func(_ *Store, sn storage.Snapshot, f *storage.Find) error {
			f.Where, f.Last = storetest.Where(t, `{"n":1}`), true
			return sn.Find(ctx, f, func(storage.Row) error { return nil })
		}, 30},
		{"a find", func(_ *Store, sn storage.Snapshot, f *storage.Find) error {
			return sn.Find(ctx, f, func(storage.Row) error { return nil })
		}, 8},
		{"a count", func(_ *Store, sn storage.Snapshot, f *storage.Find) error { _, err := sn.Count(ctx, f); return err }, 2},
		{"a get", func(_ *Store, sn storage.Snapshot, f *storage.Find) error {
			_, err := sn.Get(ctx, f.Class, "1")
			return err
		}, 2},
		{"nothing but the schema", func(*Store, storage.Snapshot, *storage.Find) error { return nil }, 2},
		{"the schema anew", func(s *Store, _ storage.Snapshot, _ *storage.Find) error { return s.reload(ctx, s.catalog.Load()) }, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel() // they wait, mostly
			uri := database(t)
			open(t, uri) // to make the tables may take longer
			s := open(t, uri+"?query_timeout=2000", func(o *Options) { o.Timeout = 500 * time.Millisecond })
			storetest.Insert(t, s, storetest.PutClass(t, s, "A", "n Number"), `{"objectId":"1","n":1}`)
			read := func() error {
				return s.Read(ctx, func(sn storage.Snapshot) error {
					sch, err := sn.Schema(ctx)
					if err != nil {
						return err
					}
					return test.read(s, sn, &storage.Find{Schema: sch, Class: sch.Classes["A"], Limit: 1})
				})
			}
			if err := read(); err != nil {
				t.Fatal(err)
			}
			hang(t, s)
			within(t, "reads", func() {
				var wg sync.WaitGroup
				for range test.all {
					wg.Go(func() {
						if err := read(); err != nil && !errors.Is(err, storage.ErrUnavailable) {
							t.Error(err)
						}
					})
				}
				wg.Wait()
			})
			if err := read(); err != nil {
				t.Errorf("later: %v", err)
			}
		})
	}
}

// TestCommitInDoubtAtAHungServer: whoever settles a commit asks again, by another connection.
func TestCommitInDoubtAtAHungServer(t *testing.T) {
	for _, session := range []uint32{0, 1} { // the pid of no session
		s := open(t, database(t), func(o *Options) { o.Timeout = 500 * time.Millisecond })
		hang(t, s)
		w, committed := &write{Store: s, id: fmt.Sprint("w", session), since: time.Now()}, false
		within(t, "settling", func() {
			if w.over(session, &committed) {
				t.Error("what hangs has answered")
			}
		})
		if err := await(func() error {
			if !w.over(session, &committed) {
				return context.DeadlineExceeded
			}
			return nil
		}); err != nil {
			t.Errorf("session %d: %v", session, err)
		}
	}
}
