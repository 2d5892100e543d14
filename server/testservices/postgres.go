package testservices

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// PostgreSQL is a running private PostgreSQL server whose databases have the PostGIS extension.
type PostgreSQL struct {
	// URI is the address of its first database, as parse-server takes it.
	URI string

	bin     string // the folder of its programs
	socket  string // the folder of its unix socket
	data    string // the folder of its data
	port    int
	who     account
	process *Process

	settings []string
}

// settings trade durability for speed: the data is thrown away with the test.
var settings = []string{"fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=64MB", "max_connections=200",
	"listen_addresses=127.0.0.1", "logging_collector=off", "log_min_messages=fatal", "wal_level=logical",
	"max_replication_slots=50", "max_wal_senders=50"}

// StartPostgreSQL starts a PostgreSQL server that ends with the test. Further settings, as name=value, come after those
// that all servers have.
func StartPostgreSQL(tb testing.TB, further ...string) *PostgreSQL {
	tb.Helper()
	Need(tb, "postgresql with postgis")
	p := newPostgreSQL(tb, further...)
	if shared.main {
		p.copy(tb, pattern(tb))
		p.listen(tb)
	} else {
		p.initialise(tb)
	}
	p.URI = p.uri(firstDatabase)
	return p
}

// newPostgreSQL finds the programs and makes the folder of a server.
func newPostgreSQL(tb testing.TB, further ...string) *PostgreSQL {
	tb.Helper()
	bin, err := postgresPrograms()
	if err != nil {
		tb.Fatal(err)
	}
	who, err := unprivileged("postgres", "nobody")
	if err != nil {
		tb.Fatal(err)
	}
	dir, err := folder(tb, "postgres", who)
	if err != nil {
		tb.Fatal(err)
	}
	return &PostgreSQL{bin: bin, socket: dir, data: filepath.Join(dir, "data"), who: who, settings: slices.Concat(settings, further)}
}

// listen starts the server on a free port.
func (p *PostgreSQL) listen(tb testing.TB) {
	tb.Helper()
	retryStart(tb, func(port int) error {
		p.port = port
		return p.start(tb)
	})
}

// start starts the server on its port.
func (p *PostgreSQL) start(tb testing.TB) error {
	args := []string{"-D", p.data, "-k", p.socket, "-p", strconv.Itoa(p.port)}
	for _, s := range p.settings {
		args = append(args, "-c", s)
	}
	cmd := exec.Command(filepath.Join(p.bin, "postgres"), args...)
	cmd.Dir = p.socket
	p.who.run(cmd)
	process, err := StartProcess(tb, "PostgreSQL", cmd, os.Interrupt) // a fast shutdown: it waits for no client
	if err != nil {
		return err
	}
	p.process = process
	return process.Await(func() error {
		// The socket is in our own folder: whoever answers there is the server just started.
		return exec.Command(filepath.Join(p.bin, "pg_isready"), "-q", "-U", "postgres", "-h", p.socket, "-p", strconv.Itoa(p.port)).Run()
	})
}

// Stop ends the server, without waiting for its clients.
func (p *PostgreSQL) Stop() { p.process.Stop(os.Interrupt) }

// Kill ends the server as a crash would.
func (p *PostgreSQL) Kill() { p.process.Stop(syscall.SIGQUIT) } // an immediate shutdown: its children go too

// Start starts a server again that was stopped, on the same port.
func (p *PostgreSQL) Start(tb testing.TB) {
	tb.Helper()
	if err := p.start(tb); err != nil {
		tb.Fatal(err)
	}
}

// Address is the host and port of the server.
func (p *PostgreSQL) Address() string { return fmt.Sprintf("127.0.0.1:%d", p.port) }

// StartStandby starts a second server that follows this one, by streaming replication, and can be read from. It ends with
// the test.
func (p *PostgreSQL) StartStandby(tb testing.TB) *PostgreSQL {
	tb.Helper()
	dir, err := folder(tb, "standby", p.who)
	if err != nil {
		tb.Fatal(err)
	}
	s := &PostgreSQL{bin: p.bin, socket: dir, data: filepath.Join(dir, "data"), who: p.who, settings: p.settings}
	backup := exec.Command(filepath.Join(p.bin, "pg_basebackup"), "--pgdata", s.data, "--host", p.socket, "--port", strconv.Itoa(p.port), "--username=postgres",
		"--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync")
	backup.Dir = dir
	p.who.run(backup)
	if out, err := backup.CombinedOutput(); err != nil {
		tb.Fatalf("cannot copy a PostgreSQL cluster: %v\n%s", err, out)
	}
	s.listen(tb)
	return s
}

// Promote has a standby take writes.
func (p *PostgreSQL) Promote(tb testing.TB) {
	tb.Helper()
	if err := p.SQL("postgres", "SELECT pg_promote()"); err != nil {
		tb.Fatal(err)
	}
}

// Database makes a database and returns its address, as parse-server takes it.
func (p *PostgreSQL) Database(tb testing.TB, name string) string {
	tb.Helper()
	if err := p.SQL("postgres", `CREATE DATABASE "`+strings.ReplaceAll(name, `"`, `""`)+`"`); err != nil {
		tb.Fatal(err)
	}
	return p.uri(name)
}

func (p *PostgreSQL) uri(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s", p.port, database)
}

// SQL runs statements in a database.
func (p *PostgreSQL) SQL(database, statements string) error {
	_, err := p.Query(database, statements)
	return err
}

// Query runs one statement in a database and returns its rows as psql prints them: a line each, columns joined by "|".
func (p *PostgreSQL) Query(database, statement string) (string, error) {
	out, err := exec.Command(filepath.Join(p.bin, "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", p.socket,
		"-p", strconv.Itoa(p.port), "-U", "postgres", "-d", database, "-c", statement).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cannot run SQL in database %s: %w: %s", database, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// postgresPrograms returns the folder of the newest installed server's programs. Debian keeps them out of PATH.
func postgresPrograms() (string, error) {
	candidates, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the pattern is well formed
	slices.SortFunc(candidates, func(a, b string) int { return postgresVersion(b) - postgresVersion(a) })
	if len(candidates) > 0 {
		return filepath.Dir(candidates[0]), nil
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		return "", fmt.Errorf("cannot find a PostgreSQL server, in /usr/lib/postgresql or in PATH: %w", err)
	}
	return filepath.Dir(path), nil
}

func postgresVersion(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4]) // what is no number sorts last
	return n
}
