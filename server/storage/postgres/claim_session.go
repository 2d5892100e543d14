package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parsescale/parsescale/server/storage"
)

// claimSession is a connection that looks after a claim.
type claimSession struct {
	pg    *pgconn.PgConn
	limit time.Duration // of each question
	name  string
	taken time.Duration // when the lock was, since the claim's start
	// hidden is how many gateways' locks without a session were seen last.
	hidden int64
}

func (c *Claim) connect(ctx context.Context) (*claimSession, error) {
	limited, cancel := context.WithTimeout(ctx, 2*c.o.Lease)
	defer cancel()
	pg, err := pgconn.ConnectConfig(limited, c.config)
	if unsupported(err) {
		return nil, fmt.Errorf("%w (%w)", errPooler, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	return &claimSession{pg: pg, limit: c.o.Lease / 2, name: c.name}, nil
}

func (s *claimSession) close() {
	ctx, cancel := context.WithTimeout(context.Background(), s.limit)
	defer cancel()
	_ = s.pg.Close(ctx) // an end that the server doesn't hear of it notices
}

// holdsClaim is true of a lock l that is a gateway's claim on this database.
var holdsClaim = fmt.Sprintf(`l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_catalog.pg_database
WHERE datname = current_database()) AND ((l.classid::bigint << 32) | l.objid::bigint) = %d`, int64(claimLock))

var (
	errNoAnswer = errors.New("cannot read the database's answer")
	errPooler   = errors.New("a pooler stands between the gateway and PostgreSQL: exclusive needs an address that leads to the server itself")
)

// row asks a question whose answer is one row.
func (s *claimSession) row(sql string, args ...string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.limit)
	defer cancel()
	values := make([][]byte, len(args))
	for i, a := range args {
		values[i] = []byte(a)
	}
	r := s.pg.ExecParams(ctx, sql, values, nil, nil, nil).Read()
	if r.Err != nil {
		return nil, r.Err
	}
	if len(r.Rows) != 1 {
		return nil, errNoAnswer
	}
	out := make([]string, len(r.Rows[0]))
	for i, v := range r.Rows[0] {
		out[i] = string(v)
	}
	return out, nil
}

// direct refuses a pooler in between: whoever takes the lock must be the one who asks for it later, and sessions must have the names
// that they ask for.
func (s *claimSession) direct() error {
	row, err := s.row(`SELECT pg_catalog.pg_backend_pid(), current_setting('application_name')`)
	if err != nil {
		return err
	}
	if row[0] != strconv.FormatUint(uint64(s.pg.PID()), 10) || row[1] != s.name+"/gateway" {
		return errPooler
	}
	return nil
}

// lock takes the lock, or tells who has it.
func (s *claimSession) lock(shared bool) (locked bool, holder string, err error) {
	lock, try := strconv.FormatInt(claimLock, 10), "pg_try_advisory_lock"
	if shared {
		try = "pg_try_advisory_lock_shared"
	}
	row, err := s.row(`SELECT pg_catalog.` + try + `(` + lock + `)`)
	if err != nil || row[0] == "t" {
		return err == nil, "", err
	}
	row, err = s.row(`SELECT coalesce(string_agg(coalesce(a.application_name, '?') || coalesce(' at ' || host(a.client_addr), ''), ', '), 'just gone')
FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
WHERE ` + holdsClaim)
	if err != nil {
		return false, "", err
	}
	return false, row[0], nil
}

// sessions counts who is connected to the database.
type sessions struct {
	rivals    int64 // of gateways with a claim that aren't this one
	unclaimed int64 // of workers that run without one
	others    int64 // of other programs
	// gateways are the names of all with a claim, this one included; hidden is the number of claims without a session that can
	// be seen, because it belongs to another role.
	gateways []string
	hidden   int64
}

// The names of other roles' sessions are hidden from a role without rights: those count as others.
var lookSQL = fmt.Sprintf(`WITH s AS MATERIALIZED (SELECT pid, coalesce(application_name, '') AS name FROM pg_catalog.pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend')
SELECT count(*) FILTER (WHERE starts_with(name, '%[1]s') AND NOT starts_with(name, $1)),
count(*) FILTER (WHERE starts_with(name, '%[2]s')),
count(*) FILTER (WHERE NOT starts_with(name, 'parsescale')),
(SELECT count(*) FROM pg_catalog.pg_locks AS l WHERE %[3]s
AND NOT EXISTS (SELECT FROM s WHERE s.pid = l.pid AND starts_with(s.name, '%[1]s'))),
coalesce(string_agg(DISTINCT split_part(name, '/', 1), ' ') FILTER (WHERE starts_with(name, '%[1]s')), '')
FROM s`, sessionPrefix, workerPrefix, holdsClaim)

func (s *claimSession) look() (seen sessions, err error) {
	row, err := s.row(lookSQL, s.name+"/")
	if err != nil {
		return seen, err
	}
	for i, n := range []*int64{&seen.rivals, &seen.unclaimed, &seen.others, &seen.hidden} {
		if *n, err = strconv.ParseInt(row[i], 10, 64); err != nil {
			return seen, errNoAnswer
		}
	}
	seen.gateways = strings.Fields(row[4])
	return seen, nil
}

// endRivals ends the sessions of other gateways' workers.
func (s *claimSession) endRivals(name string) error {
	_, err := s.row(`SELECT count(pg_catalog.pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND starts_with(application_name, '`+sessionPrefix+`') AND NOT starts_with(application_name, $1)`, name+"/")
	return err
}

// end ends the sessions of a name and tells how many there were.
func (s *claimSession) end(name string) (int64, error) {
	row, err := s.row(`SELECT count(pg_catalog.pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity
WHERE datname = current_database() AND application_name = $1`, name)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(row[0], 10, 64)
}
