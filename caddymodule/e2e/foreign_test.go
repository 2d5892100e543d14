package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parsescale/parsescale/server/testservices"
)

// TestForeignWrites puts a gateway that reads the database's log in front of one Parse Server, while another one and an SQL
// console write to the same database.
func TestForeignWrites(t *testing.T) {
	testservices.Need(t, "Node with the npm package parse-server, and postgresql with postgis")
	postgres := testservices.StartPostgreSQL(t)
	servers := startParseServers(t, 2, map[string]any{"databaseURI": postgres.URI})
	console, err := pgconn.Connect(t.Context(), postgres.URI)
	if err != nil {
		t.Fatal(err)
	}
	defer console.Close(context.Background())
	sql := func(statements string) string {
		t.Helper()
		results, err := console.Exec(t.Context(), statements).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if last := results[len(results)-1]; len(last.Rows) > 0 {
			return string(last.Rows[0][0])
		}
		return ""
	}
	// The server makes the gateway's slot once this has ended; the slot won't tell of what is committed before.
	sql("BEGIN; CREATE TABLE held ()")
	g := startGateway(t, strings.Replace(remoteApp(servers[0].Address), "ttl 5s\n\t\t}", "ttl 1h\n\t\t}\n\t\tfeed postgres "+postgres.URI, 1))
	own, other := newClient(t, g.url()), newClient(t, servers[1].URL())
	await := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain until %s", what)
			}
		}
	}
	const read = `/classes/Thing?where={"n":{"$gt":0}}&order=n`
	get := func() answer {
		t.Helper()
		a, err := own.do("GET", read, "")
		if err != nil || a.status != 200 {
			t.Fatal(a.status, a.body, err)
		}
		return a
	}
	await("a slot is being made", func() bool { return sql("SELECT count(*) FROM pg_replication_slots") == "1" })
	id := fmt.Sprint(ask(t, own, "POST", "/classes/Thing", `{"n":1}`, 201)["objectId"])
	sql("ROLLBACK")
	cached := func() {
		t.Helper()
		await("an answer is cached", func() bool { return strings.HasSuffix(get().header.Get("Cache-Status"), "; hit") })
	}
	cached()
	level := func() string {
		t.Helper()
		s, err := g.status()
		if err != nil {
			t.Fatal(err)
		}
		for _, app := range s.Apps {
			return app.Level
		}
		return ""
	}
	if got := level(); got != "fenced" {
		t.Fatalf("the level is %q", got)
	}

	t.Run("an own write is read at once", func(t *testing.T) {
		for n := 2; n < 30; n++ {
			cached()
			ask(t, own, "PUT", "/classes/Thing/"+id, fmt.Sprintf(`{"n":%d}`, n), 200)
			if a := get(); !strings.Contains(a.body, fmt.Sprintf(`"n":%d`, n)) {
				t.Fatalf("after the write of %d: %s", n, a.body)
			}
		}
	})
	for _, foreign := range []struct {
		name  string
		write func(n int)
	}{
		{"another Parse Server", func(n int) {
			ask(t, other, "PUT", "/classes/Thing/"+id, fmt.Sprintf(`{"n":%d}`, n), 200)
		}},
		{"an SQL console", func(n int) {
			sql(fmt.Sprintf(`UPDATE "Thing" SET n = %d`, n))
		}},
	} {
		t.Run(foreign.name, func(t *testing.T) {
			var worst time.Duration
			for n := 100; n < 110; n++ {
				cached()
				foreign.write(n)
				written := time.Now()
				await("a foreign write is seen", func() bool { return strings.Contains(get().body, fmt.Sprintf(`"n":%d`, n)) })
				worst = max(worst, time.Since(written))
			}
			// The answer would live for an hour.
			if worst > 2*time.Second {
				t.Errorf("a foreign write was seen after %s", worst)
			}
			t.Logf("seen after %s at most", worst)
		})
	}
}
