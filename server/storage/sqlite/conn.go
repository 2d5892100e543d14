package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/parsescale/parsescale/server/storage/sqlbuild"
	driversqlite "modernc.org/sqlite"
)

// maxStatements is how many prepared statements a connection keeps.
const maxStatements = 256

// conn is one connection with its prepared statements. It is used by one goroutine at a time, and speaks to the driver
// directly: database/sql would lock, copy and convert on every row.
type conn struct {
	raw        driver.Conn
	statements map[string]*statement
	clock      uint64
	named      []driver.NamedValue
	builder    sqlbuild.Builder
}

// statement is a prepared statement. While its rows are read it is busy, and the same SQL gets another one.
type statement struct {
	driver.Stmt
	sql    string
	used   uint64
	busy   bool
	cached bool
}

func connect(d *driversqlite.Driver, dsn string) (*conn, error) {
	raw, err := d.Open(dsn)
	if err != nil {
		return nil, fmt.Errorf("cannot open the database file: %w", err)
	}
	return &conn{raw: raw, statements: make(map[string]*statement)}, nil
}

func (c *conn) close() error {
	for _, s := range c.statements {
		s.Close()
	}
	c.statements = nil
	return c.raw.Close()
}

// prepare returns a statement that isn't busy.
func (c *conn) prepare(sql []byte) (*statement, error) {
	c.clock++
	known, ok := c.statements[string(sql)]
	if ok && !known.busy {
		known.used, known.busy = c.clock, true
		return known, nil
	}
	text := string(sql)
	stmt, err := c.raw.Prepare(text)
	if err != nil {
		return nil, err
	}
	s := &statement{Stmt: stmt, sql: text, used: c.clock, busy: true, cached: !ok}
	if s.cached {
		if len(c.statements) >= maxStatements {
			c.evict()
		}
		c.statements[text] = s
	}
	return s, nil
}

// evict closes the statement that wasn't used for the longest time.
func (c *conn) evict() {
	var oldest *statement
	for _, s := range c.statements {
		if !s.busy && (oldest == nil || s.used < oldest.used) {
			oldest = s
		}
	}
	if oldest != nil {
		delete(c.statements, oldest.sql)
		oldest.Close()
	}
}

func (s *statement) release() {
	s.busy = false
	if !s.cached {
		s.Close()
	}
}

func (c *conn) bind(args []any) []driver.NamedValue {
	c.named = c.named[:0]
	for i, a := range args {
		c.named = append(c.named, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return c.named
}

// cursor reads the rows of a query.
type cursor struct {
	stmt *statement
	rows driver.Rows
	row  []driver.Value
}

// query runs a SELECT. A context that can end costs a goroutine of the driver, so short queries come without.
func (c *conn) query(ctx context.Context, sql []byte, args []any, width int) (cursor, error) {
	s, err := c.prepare(sql)
	if err != nil {
		return cursor{}, err
	}
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, c.bind(args))
	if err != nil {
		s.release()
		return cursor{}, err
	}
	return cursor{stmt: s, rows: rows, row: make([]driver.Value, width)}, nil
}

// next reads the next row; it reports false at the end.
func (r *cursor) next() (bool, error) {
	err := r.rows.Next(r.row)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return err == nil, err
}

func (r *cursor) close() {
	r.rows.Close()
	r.stmt.release()
}

// exec runs a statement and returns the number of rows it changed.
func (c *conn) exec(sql []byte, args ...any) (int64, error) {
	s, err := c.prepare(sql)
	if err != nil {
		return 0, err
	}
	defer s.release()
	res, err := s.Stmt.(driver.StmtExecContext).ExecContext(context.Background(), c.bind(args))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// script runs statements that are used once, such as DDL.
func (c *conn) script(sql string) error {
	_, err := c.raw.(driver.ExecerContext).ExecContext(context.Background(), sql, nil)
	return err
}

// each runs a short SELECT and calls f for every row.
func (c *conn) each(sql string, width int, args []any, f func(row []driver.Value) error) error {
	cur, err := c.query(context.Background(), []byte(sql), args, width)
	if err != nil {
		return err
	}
	defer cur.close()
	for {
		ok, err := cur.next()
		if !ok || err != nil {
			return err
		}
		if err := f(cur.row); err != nil {
			return err
		}
	}
}
