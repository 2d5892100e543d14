package testservices

import (
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// firstDatabase is the database that a server has from the beginning.
const firstDatabase = "parse"

// clusterMade is a stopped server whose cluster of databases others copy.
var clusterMade struct {
	sync.Mutex
	server *PostgreSQL // nil: it isn't made yet
}

// pattern returns a stopped server whose cluster of databases is as that of each server at first. To make one takes seconds, of which
// PostGIS needs the most, so the first test that needs one makes it for all.
func pattern(tb testing.TB) *PostgreSQL {
	tb.Helper()
	clusterMade.Lock()
	defer clusterMade.Unlock()
	if clusterMade.server == nil {
		p := newPostgreSQL(lifetimes.begin(tb))
		p.initialise(tb)
		p.Stop()
		clusterMade.server = p
	}
	return clusterMade.server
}

// initialise makes the server's cluster and starts the server.
func (p *PostgreSQL) initialise(tb testing.TB) {
	tb.Helper()
	p.run(tb, filepath.Join(p.bin, "initdb"), "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8",
		"--locale=C.UTF-8", "--pgdata", p.data)
	p.listen(tb)
	// Every database is a copy of this one.
	if err := p.SQL("template1", "CREATE EXTENSION postgis"); err != nil {
		tb.Fatal(err)
	}
	p.Database(tb, firstDatabase)
}

// copy takes over the cluster of a server that is stopped.
func (p *PostgreSQL) copy(tb testing.TB, from *PostgreSQL) {
	tb.Helper()
	p.run(tb, "cp", "-R", "-p", from.data, p.data)
}

// run runs a program that makes the server's cluster.
func (p *PostgreSQL) run(tb testing.TB, program string, args ...string) {
	tb.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = p.socket
	p.who.run(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("cannot make a PostgreSQL cluster: %v\n%s", err, out)
	}
}
