package postgres

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/storetest"
	"github.com/parsescale/parsescale/server/testservices"
)

// TestReplica: what was committed before a read began is seen by it, whoever answers; the replica does when it can.
func TestReplica(t *testing.T) {
	p := testservices.StartPostgreSQL(t)
	standby := p.StartStandby(t)
	w, _ := through(t, "postgres://postgres@"+standby.Address()+"/parse")
	uri := p.URI + "?replicas=" + w.listener.Addr().String()
	reader := open(t, uri)
	writer := open(t, p.URI)
	c := storetest.PutClass(t, writer, "A", "n Number")
	storetest.Insert(t, writer, c, `{"objectId":"1","n":0}`)
	r := reader.replicas[0]
	n := 0.0
	read := func() (byReplica bool) {
		t.Helper()
		before := r.answered.Load()
		if o := storetest.Get(t, reader, "A", "1"); o["n"] != n {
			t.Fatalf("read %v after %v was written", o["n"], n)
		}
		return r.answered.Load() > before
	}
	// step writes by one process and reads by another.
	step := func() (byReplica bool) {
		t.Helper()
		n++
		storetest.Put(t, writer, func(tx storage.Tx) error { return tx.Update(ctx, c, "1", storage.Object{"n": n}) })
		return read()
	}
	// Once it has caught up, the replica answers.
	answers := func() error {
		step()
		for range 20 {
			if read() {
				return nil
			}
			time.Sleep(20 * time.Millisecond)
		}
		return errors.New("the replica doesn't answer")
	}
	for _, tt := range []struct {
		name     string
		do, undo func()
	}{
		{"replay is paused",
			func() { must(t, standby.SQL("parse", "SELECT pg_wal_replay_pause()")) },
			func() { must(t, standby.SQL("parse", "SELECT pg_wal_replay_resume()")) }},
		{"it is stopped", standby.Kill, func() { standby.Start(t) }},
		{"it hangs", func() { w.mute.Store(true) }, func() { w.mute.Store(false) }},
	} {
		if err := await(answers); err != nil {
			t.Fatalf("before %s: %v", tt.name, err)
		}
		tt.do()
		time.Sleep(50 * time.Millisecond)
		start := time.Now()
		for range 5 {
			if step() {
				t.Errorf("%s, and it answers", tt.name)
			}
		}
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("%s: five reads took %v", tt.name, took)
		}
		tt.undo()
		if err := await(answers); err != nil {
			t.Fatalf("after %s: %v", tt.name, err)
		}
	}
	// The class gets a field: the catalog that the primary gave may be newer than what the replica has.
	storetest.PutClass(t, writer, "A", "s String")
	storetest.Insert(t, writer, storetest.Class(t, writer, "A"), `{"objectId":"2","s":"x"}`)
	if o := storetest.Get(t, reader, "A", "2"); o["s"] != "x" {
		t.Errorf("read %v", o)
	}
	underWrites(t, reader, writer)
	// A second primary isn't a replica.
	standby.Promote(t)
	must(t, await(func() error {
		if got, err := standby.Query("parse", "SELECT pg_is_in_recovery()"); err != nil || got != "f" {
			return errors.Join(errors.New("it isn't promoted"), err)
		}
		return nil
	}))
	for range 20 {
		if step() {
			t.Fatal("a server that isn't a standby any more answers")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// underWrites: several write by one process while others read by another, which has a replica; nobody reads what is older
// than a write that had ended.
func underWrites(t *testing.T, reader, writer *Store) {
	t.Helper()
	c := storetest.PutClass(t, writer, "U", "n Number")
	var wg sync.WaitGroup
	stop := time.Now().Add(time.Second)
	for i := range 3 {
		id := fmt.Sprint("o", i)
		storetest.Insert(t, writer, c, fmt.Sprintf(`{"objectId":%q,"n":0}`, id))
		wg.Go(func() {
			for n := 1.0; time.Now().Before(stop) && !t.Failed(); n++ {
				err := storetest.Try(writer, func(tx storage.Tx) error { return tx.Update(ctx, c, id, storage.Object{"n": n}) })
				if err != nil {
					t.Error(err)
				}
				if o := storetest.Get(t, reader, "U", id); o["n"] != n {
					t.Errorf("read %v after %v was written", o["n"], n)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	wg.Wait()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestReplicaAddresses(t *testing.T) {
	loc, err := parseURI("postgres://u:p%40@h1:1,h2:2/db?target_session_attrs=read-write&max=7&replicas=r1:9,r2&ssl=true")
	if err != nil || len(loc.replicas) != 2 {
		t.Fatalf("%d replicas, %v", len(loc.replicas), err)
	}
	for i, want := range []string{"r1:9", "r2:5432"} {
		r := loc.replicas[i]
		c := r.config
		got := fmt.Sprintf("%s:%d", c.Host, c.Port)
		if got != want || c.User != "u" || c.Password != "p@" || c.Database != "db" || r.connections != 7 || c.TLSConfig.ServerName != c.Host || len(c.Fallbacks) > 0 {
			t.Errorf("%s: %+v", got, c)
		}
	}
	for _, bad := range []string{"", ",", "a,,b", "x@y", "h/db", strings.Repeat("h,", 16) + "h", "h:x"} {
		if _, err := parseURI("postgres://u:topsecret@h/db?replicas=" + bad); (err == nil) != (bad == "") || err != nil && strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestCutOffStays: nobody waits for an answer whose asker has gone, whatever bounds were set and lifted meanwhile.
func TestCutOffStays(t *testing.T) {
	w, uri := through(t, database(t))
	s := open(t, uri)
	c, err := s.primary.take(ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.primary.give(c)
	w.mute.Store(true)
	c.readUntil(time.Now().Add(time.Minute))
	c.send([]byte("SELECT 1"), nil)
	must(t, c.sync())
	c.cutOff()
	c.readUntil(time.Time{})
	start := time.Now()
	defer time.AfterFunc(3*time.Second, func() { _ = c.net.Close() }).Stop()
	if err := c.rest(); !lost(err) || time.Since(start) > time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}
