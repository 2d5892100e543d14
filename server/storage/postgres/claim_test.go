package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parsescale/parsescale/server/testservices"
)

func claimOptions(uri string) ClaimOptions {
	return ClaimOptions{URI: uri, Lease: 800 * time.Millisecond, Patience: 300 * time.Millisecond}
}

func takeClaim(t *testing.T, o ClaimOptions) *Claim {
	t.Helper()
	c, err := TakeClaim(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not in time", what)
		}
	}
}

// session opens a connection with a name.
func session(t *testing.T, uri, name string) *pgconn.PgConn {
	t.Helper()
	config, err := pgconn.ParseConfig(uri)
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["application_name"] = name
	pg, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pg.Close(context.Background()) })
	return pg
}

func do(t *testing.T, pg *pgconn.PgConn, sql string) {
	t.Helper()
	if _, err := pg.Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatal(err)
	}
}

// TestClaim: a database belongs to one exclusive gateway, or to others.
func TestClaim(t *testing.T) {
	server := testservices.StartPostgreSQL(t)
	uri := server.Database(t, "claimed")

	alone := open(t, uri)
	if c, err := TakeClaim(t.Context(), claimOptions(uri)); !errors.Is(err, ErrClaimed) {
		t.Errorf("a worker runs alone: %v, %v", c, err)
	}
	if err := alone.Close(); err != nil {
		t.Fatal(err)
	}
	one := takeClaim(t, claimOptions(uri))
	if c, err := TakeClaim(t.Context(), claimOptions(uri)); !errors.Is(err, ErrClaimed) || !strings.Contains(err.Error(), one.Session("gateway")) {
		t.Errorf("another gateway: %v, %v", c, err)
	}
	if s, err := Open(t.Context(), Options{URI: uri, App: "app"}); !errors.Is(err, ErrClaimed) {
		t.Errorf("a worker that runs alone: %v, %v", s, err)
	}
	open(t, uri, func(o *Options) { o.Session = one.Session("worker-1.1") })
	if !one.Held() {
		t.Error("it isn't held")
	}
	eventually(t, "settling", one.Settled)
	if n := one.Others(); n != 0 {
		t.Errorf("%d sessions of others", n)
	}
	session(t, uri, "psql")
	eventually(t, "seeing others", func() bool { return one.Others() == 1 })
	if !one.Settled() {
		t.Error("somebody who looks ends the trust")
	}
	one.Close()
	if one.Held() || one.Settled() {
		t.Error("it was given back")
	}
	two := takeClaim(t, claimOptions(uri))
	eventually(t, "settling once more", two.Settled)
	if _, err := TakeClaim(t.Context(), ClaimOptions{URI: "postgres://u:secret@127.0.0.1:1/db"}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("no server: %v", err)
	}
}

// TestClaimLost: while nobody can say whose the database is, no write goes on and nothing counts.
func TestClaimLost(t *testing.T) {
	server := testservices.StartPostgreSQL(t)
	uri := server.Database(t, "claimed")
	var drops atomic.Int64
	o := claimOptions(uri)
	o.Drop = func() { drops.Add(1) }
	c := takeClaim(t, o)
	eventually(t, "settling", c.Settled)
	announce := func() *atomic.Bool {
		var on atomic.Bool
		c.Announce(nil, func() { on.Store(true) })
		return &on
	}
	if !announce().Load() {
		t.Error("a write waits for a claim that is held")
	}

	server.Kill()
	eventually(t, "noticing", func() bool { return !c.Held() })
	if c.Settled() {
		t.Error("settled without a database")
	}
	waits := announce()
	if waits.Load() {
		t.Error("a write goes on without the claim")
	}
	before := drops.Load()
	server.Start(t)
	eventually(t, "coming back", func() bool { return c.Held() && waits.Load() })
	if c.Settled() {
		t.Error("settled at once")
	}
	eventually(t, "settling", c.Settled)
	if drops.Load() <= before {
		t.Error("what was known before was not dropped")
	}
}

// TestRivals: the workers of a gateway that has lost its claim without noticing it are put out.
func TestRivals(t *testing.T) {
	server := testservices.StartPostgreSQL(t)
	uri := server.Database(t, "claimed")
	leftover := session(t, uri, sessionPrefix+"former/worker-1.1")
	var drops atomic.Int64
	o := claimOptions(uri)
	o.Drop = func() { drops.Add(1) }
	c := takeClaim(t, o)
	gone := func(pg *pgconn.PgConn) func() bool {
		return func() bool {
			_, err := pg.Exec(t.Context(), "SELECT 1").ReadAll()
			return err != nil
		}
	}
	eventually(t, "ending what an earlier gateway left", gone(leftover))
	eventually(t, "settling", c.Settled)
	before := drops.Load()
	rival := session(t, uri, sessionPrefix+"other/worker-1.1")
	eventually(t, "ending the rival", gone(rival))
	eventually(t, "dropping what was known", func() bool { return drops.Load() > before })
	eventually(t, "settling again", c.Settled)
}

// TestEndSessions: once it has returned, nothing of a dead worker comes to light any more.
func TestEndSessions(t *testing.T) {
	server := testservices.StartPostgreSQL(t)
	uri := server.Database(t, "claimed")
	c := takeClaim(t, claimOptions(uri))
	observer := session(t, uri, c.Session("observer"))
	do(t, observer, "CREATE TABLE t (v int)")
	count := func() string {
		r := observer.ExecParams(t.Context(), "SELECT count(*) FROM t", nil, nil, nil, nil).Read()
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		return string(r.Rows[0][0])
	}

	open := session(t, uri, c.Session("worker-1.1"))
	do(t, open, "BEGIN; INSERT INTO t VALUES (1)")
	neighbour := session(t, uri, c.Session("worker-1.10"))
	if err := c.EndSessions(t.Context(), c.Session("worker-1.1")); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != "0" {
		t.Errorf("a transaction that was open: %s rows", n)
	}
	if _, err := open.Exec(t.Context(), "COMMIT").ReadAll(); err == nil || count() != "0" {
		t.Errorf("it was committed afterwards: %v", err)
	}
	do(t, neighbour, "SELECT 1")

	// A commit that waits for a standby that isn't there can't be seen yet, and is when it is ended.
	do(t, observer, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
	do(t, observer, "SELECT pg_reload_conf()")
	eventually(t, "the setting", func() bool {
		r := observer.ExecParams(t.Context(), "SHOW synchronous_standby_names", nil, nil, nil, nil).Read()
		return r.Err == nil && string(r.Rows[0][0]) == "nobody"
	})
	late := session(t, uri, c.Session("worker-2.1"))
	do(t, late, "SET synchronous_commit = on")
	committed := make(chan struct{})
	go func() {
		defer close(committed)
		_, _ = late.Exec(context.Background(), "INSERT INTO t VALUES (2)").ReadAll()
	}()
	eventually(t, "the commit under way", func() bool {
		r := observer.ExecParams(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", nil, nil, nil, nil).Read()
		return r.Err == nil && string(r.Rows[0][0]) == "1"
	})
	if n := count(); n != "0" {
		t.Errorf("a commit that waits is seen: %s rows", n)
	}
	if err := c.EndSessions(t.Context(), c.Session("worker-2.1")); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != "1" {
		t.Errorf("the commit that was under way: %s rows", n)
	}
	<-committed
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	server.Kill()
	if err := c.EndSessions(ctx, c.Session("worker-3.1")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody can tell: %v", err)
	}
}

// TestSharedClaims: several gateways have the database together, and see each other in it.
func TestSharedClaims(t *testing.T) {
	server := testservices.StartPostgreSQL(t)
	uri := server.Database(t, "claimed")
	type look struct {
		began, since time.Time
		gateways     []string
	}
	var seen atomic.Pointer[look]
	seen.Store(&look{})
	o := claimOptions(uri)
	o.Shared = true
	two := o
	o.Looked = func(began, since time.Time, gateways []string) { seen.Store(&look{began, since, gateways}) }
	begun := time.Now()
	one := takeClaim(t, o)
	sees := func(names ...string) func() bool {
		slices.Sort(names)
		return func() bool { return slices.Equal(seen.Load().gateways, names) }
	}
	eventually(t, "seeing itself", sees(one.Name()))
	if l := seen.Load(); l.since.Before(begun) || l.began.Before(l.since) {
		t.Errorf("looked at %v, there since %v", l.began, l.since)
	}
	eventually(t, "settling", one.Settled)
	other := takeClaim(t, two)
	eventually(t, "seeing the other", sees(one.Name(), other.Name()))
	if _, err := TakeClaim(t.Context(), claimOptions(uri)); !errors.Is(err, ErrClaimed) {
		t.Errorf("one that wants it alone: %v", err)
	}
	if s, err := Open(t.Context(), Options{URI: uri, App: "app"}); !errors.Is(err, ErrClaimed) {
		t.Errorf("a worker that runs alone: %v, %v", s, err)
	}
	worker := session(t, uri, other.Session("worker-1.1"))
	other.Close()
	time.Sleep(o.Lease)
	eventually(t, "seeing what the other has left", sees(one.Name(), other.Name()))
	worker.Close(t.Context())
	eventually(t, "seeing that it is gone", sees(one.Name()))
	if !one.Settled() {
		t.Error("others with a claim end the trust")
	}

	// A gateway of another role can't be seen, but its lock can.
	stranger := session(t, uri, "hidden")
	do(t, stranger, fmt.Sprintf("SELECT pg_advisory_lock_shared(%d)", int64(claimLock)))
	eventually(t, "distrust", func() bool { return !one.Settled() })
	stranger.Close(t.Context())
	eventually(t, "settling again", one.Settled)

	server.Kill()
	eventually(t, "noticing", func() bool { return !one.Held() })
	back := time.Now()
	server.Start(t)
	eventually(t, "being there anew", func() bool { return seen.Load().since.After(back) })
}

// TestWritesThatGiveUp: a write that doesn't wait for the claim any more isn't kept.
func TestWritesThatGiveUp(t *testing.T) {
	c := &Claim{o: ClaimOptions{Lease: time.Second}, start: time.Now()}
	for range 100 {
		c.Announce(nil, func() { t.Error("a write that gave up goes on") })()
	}
	var went int
	finish := c.Announce(nil, func() { went++ })
	if n := len(c.waiting); n != 1 {
		t.Errorf("%d writes wait, want 1", n)
	}
	c.letGo()
	finish()
	if went != 1 || len(c.waiting) != 0 {
		t.Errorf("the write that waits went on %d times, %d are kept", went, len(c.waiting))
	}
}

// TestClaimThroughPooler: where the server's session isn't this connection's own, its lock may be somebody else's tomorrow.
func TestClaimThroughPooler(t *testing.T) {
	server := testservices.StartPostgreSQL(t)
	c := takeClaim(t, claimOptions(server.Database(t, "claimed")))
	s, err := c.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.direct(); err != nil {
		t.Errorf("a connection to the server itself: %v", err)
	}
	do(t, s.pg, "SET application_name = 'the pooler''s own'")
	if err := s.direct(); err == nil || !strings.Contains(err.Error(), "a pooler stands between") {
		t.Errorf("a session with another name: %v", err)
	}
}

// TestWorkersThatStartTogether: workers without a claim don't take each other for a gateway with one.
func TestWorkersThatStartTogether(t *testing.T) {
	server := testservices.StartPostgreSQL(t)
	uri := server.Database(t, "unclaimed")
	for range 2 { // on a new database, and on one where all is there
		var starts sync.WaitGroup
		for range 6 {
			starts.Go(func() {
				s, err := Open(t.Context(), Options{URI: uri, App: "app"})
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		starts.Wait()
	}
}
