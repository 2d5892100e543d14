package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/storage/storetest"
	"github.com/parsescale/parsescale/server/testservices"
)

// parseServer starts parse-server on a database and returns its address.
func parseServer(t *testing.T, uri string) string {
	t.Helper()
	return testservices.StartParseServers(t, testservices.ParseServers{Folder: "../../../caddymodule/e2e", Count: 1, Options: map[string]any{
		"appId": "app", "masterKey": "master", "databaseURI": uri, "databaseOptions": map[string]any{"enableSchemaHooks": true},
	}})[0].URL()
}

// layout lists what is in the schema public of a database, without what extensions made: tables with their columns in
// order, indexes with their definitions, functions with their signatures, and _SCHEMA.
const layout = `
SELECT 'column ' || c.relname || ' ' || a.attnum || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'spatial_ref_sys'
UNION ALL SELECT 'function ' || p.oid::regprocedure || ' ' || p.prorettype::regtype || ' ' || p.provolatile::text || p.proisstrict
  FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
UNION ALL SELECT 'schema ' || "className" || ' ' || "schema"::text || ' ' || "isParseClass" FROM "_SCHEMA"
ORDER BY 1`

// TestLayout: on an empty database we create what parse-server creates, and when there is parse-server's own, nothing more.
func TestLayout(t *testing.T) {
	p, theirs := testservices.SharedDatabase(t)
	_, ours := testservices.SharedDatabase(t)
	parseServer(t, theirs)
	s := open(t, ours)
	list := func(uri string) string {
		t.Helper()
		out, err := p.Query(uri[strings.LastIndexByte(uri, '/')+1:], layout)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := list(theirs)
	if got := list(ours); got != want {
		t.Errorf("layout differs: %s", onlyInOne(got, want))
	}
	open(t, theirs)
	if got := list(theirs); got != want {
		t.Errorf("something was added to parse-server's layout: %s", onlyInOne(got, want))
	}
	// Every type of field.
	all := []string{"s String", "n Number", "b Boolean", "d Date", "o Object", "a Array", "p Pointer All", "f File", "g GeoPoint", "y Polygon", "by Bytes", "r Relation All"}
	storetest.PutClass(t, s, "All", all...)
	for table, want := range map[string]string{
		"All": `objectId text, createdAt timestamp with time zone, updatedAt timestamp with time zone, a jsonb, b boolean, by jsonb, d timestamp with time zone, f text, g point, ` +
			`n double precision, o jsonb, p text, s text, y polygon, _rperm text[], _wperm text[]`,
		"_Join:r:All": `relatedId character varying(120), owningId character varying(120)`,
	} {
		got, err := p.Query(ours[strings.LastIndexByte(ours, '/')+1:], `SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = '"`+table+`"'::regclass AND attnum > 0`)
		if err != nil || got != want {
			t.Errorf("%s: %v\n got %s\nwant %s", table, err, got, want)
		}
	}
}

// onlyInOne lists the lines that only one of two texts has.
func onlyInOne(got, want string) string {
	var out []string
	lines := map[string]int{}
	for _, l := range strings.Split(got, "\n") {
		lines[l]++
	}
	for _, l := range strings.Split(want, "\n") {
		lines[l]--
	}
	for l, n := range lines {
		if n != 0 {
			out = append(out, fmt.Sprintf("%+d %s", n, l))
		}
	}
	return "\n" + strings.Join(out, "\n")
}
