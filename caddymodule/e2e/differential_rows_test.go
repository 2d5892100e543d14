package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/testservices"
)

// sameRows compares what the scripted requests left in the two PostgreSQL databases: every table and column of the
// worker's is in Parse Server's, with the same type, and has as many values there. Parse Server may have more columns,
// because refused writes leave some.
func sameRows(t *testing.T, postgres *testservices.PostgreSQL) {
	const columns = `SELECT table_name || '|' || column_name || '|' || data_type FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name NOT IN ('spatial_ref_sys','geometry_columns','geography_columns') ORDER BY 1`
	read := func(database, statement string) []string {
		t.Helper()
		out, err := postgres.Query(database, statement)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(out, "\n")
	}
	reference := map[string]bool{}
	for _, c := range read("reference", columns) {
		reference[c] = true
	}
	var counts []string
	for _, c := range read("worker", columns) {
		if !reference[c] {
			t.Errorf("Parse Server has no column %s", c)
			continue
		}
		part := strings.Split(c, "|")
		if writtenByOne[part[0]] {
			continue
		}
		counts = append(counts, fmt.Sprintf(`SELECT '%s.%s ' || count("%s") FROM "%s"`, part[0], part[1], part[1], part[0]))
	}
	if len(counts) < 50 {
		t.Fatalf("only %d columns", len(counts))
	}
	statement := strings.Join(counts, " UNION ALL ") + " ORDER BY 1"
	want, got := read("reference", statement), read("worker", statement)
	for i := range want {
		if i < len(got) && want[i] != got[i] {
			t.Errorf("values by column: Parse Server %s, the worker %s", want[i], got[i])
		}
	}
	t.Logf("%d columns compared", len(want))
}

// writtenByOne are tables that requests of the scripts that differ on purpose leave different.
var writtenByOne = map[string]bool{
	"Thing":         true, // a request that only one of them takes
	"_Installation": true, // a device token that only one of them deletes
	"_SCHEMA":       true, // classes that refused requests leave
}
