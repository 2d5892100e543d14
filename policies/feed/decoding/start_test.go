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
)

// TestTableMadeWhileTheSlotIsMade: the server makes a slot only once the transactions that run have ended, and what is
// committed meanwhile the slot doesn't tell. A class that is made then must still be followed.
func TestTableMadeWhileTheSlotIsMade(t *testing.T) {
	t.Parallel()
	h := newHarness(t, layout)
	open := h.session()
	h.exec(open, `BEGIN; INSERT INTO "Note" ("objectId") VALUES ('open')`)
	h.run(h.feed)
	h.await("a slot is being made", func() bool {
		return h.query("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()") == "1"
	})
	h.sql(`BEGIN; CREATE TABLE "New" ("objectId" text PRIMARY KEY); INSERT INTO "_SCHEMA" VALUES ('New', '{"fields":{}}', true); COMMIT`)
	if h.feed.State() == feed.Live {
		t.Fatal("the feed is live already: this test shows nothing")
	}
	h.exec(open, "COMMIT")
	h.await("the feed is live", h.feed.Live)
	h.take()
	for i := range 3 {
		h.sql(fmt.Sprintf(`INSERT INTO "New" VALUES ('n%d')`, i))
		h.fence()
		if got := h.take(); !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, fmt.Sprintf("create New n%d", i)) }) {
			t.Fatalf("a row of the new class isn't told: %q", got)
		}
	}
}

// TestSlotIsMadeTooLong: while the server makes the slot it keeps its log, which is bounded too.
func TestSlotIsMadeTooLong(t *testing.T) {
	t.Parallel()
	h := newHarness(t, layout)
	h.feed = h.newFeed("postgres://postgres@"+h.server.Address()+"/"+h.name, func(o *Options) { o.MaxRetained = 1 })
	open := h.session()
	h.exec(open, `BEGIN; INSERT INTO "Note" ("objectId") VALUES ('open')`)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := h.feed.follow(ctx); !errors.Is(err, ErrRetained) {
		t.Errorf("the slot is given up because of %v", err)
	}
	if reason := h.feed.Status().Reason; reason != errWaits.Error() {
		t.Errorf("while it waits the status says %q", reason)
	}
	h.await("the slot is gone", func() bool {
		return h.query("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()") == "0"
	})
}

// TestAnotherGatewayHasTheTableJoin: that a table is in the publication already doesn't mean that all of its rows are told.
func TestAnotherGatewayHasTheTableJoin(t *testing.T) {
	t.Parallel()
	h := newHarness(t, layout)
	h.sql(`CREATE TABLE "New" ("objectId" text PRIMARY KEY)`)
	h.start()
	early := h.session()
	h.exec(early, `BEGIN; INSERT INTO "New" VALUES ('early')`)
	h.sql(`ALTER PUBLICATION parsescale ADD TABLE "New"`)
	h.sql(`INSERT INTO "_SCHEMA" VALUES ('New', '{"fields":{}}', true)`)
	h.fence()
	time.Sleep(3 * latest)
	if h.isOpen() != 1 {
		t.Error("the class is in service while a transaction may have written to it that isn't told")
	}
	h.exec(early, "COMMIT")
	h.settled()
	h.sql(`INSERT INTO "New" VALUES ('late')`)
	h.fence()
	if got := h.take(); !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, "create New late") }) {
		t.Errorf("a row written later isn't told: %q", got)
	}
}

// TestReleasesThatForgetJoining: where a server may overlook that a table has joined, a new slot is made.
func TestReleasesThatForgetJoining(t *testing.T) {
	t.Parallel()
	for version, want := range map[int]bool{
		140000: true, 140017: true, 140018: false, 150012: true, 150013: false, 160008: true, 160009: false, 170004: true, 170005: false, 180000: false,
	} {
		if got := forgetsJoining(version); got != want {
			t.Errorf("%d: %v", version, got)
		}
	}
	h := newHarness(t, layout)
	s := &session{feed: h.feed, asking: h.session(), server: server{version: 150012, namespace: "public"}}
	if _, err := s.join(t.Context()); !errors.Is(err, errJoined) {
		t.Errorf("a new table has joined: %v", err)
	}
	if _, err := s.join(t.Context()); err != nil {
		t.Errorf("none has joined: %v", err)
	}
}

// TestTableBehindTheBack: a table that is made anew, or taken out of the publication, without a change of _SCHEMA is noticed: what
// was cached is dropped, and its rows are told again.
func TestTableBehindTheBack(t *testing.T) {
	t.Parallel()
	for name, statements := range map[string]string{
		"made anew":                    `BEGIN; DROP TABLE "Note"; CREATE TABLE "Note" ("objectId" text PRIMARY KEY); COMMIT`,
		"taken out of the publication": `ALTER PUBLICATION parsescale DROP TABLE "Note"`,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, layout)
			h.start()
			before := h.feed.Status().Losses
			h.sql(statements)
			h.await("the loss", func() bool { return h.feed.Status().Losses > before })
			h.await("the feed is live", h.feed.Live)
			h.take()
			h.sql(`INSERT INTO "Note" ("objectId") VALUES ('again')`)
			h.fence()
			if got := h.take(); !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, "create Note again") }) {
				t.Errorf("a row isn't told: %q", got)
			}
		})
	}
}
