package testservices

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// PgBouncer is a connection pooler between clients and all databases of a PostgreSQL server.
type PgBouncer struct {
	port int
}

// StartPgBouncer starts a pooler that ends with the test. mode is what has a session of the server for itself: a client's "session",
// or each "transaction".
func (p *PostgreSQL) StartPgBouncer(tb testing.TB, mode string) *PgBouncer {
	tb.Helper()
	Need(tb, "pgbouncer")
	binary, err := exec.LookPath("pgbouncer")
	if err != nil {
		binary = "/usr/sbin/pgbouncer" // which isn't in everybody's PATH
	}
	dir, err := folder(tb, "pgbouncer", p.who)
	if err != nil {
		tb.Fatal(err)
	}
	b := &PgBouncer{}
	retryStart(tb, func(port int) error {
		b.port = port
		users, settings := filepath.Join(dir, "users.txt"), filepath.Join(dir, "pgbouncer.ini")
		if err := os.WriteFile(users, []byte(`"postgres" ""`), 0o644); err != nil { //nolint:gosec // there is no secret in it
			return err
		}
		if err := os.WriteFile(settings, fmt.Appendf(nil, `[databases]
* = host=127.0.0.1 port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = %s
pool_mode = %s
default_pool_size = 5
server_idle_timeout = 2
max_client_conn = 500
`, p.port, port, users, mode), 0o644); err != nil { //nolint:gosec // there is no secret in it
			return err
		}
		cmd := exec.Command(binary, settings)
		cmd.Dir = dir
		p.who.run(cmd)
		process, err := StartProcess(tb, "PgBouncer", cmd, os.Interrupt)
		if err != nil {
			return err
		}
		return process.Await(func() error {
			c, err := net.Dial("tcp", b.Address())
			if err != nil {
				return err
			}
			return c.Close()
		})
	})
	return b
}

// Address is the host and port of the pooler.
func (b *PgBouncer) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port)) }

// Through is the address by which a database of the server is reached through the pooler.
func (b *PgBouncer) Through(tb testing.TB, uri string) string {
	tb.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		tb.Fatal(err)
	}
	u.Host = b.Address()
	return u.String()
}
