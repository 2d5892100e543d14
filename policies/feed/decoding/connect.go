package decoding

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// connect opens a connection. parameters are set in it, beside those of the configuration.
func (f *Feed) connect(ctx context.Context, doing string, parameters map[string]string) (*pgconn.PgConn, error) {
	config := f.options.Config.Copy()
	for _, name := range [...]string{"statement_timeout", "lock_timeout", "jit"} {
		delete(config.RuntimeParams, name) // for an application's statements
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = applicationName
	}
	for name, value := range parameters {
		config.RuntimeParams[name] = value
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	return conn, explain(doing, err)
}

// ask runs one statement and returns its rows as text. A NULL is "".
func ask(ctx context.Context, c *pgconn.PgConn, doing, sql string, args ...string) ([][]string, error) {
	values := make([][]byte, len(args))
	for i, a := range args {
		values[i] = []byte(a)
	}
	result := c.ExecParams(ctx, sql, values, nil, nil, nil).Read()
	if result.Err != nil {
		return nil, explain(doing, result.Err)
	}
	rows := make([][]string, len(result.Rows))
	for i, row := range result.Rows {
		rows[i] = make([]string, len(row))
		for j, v := range row {
			rows[i][j] = string(v)
		}
	}
	return rows, nil
}

// applicationName is how the feed's connections are called in pg_stat_activity.
const applicationName = "parsescale feed"

// server is what was found out about the server before it is followed.
type server struct {
	version   int    // such as 150004
	namespace string // the schema that has the app's tables
}

// inspect finds out whether the server can be followed through this connection.
func inspect(ctx context.Context, c *pgconn.PgConn) (server, error) {
	rows, err := ask(ctx, c, "ask PostgreSQL for its settings", `SELECT current_setting('server_version_num'), pg_backend_pid(),
		current_setting('wal_level'), pg_is_in_recovery(), (SELECT n.nspname FROM pg_catalog.pg_class AS c
		JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('"_SCHEMA"')),
		current_setting('synchronous_standby_names')`)
	if err != nil {
		return server{}, err
	}
	row := rows[0]
	version, _ := strconv.Atoi(row[0]) // the server sends digits
	s := server{version: version, namespace: row[4]}
	switch {
	case row[1] != strconv.FormatUint(uint64(c.PID()), 10):
		// Whoever answered the start of the connection isn't who answers its statements.
		return s, ErrPooler
	case version < 140000:
		return s, fmt.Errorf("%w (this is %s)", ErrVersion, c.ParameterStatus("server_version"))
	case row[3] == "t":
		return s, ErrStandby
	case row[2] != "logical":
		return s, fmt.Errorf("%w (it is %s)", ErrWALLevel, row[2])
	case strings.Contains(row[5], "*") || strings.Contains(row[5], applicationName):
		return s, ErrStandbys
	case s.namespace == "":
		return s, errNoSchema
	}
	return s, nil
}

// quote quotes a name for a statement.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
