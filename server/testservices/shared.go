package testservices

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// shared is what the tests of one binary have in common: made when the first one asks for it, ended by Main.
var shared struct {
	sync.Mutex // held while the server is started
	main       bool
	postgres   *PostgreSQL
	made       int
}

// Main runs the tests of a package that share servers, and ends those. It is called by TestMain.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for a TestMain that has more to do at the end. It returns what to exit with.
func Run(m *testing.M) int {
	shared.main = true
	defer lifetimes.end()
	return m.Run()
}

// SharedDatabase makes an empty database on a PostgreSQL server that all tests of the binary share, and returns the server
// and the database's address. The package's TestMain must call Main.
func SharedDatabase(tb testing.TB) (*PostgreSQL, string) {
	tb.Helper()
	Need(tb, "postgresql with postgis")
	shared.Lock()
	defer shared.Unlock()
	if !shared.main {
		tb.Fatal("the package has no TestMain that calls testservices.Main")
	}
	if shared.postgres == nil {
		shared.postgres = StartPostgreSQL(lifetimes.begin(tb))
	}
	shared.made++
	return shared.postgres, shared.postgres.Database(tb, fmt.Sprintf("t%d", shared.made))
}

// DatabaseVariable is the environment variable that has tests of the worker use another database than SQLite: "postgres".
const DatabaseVariable = "PARSESCALE_TEST_DATABASE"

// DatabaseURI returns the address of an empty database: SQLite in the file, or what DatabaseVariable asks for.
func DatabaseURI(tb testing.TB, file string) string {
	tb.Helper()
	switch kind := os.Getenv(DatabaseVariable); kind {
	case "", "sqlite":
		return "sqlite://" + filepath.ToSlash(file)
	case "postgres":
		_, uri := SharedDatabase(tb)
		return uri
	default:
		tb.Fatalf("%s=%s: there is only sqlite and postgres", DatabaseVariable, kind)
		return ""
	}
}

// lifetime is the testing.TB of what outlives the test that started it: what is to be done at the end waits for that.
type lifetime struct {
	testing.TB // of the test that started it, for its failures
	cleanups   []func()
}

// Cleanup implements testing.TB.
func (l *lifetime) Cleanup(f func()) { l.cleanups = append(l.cleanups, f) }

// Failed implements testing.TB. The test it belongs to has ended when it is asked.
func (l *lifetime) Failed() bool { return false }

func (l *lifetime) end() {
	for i := len(l.cleanups) - 1; i >= 0; i-- {
		l.cleanups[i]()
	}
}

// lifetimes are those that Run ends.
var lifetimes lives

type lives struct {
	mu  sync.Mutex
	all []*lifetime
}

func (l *lives) begin(tb testing.TB) *lifetime {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, &lifetime{TB: tb})
	return l.all[len(l.all)-1]
}

// end ends them, the last one first. No test runs any more.
func (l *lives) end() {
	for i := len(l.all) - 1; i >= 0; i-- {
		l.all[i].end()
	}
}
