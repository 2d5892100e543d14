package sqlbuild_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/storage/sqlbuild"
	_ "modernc.org/sqlite"
)

func TestAppendIdent(t *testing.T) {
	for name, want := range map[string]string{"GameScore": `"GameScore"`, "_Join:users:_Role": `"_Join:users:_Role"`, `a"b`: `"a""b"`, "": `""`, "a\x00b": "\"a\uFFFDb\"", `";DROP TABLE x;--`: `""";DROP TABLE x;--"`} {
		if got := string(sqlbuild.AppendIdent([]byte("x"), name)); got != "x"+want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

// FuzzAppendIdent: whatever a name is, SQLite reads what AppendIdent makes of it as one identifier, and as that name.
func FuzzAppendIdent(f *testing.F) {
	for _, seed := range []string{"a", `"`, `""`, `a" TEXT); DROP TABLE t; --`, "a\x00b", "é\n", "'", "`", "]", "\xff"} {
		f.Add(seed)
	}
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		f.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	f.Cleanup(func() { db.Close() })
	f.Fuzz(func(t *testing.T, name string) {
		quoted := string(sqlbuild.AppendIdent(nil, name))
		rows, err := db.Query("SELECT 1 AS " + quoted + ", 2 AS last")
		if err != nil {
			t.Fatalf("%q: %v", quoted, err)
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil || len(columns) != 2 || columns[1] != "last" || columns[0] != strings.ReplaceAll(name, "\x00", "\uFFFD") {
			t.Errorf("%q became %q, %v", name, columns, err)
		}
	})
}
