package postgres

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// conn is one connection with its prepared statements, used by one goroutine at a time. pgconn opens it; from there on it
// speaks the protocol itself, message by message: that is how several statements go out in one round trip, and how a
// COMMIT need not be waited for.
//
// Statements are queued by send and go out with sync. Then row returns the rows of the first one, and after its end
// those of the next one. end reads what is left.
type conn struct {
	pg    *pgconn.PgConn
	front *pgproto3.Frontend
	ahead *bufio.Reader // by which front reads
	net   net.Conn

	// pooled: a pooler stands between, such as PgBouncer, so that each transaction may be in another session.
	pooled     bool
	statements map[string]*statement
	names      uint64
	clock      uint64
	parsing    []*statement // sent to be parsed and not answered yet, in order; nil stands for a Sync

	aside  bool  // nobody reads the answer that comes now
	unread int   // ReadyForQuery messages that are still to come
	held   int   // how many of those belong to what is to be read after the next sync
	err    error // what the statements sent last failed with
	status byte  // of the transaction, as the last ReadyForQuery told: I, T or E
	// broken is set once the connection can't be used any more.
	broken error
	// command is the tag of the last statement that ended.
	command []byte

	limit    time.Duration // of what is watched, 0: none
	deadline sync.Mutex    // held while that of net is set
	cut      bool          // it passed for good: who asks has gone

	timeline uint64 // of a replica

	used    time.Time
	binding binding
	bind    pgproto3.Bind
}

// errLost is a connection that ended before the answer was complete.
var errLost = errors.New("lost the connection to the database")

func newConn(pg *pgconn.PgConn, ahead *bufio.Reader) *conn {
	return &conn{pg: pg, front: pg.Frontend(), ahead: ahead, net: pg.Conn(), statements: make(map[string]*statement), status: 'I'}
}

// close ends the connection without waiting for anything.
func (c *conn) close() {
	if c.broken == nil {
		c.broken = errLost
	}
	_ = c.net.SetDeadline(time.Now().Add(time.Second))
	c.front.Send(&pgproto3.Terminate{})
	_ = c.front.Flush()
	_ = c.net.Close()
}

// sync sends what was queued, after having read what earlier statements left.
func (c *conn) sync() error {
	c.front.SendSync(&pgproto3.Sync{})
	c.parsing = append(c.parsing, nil)
	earlier := c.unread - c.held
	c.held = 0
	c.unread++
	if err := c.front.Flush(); err != nil {
		return c.lose(err)
	}
	for ; earlier > 0; earlier-- {
		if err := c.skip(); err != nil && c.broken != nil {
			return err
		}
	}
	c.err = nil
	return nil
}

// hold ends a transaction of the statements that were queued, whose answers are read after the next sync: after those of
// its last statement, skip.
func (c *conn) hold() {
	c.front.SendSync(&pgproto3.Sync{})
	c.parsing = append(c.parsing, nil)
	c.unread++
	c.held++
}

// skip reads up to the next ReadyForQuery.
func (c *conn) skip() error {
	for {
		_, ready, err := c.receive()
		if err != nil || ready {
			return err
		}
	}
}

// receive reads a message that means something. An error of the server is kept in c.err and isn't returned.
func (c *conn) receive() (msg pgproto3.BackendMessage, ready bool, err error) {
	for {
		msg, err := c.front.Receive()
		if err != nil {
			return nil, false, c.lose(err)
		}
		switch m := msg.(type) {
		case *pgproto3.ParseComplete:
			c.parsing[0].prepared, c.aside = true, c.parsing[0].aside
			c.parsing = c.parsing[1:]
		case *pgproto3.ErrorResponse:
			e := pgconn.ErrorResponseToPgError(m)
			if c.err == nil {
				c.err = e
			}
			if e.Severity == "FATAL" || e.Severity == "PANIC" {
				return nil, false, c.lose(e)
			}
		case *pgproto3.ReadyForQuery:
			c.unread--
			c.status, c.aside = m.TxStatus, false
			c.parsed()
			return msg, true, nil
		case *pgproto3.CommandComplete:
			if c.aside {
				c.aside = false
				continue
			}
			c.command = append(c.command[:0], m.CommandTag...)
			return msg, false, nil
		case *pgproto3.DataRow, *pgproto3.EmptyQueryResponse:
			if !c.aside {
				return msg, false, nil
			}
		}
	}
}

// parsed is called when all that was sent before a Sync is answered: what wasn't parsed, because something before it
// failed, isn't there.
func (c *conn) parsed() {
	for len(c.parsing) > 0 {
		s := c.parsing[0]
		c.parsing = c.parsing[1:]
		if s == nil {
			return
		}
		delete(c.statements, s.sql)
	}
}

// lose notes that the connection is gone.
func (c *conn) lose(err error) error {
	if c.broken == nil {
		c.broken = fmt.Errorf("%w: %w", errLost, err)
		_ = c.net.Close()
	}
	return c.broken
}

// row returns the next row of the current statement, valid until the next call; nil at its end, after which the next
// statement is the current one.
func (c *conn) row() ([][]byte, error) {
	if c.broken != nil {
		return nil, c.broken
	}
	if c.err != nil {
		return nil, c.err
	}
	msg, ready, err := c.receive()
	switch {
	case err != nil:
		return nil, err
	case ready && c.err != nil:
		return nil, c.err
	case ready:
		return nil, c.lose(errors.New("a statement has no result"))
	}
	if m, ok := msg.(*pgproto3.DataRow); ok {
		return m.Values, nil
	}
	return nil, nil
}

// rest reads the current statement to its end.
func (c *conn) rest() error {
	for {
		row, err := c.row()
		if row == nil || err != nil {
			return err
		}
	}
}

// end reads whatever is left of the statements that were sent, and returns their error.
func (c *conn) end() error {
	for c.unread > 0 && c.broken == nil {
		if err := c.skip(); err != nil {
			return err
		}
	}
	if c.broken != nil {
		return c.broken
	}
	return c.err
}

// affected is how many rows the statement that ended last has changed.
func (c *conn) affected() int64 {
	for i := len(c.command) - 1; i >= 0; i-- {
		if c.command[i] < '0' || c.command[i] > '9' {
			n, _ := strconv.ParseInt(string(c.command[i+1:]), 10, 64) // no digits: 0
			return n
		}
	}
	return 0
}

// exec runs one statement that has no rows.
func (c *conn) exec(sql []byte, args ...any) error {
	c.send(sql, nil, args...)
	if err := c.sync(); err != nil {
		return err
	}
	return c.end()
}

// script runs statements that are used once, such as DDL.
func (c *conn) script(sql string) error {
	c.front.SendQuery(&pgproto3.Query{String: sql})
	c.parsing = append(c.parsing, nil)
	earlier := c.unread
	c.unread++
	if err := c.front.Flush(); err != nil {
		return c.lose(err)
	}
	for ; earlier > 0; earlier-- {
		if err := c.skip(); err != nil {
			return err
		}
	}
	c.err = nil
	return c.end()
}

// session is the number by which the server knows this one; 0 behind a pooler, which may take each transaction to another.
func (c *conn) session() uint32 {
	if c.pooled {
		return 0
	}
	return c.pg.PID()
}

// each runs one SELECT and calls f for every row, whose values are valid during the call only.
func (c *conn) each(sql string, args []any, f func(row [][]byte) error) error {
	c.send([]byte(sql), nil, args...)
	if err := c.sync(); err != nil {
		return err
	}
	var failed error
	for {
		row, err := c.row()
		if row == nil || err != nil {
			break
		}
		if failed = f(row); failed != nil {
			break
		}
	}
	return errors.Join(failed, c.end())
}

// cutOff has whatever waits for the server fail at once, now and later.
func (c *conn) cutOff() {
	c.deadline.Lock()
	defer c.deadline.Unlock()
	c.cut = true
	_ = c.net.SetDeadline(time.Now())
}

// readUntil bounds the wait for answers; the zero time doesn't. It changes nothing for a connection that was cut off.
func (c *conn) readUntil(t time.Time) {
	c.deadline.Lock()
	defer c.deadline.Unlock()
	if !c.cut {
		_ = c.net.SetReadDeadline(t)
	}
}

// cancel calls off what the connection runs, and cuts it off. If that doesn't arrive, the server notices when it has rows to send. A
// pooler passes it on only while the connection is there, and leaves the server's session to itself else.
func (c *conn) cancel() {
	wait := 5 * time.Second
	if c.pooled {
		wait = time.Second
		defer c.cutOff()
	} else {
		c.cutOff()
	}
	ctx, free := context.WithTimeout(context.Background(), wait)
	defer free()
	_ = c.pg.CancelRequest(ctx)
}

// patience is for how long an answer is waited for, whatever became of those who asked: nearly every answer is there by
// then, and the connection can go on being used.
const patience = 100 * time.Millisecond

// errHung is a question that wasn't answered although its time was over.
var errHung = errors.New("the database didn't answer in time")

// watch ends the connection, and what it runs, once none of those who ask waits any more, or a statement's time is over and the
// server hasn't ended it. stop must be called; it reports whether that happened.
func (c *conn) watch(asking ...context.Context) (stop func() bool) {
	if c.limit == 0 && asking[0].Done() == nil {
		return func() bool { return false } // who asks first waits for ever
	}
	answered, over, gone := make(chan struct{}), make(chan struct{}), false
	timer := time.AfterFunc(patience, func() {
		defer close(over)
		var limit <-chan time.Time
		if c.limit > 0 {
			timer := time.NewTimer(c.limit - patience)
			defer timer.Stop()
			limit = timer.C
		}
	waiting:
		for _, ctx := range asking {
			select {
			case <-ctx.Done():
			case <-limit:
				break waiting
			case <-answered:
				return
			}
		}
		gone = true
		c.cancel()
	})
	return func() bool {
		if timer.Stop() {
			return false
		}
		close(answered)
		<-over
		if gone {
			_ = c.lose(cmp.Or(asking[0].Err(), errHung))
		}
		return gone
	}
}
