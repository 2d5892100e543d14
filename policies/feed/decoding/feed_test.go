package decoding

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/policies/feed"
	"github.com/parsescale/parsescale/server/testservices"
)

// everything is what a loss is told as.
var everything = []string{"purge "}

// TestFenceComesAfterWhatWasCommitted writes and fences by turns: what was committed must be told when the fence is back.
func TestFenceComesAfterWhatWasCommitted(t *testing.T) {
	t.Parallel()
	h := newHarness(t, layout)
	h.start()
	c := h.session()
	for i := range 200 {
		h.exec(c, fmt.Sprintf(`INSERT INTO "Note" ("objectId") VALUES ('n%d')`, i))
		h.fence()
		want := fmt.Sprintf(`create Note n%d after {"objectId":"n%d"} tags?`, i, i)
		if got := h.take(); !slices.Contains(got, want) {
			t.Fatalf("a fence is back before what was committed has been told: %q", got)
		}
	}
}

// TestNewTablesJoin makes classes and relations while the database is followed: nothing that is written to them is lost,
// and they stay out of service while something may be.
func TestNewTablesJoin(t *testing.T) {
	t.Parallel()
	h := newHarness(t, layout)
	h.start()
	const class = `CREATE TABLE "New" ("objectId" text PRIMARY KEY, "title" text);
		INSERT INTO "_SCHEMA" VALUES ('New', '{"fields":{"title":{"type":"String"},"members":{"type":"Relation","targetClass":"Note"}}}', true);
		CREATE TABLE "_Join:members:New" ("relatedId" varchar(120), "owningId" varchar(120), PRIMARY KEY("relatedId", "owningId"))`
	h.sql("BEGIN;" + class + "; COMMIT")
	h.fence()
	if got, want := h.take(), []string{"schema New", "schema _Join:members:New"}; !slices.Equal(got, want) {
		t.Fatalf("told %q, want %q", got, want)
	}
	h.settled()
	h.sql(`INSERT INTO "New" VALUES ('a', 'x'); INSERT INTO "_Join:members:New" VALUES ('n', 'a')`)
	h.fence()
	want := []string{`create New a after {"objectId":"a","title":"x"} members?`, `create _Join:members:New after {"owningId":"a","relatedId":"n"}`}
	if got := h.take(); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// TestJoiningTablesWait: what a transaction has written to a new table before it joined the publication isn't told, so the
// class stays out of service until the transaction has ended.
func TestJoiningTablesWait(t *testing.T) {
	t.Parallel()
	h := newHarness(t, layout)
	h.sql(`CREATE TABLE "New" ("objectId" text PRIMARY KEY)`)
	h.start()
	early := h.session()
	h.exec(early, `BEGIN; INSERT INTO "New" VALUES ('early')`)
	h.sql(`INSERT INTO "_SCHEMA" VALUES ('New', '{"fields":{}}', true)`)
	h.await("the table has joined", func() bool {
		return h.query(`SELECT count(*) FROM pg_publication_tables WHERE tablename = 'New'`) == "1"
	})
	time.Sleep(3 * latest)
	if h.isOpen() != 1 {
		t.Error("the class is in service again while a transaction may have written to it that isn't told")
	}
	h.exec(early, "COMMIT")
	h.settled()
	h.sql(`INSERT INTO "New" VALUES ('late')`)
	h.fence()
	if got := h.take(); !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, "create New late") }) {
		t.Errorf("a row written later isn't told: %q", got)
	}
}

// TestNotVisibleYet stops a synchronous standby: the log tells of a commit that nobody can see yet.
func TestNotVisibleYet(t *testing.T) {
	t.Parallel()
	p := testservices.StartPostgreSQL(t)
	h := harnessOn(t, p, p.URI, layout)
	h.exec(h.session(), "ALTER SYSTEM SET synchronous_standby_names = '*'")
	h.sql("SELECT pg_reload_conf()")
	h.refused(ErrStandbys, "name the standbys there")
	h.feed = h.newFeed(p.URI, nil)
	standby := p.StartStandby(t)
	h.sql("ALTER SYSTEM SET synchronous_standby_names = 'walreceiver'")
	h.sql("SELECT pg_reload_conf()")
	h.start()
	h.await("the standby is synchronous", func() bool {
		return h.query("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == "1"
	})
	standby.Stop()
	writer := h.session()
	h.exec(writer, "SET synchronous_commit = on")
	written := make(chan error, 1)
	go func() {
		_, err := writer.Exec(context.Background(), `INSERT INTO "Note" ("objectId") VALUES ('n1')`).ReadAll()
		written <- err
	}()
	h.await("the log tells of the row", func() bool { return h.isOpen() == 1 })
	h.fence() // it must not wait for what waits for a standby
	time.Sleep(3 * latest)
	if h.query(`SELECT count(*) FROM "Note"`) != "0" {
		t.Fatal("the row is visible: this test shows nothing")
	}
	if h.isOpen() != 1 {
		t.Error("the change is finished before it can be seen")
	}
	// Lost and found again: the new slot won't tell of the row any more.
	h.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'parsescale feed' AND backend_type <> 'walsender'")
	h.await("the feed is lost", func() bool { return h.feed.State() != feed.Live })
	time.Sleep(10 * latest)
	if h.feed.Live() {
		t.Error("the feed is live while a transaction that it won't be told of is about to become visible")
	}
	select {
	case err := <-written:
		t.Fatalf("the write didn't wait for the standby (%v): this test shows nothing", err)
	default:
	}
	standby.Start(t)
	onStandby := h.newFeed("postgres://postgres@"+standby.Address()+"/parse", nil)
	if err := onStandby.follow(context.Background()); !errors.Is(err, ErrStandby) {
		t.Errorf("a standby isn't followed because of %v", err)
	}
	h.await("the feed is live again", h.feed.Live)
	if h.query(`SELECT count(*) FROM "Note"`) != "1" {
		t.Error("the feed is live, but the row isn't visible")
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

// TestLoss breaks connections one by one: everything is taken as changed, and nothing is missed later.
func TestLoss(t *testing.T) {
	t.Parallel()
	h := newHarness(t, layout)
	h.start()
	for i, c := range []struct{ name, which string }{
		{"the log's connection", "backend_type = 'walsender'"},
		{"the connection for fences", "backend_type <> 'walsender' AND query LIKE '%emit_message%'"},
		{"the connection to ask by", "backend_type <> 'walsender' AND query NOT LIKE '%emit_message%'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.T = t
			if n := h.query("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'parsescale feed' AND " + c.which); n != "1" {
				t.Fatalf("%s connections were ended, not 1", n)
			}
			h.await("the loss is seen", func() bool { return h.feed.Status().Losses == uint64(i+1) })
			h.await("the feed is live again", h.feed.Live)
			if got := h.take(); !slices.Equal(got, slices.Concat(everything, everything)) {
				t.Errorf("told %q; want all to be dropped at the loss and before the feed is live again", got)
			}
			h.sql(fmt.Sprintf(`INSERT INTO "Note" ("objectId") VALUES ('n%d')`, i))
			h.fence()
			if got := h.take(); len(got) != 1 {
				t.Errorf("told %q, want one row", got)
			}
			if n := h.query("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"); n != "1" {
				t.Errorf("%s slots are left, want the one in use", n)
			}
		})
	}
}

// TestServerStops has a server with one slot: while somebody else has it the feed is refused. When the server crashes, a
// fence that was asked for comes back, so that nobody waits for ever, and the slot is free.
func TestServerStops(t *testing.T) {
	t.Parallel()
	p := testservices.StartPostgreSQL(t, "max_replication_slots=1")
	h := harnessOn(t, p, p.URI, layout)
	h.sql("SELECT pg_create_logical_replication_slot('taken', 'pgoutput')")
	h.refused(ErrSlots, "")
	h.sql("SELECT pg_drop_replication_slot('taken')")
	h.feed = h.newFeed(p.URI, nil)
	h.start()
	p.Kill()
	h.await("the feed isn't live", func() bool { return !h.feed.Live() })
	h.fence()
	p.Start(t)
	h.conn = h.session()
	h.await("the feed is live again", h.feed.Live)
	if n := h.query("SELECT count(*) FROM pg_replication_slots"); n != "1" {
		t.Errorf("%s slots, want 1", n)
	}
}

// TestRefused: what can't be followed is said, and why.
func TestRefused(t *testing.T) {
	t.Parallel()
	h := newHarness(t, layout)
	for _, c := range []struct {
		name, sql string
		user      string
		change    func(*Options)
		want      error
		says      string
	}{
		{name: "a user without the attribute REPLICATION", sql: `CREATE ROLE plain LOGIN; GRANT CREATE ON DATABASE :db TO plain; ALTER TABLE "Note" OWNER TO plain; ALTER TABLE "_User" OWNER TO plain; ALTER TABLE "_SCHEMA" OWNER TO plain; ALTER TABLE "_Join:tags:Note" OWNER TO plain`,
			user: "plain", want: ErrRight, says: "replication"},
		{name: "a user who doesn't own a table", sql: `CREATE ROLE stranger LOGIN REPLICATION; GRANT CREATE ON DATABASE :db TO stranger; GRANT SELECT ON "_SCHEMA" TO stranger`,
			user: "stranger", want: ErrRight, says: "must be owner of table"},
		{name: "a user who may not make a publication", sql: `CREATE ROLE timid LOGIN REPLICATION; ALTER TABLE "Note" OWNER TO timid; ALTER TABLE "_User" OWNER TO timid; ALTER TABLE "_SCHEMA" OWNER TO timid; ALTER TABLE "_Join:tags:Note" OWNER TO timid`,
			user: "timid", want: ErrRight, says: "permission denied for database"},
		{name: "a user who may not log in", sql: `CREATE ROLE nobody`, user: "nobody", want: ErrLogin},
		{name: "an unlogged table", sql: `ALTER TABLE "Note" SET UNLOGGED`, want: ErrTable, says: "Note is unlogged"},
		{name: "a table without a key", sql: `ALTER TABLE "Note" DROP CONSTRAINT "Note_pkey"`, want: ErrTable, says: "Note has no primary key"},
		{name: "a view in the place of a table", sql: `ALTER TABLE "Note" RENAME TO "Real"; CREATE VIEW "Note" AS SELECT * FROM "Real"`, want: ErrTable, says: "Note is no ordinary table"},
		{name: "a publication that leaves deletions out", sql: `CREATE PUBLICATION parsescale FOR TABLE "Note" WITH (publish = 'insert, update')`, want: ErrPublished},
		{name: "a publication that leaves rows out", sql: `CREATE PUBLICATION parsescale FOR TABLE "Note" WHERE ("objectId" = 'x')`, want: ErrPublished},
		{name: "the server must keep too much", change: func(o *Options) { o.MaxRetained = 1 }, want: ErrRetained},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.T = t
			h.sql(`DROP PUBLICATION IF EXISTS parsescale; DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC;` + layout)
			h.sql(strings.ReplaceAll(c.sql+";", ":db", h.name))
			user := c.user
			if user == "" {
				user = "postgres"
			}
			h.feed = h.newFeed(fmt.Sprintf("postgres://%s:secret@%s/%s", user, h.server.Address(), h.name), c.change)
			h.refused(c.want, c.says)
			if c.user != "" {
				h.sql("DROP OWNED BY " + c.user + " CASCADE; DROP ROLE " + c.user)
			}
		})
	}
	t.Run("a database without _SCHEMA is waited for", func(t *testing.T) {
		h := newHarness(t, "SELECT 1")
		h.run(h.feed)
		h.await("the feed says why", func() bool { return strings.Contains(h.feed.Status().Reason, "_SCHEMA") })
		h.sql(layout)
		h.await("the feed is live", h.feed.Live)
	})
	t.Run("a server without wal_level = logical", func(t *testing.T) {
		t.Parallel()
		p := testservices.StartPostgreSQL(t, "wal_level=replica")
		harnessOn(t, p, p.URI, layout).refused(ErrWALLevel, "it is replica")
	})
}

// refused runs the feed until it has given up for a reason.
func (h *harness) refused(want error, says string) {
	h.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := h.feed.follow(ctx)
	if !errors.Is(err, want) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
		h.Errorf("the database isn't followed because of %q; want %q and %q", err, want, says)
	}
	stop := h.run(h.feed)
	defer stop()
	h.await("the feed is refused", func() bool { return h.feed.State() == feed.Refused })
	if h.feed.Live() || h.feed.Status().Reason == "" {
		h.Errorf("the feed's state is %+v", h.feed.Status())
	}
}

// TestPooler puts something between that answers the start of a connection itself, as PgBouncer does.
func TestPooler(t *testing.T) {
	t.Parallel()
	h := newHarness(t, layout)
	p := startProxy(t, h.server.Address(), true)
	h.feed = h.newFeed("postgres://postgres@"+p.address+"/"+h.name+"?sslmode=disable", nil)
	h.refused(ErrPooler, "PgBouncer")
}

// TestPgBouncer puts the pooler between that most have, in each of its modes.
func TestPgBouncer(t *testing.T) {
	for _, mode := range []string{"session", "transaction"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, layout)
			b := h.server.StartPgBouncer(t, mode)
			h.feed = h.newFeed("postgres://postgres@"+b.Address()+"/"+h.name+"?sslmode=disable", nil)
			h.refused(ErrPooler, "PgBouncer")
		})
	}
}

// TestFeedsShareAPublication starts several gateways at once.
func TestFeedsShareAPublication(t *testing.T) {
	t.Parallel()
	h := newHarness(t, layout)
	feeds := []*Feed{h.feed}
	uri := "postgres://postgres@" + h.server.Address() + "/" + h.name
	for range 3 {
		feeds = append(feeds, h.newFeed(uri, nil))
	}
	for _, f := range feeds {
		h.run(f)
	}
	for i, f := range feeds {
		h.await(fmt.Sprintf("feed %d is live", i), f.Live)
		if got := f.Status(); got.Losses != 0 {
			t.Errorf("feed %d: %+v", i, got)
		}
	}
}

// TestSilence holds up what the server sends: in time the feed isn't live any more, and it is again when all has come.
func TestSilence(t *testing.T) {
	t.Parallel()
	h := newHarness(t, layout)
	p := startProxy(t, h.server.Address(), false)
	h.feed = h.newFeed("postgres://postgres@"+p.address+"/"+h.name+"?sslmode=disable", func(o *Options) { o.Limit = 300 * time.Millisecond })
	h.start()
	p.held.Lock()
	h.sql(`INSERT INTO "Note" ("objectId") VALUES ('n1')`)
	begun := time.Now()
	h.await("the feed isn't live", func() bool { return !h.feed.Live() })
	if waited := time.Since(begun); waited > 2*time.Second {
		t.Errorf("the feed counts as live for %s after the last that was heard", waited)
	}
	if h.feed.State() != feed.Live || len(h.take()) > 0 {
		t.Errorf("the feed is lost, or was told of the row: this test shows nothing")
	}
	p.held.Unlock()
	h.await("the feed is live again", h.feed.Live)
	if got := h.take(); len(got) != 1 {
		t.Errorf("told %q, want one row", got)
	}
}
