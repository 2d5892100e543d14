package decoding

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/testservices"
)

func TestMain(m *testing.M) { testservices.Main(m) }

// patience bounds how long a test waits for what must happen.
const patience = 20 * time.Second

// recorder is an Applier that writes down what it is told.
type recorder struct {
	mu      sync.Mutex
	changes []change.Change
	open    int
}

func (r *recorder) Prepare(changes []change.Change) func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes = append(r.changes, changes...)
	r.open++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.open--
	}
}

func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	for i := range r.changes {
		lines = append(lines, show(&r.changes[i]))
	}
	r.changes = nil
	return lines
}

func (r *recorder) isOpen() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}

var kinds = map[change.Kind]string{change.Create: "create", change.Update: "update", change.Delete: "delete", change.Schema: "schema", change.Purge: "purge"}

// show writes a change as a line: kind, class, id, and the images that are known. A "?" follows the unknown fields.
func show(c *change.Change) string {
	line := kinds[c.Kind] + " " + c.Class
	if c.ObjectID != "" {
		line += " " + c.ObjectID
	}
	for _, side := range [...]struct {
		name  string
		image *change.Image
	}{{"before", c.Before}, {"after", c.After}} {
		if i := side.image; i != nil {
			line += " " + side.name + " {"
			for n, name := range slices.Sorted(maps.Keys(i.Fields)) {
				value := string(query.AppendJSON(nil, i.Fields[name]))
				if len(value) > 1000 {
					value = fmt.Sprintf("%d bytes", len(value)-2)
				}
				line += strings.Repeat(",", min(n, 1)) + `"` + name + `":` + value
			}
			line += "}"
			omitted := slices.Clone(i.Omitted)
			slices.Sort(omitted)
			for _, name := range omitted {
				line += " " + name + "?"
			}
			if i.Partial {
				line += " …?"
			}
		}
	}
	return line
}

// harness is a database in parse-server's layout, and a Feed that follows it.
type harness struct {
	*testing.T
	server *testservices.PostgreSQL
	name   string
	feed   *Feed
	conn   *pgconn.PgConn // of sql and query
	recorder
}

const layout = `
CREATE TABLE "_SCHEMA" ("className" varchar(120), "schema" jsonb, "isParseClass" bool, PRIMARY KEY ("className"));
CREATE TABLE "Note" ("objectId" text PRIMARY KEY, "createdAt" timestamptz, "updatedAt" timestamptz, "title" text, "count" float8, "done" boolean,
	"owner" text, "place" point, "area" polygon, "data" jsonb, "file" text, "_rperm" text[], "_wperm" text[]);
INSERT INTO "_SCHEMA" VALUES ('Note', '{"className":"Note","fields":{"objectId":{"type":"String"},"createdAt":{"type":"Date"},"updatedAt":{"type":"Date"},
	"title":{"type":"String"},"count":{"type":"Number"},"done":{"type":"Boolean"},"owner":{"type":"Pointer","targetClass":"_User"},"place":{"type":"GeoPoint"},
	"area":{"type":"Polygon"},"data":{"type":"Object"},"file":{"type":"File"},"tags":{"type":"Relation","targetClass":"Tag"},
	"_rperm":{"type":"Array","contents":{"type":"String"}},"_wperm":{"type":"Array","contents":{"type":"String"}}}}', true);
CREATE TABLE "_Join:tags:Note" ("relatedId" varchar(120), "owningId" varchar(120), PRIMARY KEY("relatedId", "owningId"));
CREATE TABLE "_User" ("objectId" text PRIMARY KEY, "username" text, "email" text, "_hashed_password" text, "_auth_data_x" jsonb);
INSERT INTO "_SCHEMA" VALUES ('_User', '{"className":"_User","fields":{"objectId":{"type":"String"},"username":{"type":"String"},"email":{"type":"String"},"_hashed_password":{"type":"String"}}}', true);
`

// newHarness makes a database; start follows it.
func newHarness(t *testing.T, sql string) *harness {
	t.Helper()
	server, uri := testservices.SharedDatabase(t)
	return harnessOn(t, server, uri, sql)
}

func harnessOn(t *testing.T, server *testservices.PostgreSQL, uri, sql string) *harness {
	t.Helper()
	h := &harness{T: t, server: server, name: uri[strings.LastIndexByte(uri, '/')+1:]}
	h.sql(sql)
	h.feed = h.newFeed(uri, nil)
	return h
}

func (h *harness) newFeed(uri string, change func(*Options)) *Feed {
	h.Helper()
	config, err := pgconn.ParseConfig(uri)
	if err != nil {
		h.Fatal(err)
	}
	o := Options{
		Config: config, Applier: &h.recorder, Beat: 100 * time.Millisecond, Again: 50 * time.Millisecond, watch: 100 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if change != nil {
		change(&o)
	}
	return New(o)
}

// start follows the database until the test ends, and waits until it does.
func (h *harness) start() {
	h.Helper()
	h.run(h.feed)
	h.await("the feed is live", h.feed.Live)
	h.take()
}

// run has a feed follow the database until the test ends or the function that it returns is called.
func (h *harness) run(f *Feed) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	h.Cleanup(stop)
	return stop
}

func (h *harness) sql(statements string) {
	h.Helper()
	h.query(statements)
}

// query runs statements and returns the first value of the last one.
func (h *harness) query(statements string) string {
	h.Helper()
	if h.conn == nil || h.conn.IsClosed() {
		h.conn = h.session()
	}
	results, err := h.conn.Exec(context.Background(), statements).ReadAll()
	if err != nil {
		h.Fatal(err)
	}
	if last := results[len(results)-1]; len(last.Rows) > 0 {
		return string(last.Rows[0][0])
	}
	return ""
}

func (h *harness) await(what string, ok func() bool) {
	h.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.Fatalf("waited in vain until %s; the feed's state: %+v", what, h.feed.Status())
		}
	}
}

// fence waits for the log to pass this moment.
func (h *harness) fence() {
	h.Helper()
	select {
	case <-h.feed.Fence():
	case <-time.After(patience):
		h.Fatal("a fence doesn't come back")
	}
}

// settled waits until nothing is held back.
func (h *harness) settled() {
	h.Helper()
	h.await("everything is visible", func() bool { return h.isOpen() == 0 })
}

// session opens a connection of a foreign writer.
func (h *harness) session() *pgconn.PgConn {
	h.Helper()
	c, err := pgconn.Connect(context.Background(), fmt.Sprintf("postgres://postgres@%s/%s", h.server.Address(), h.name))
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func (h *harness) exec(c *pgconn.PgConn, sql string) {
	h.Helper()
	if _, err := c.Exec(context.Background(), sql).ReadAll(); err != nil {
		h.Fatal(err)
	}
}
