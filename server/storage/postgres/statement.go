package postgres

import (
	"strconv"

	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	// maxStatements is how many prepared statements a connection keeps.
	maxStatements = 256
	// maxKept is how long they may be, in bytes. Of one with a thousand conditions the server's session keeps 3 MB.
	maxKept = 8 << 10
)

// statement is a prepared statement.
type statement struct {
	name, sql string
	used      uint64
	prepared  bool
}

// longStatement is the length of a statement for which it is worth to see to it that it isn't compiled.
const longStatement = 1 << 10

var (
	// SET LOCAL would be the same, but has the server log a warning where no BEGIN went before.
	sqlInterpret = []byte("DO $$BEGIN PERFORM pg_catalog.set_config('jit', 'off', true); END$$")
	tagDo        = []byte("DO")
)

// send queues a statement. formats are those of the result's columns.
func (c *conn) send(sql []byte, formats []int16, args ...any) {
	if c.pooled && len(sql) >= longStatement {
		// Elsewhere it is a parameter of the session, see Open. Its answer is passed over, see receive.
		c.queue(sqlInterpret, nil)
	}
	c.queue(sql, formats, args...)
}

func (c *conn) queue(sql []byte, formats []int16, args ...any) {
	s := c.statement(sql)
	c.binding.set(args)
	c.bind = pgproto3.Bind{PreparedStatement: s.name, ParameterFormatCodes: c.binding.formats, Parameters: c.binding.values, ResultFormatCodes: formats}
	c.front.SendBind(&c.bind)
	c.front.SendExecute(&pgproto3.Execute{})
}

// statement returns the prepared statement of a text, which is sent to be parsed if it isn't known. A long one isn't kept, and has
// no name. Behind a pooler none is: the next transaction may be another session's, which doesn't know it, or knows something else by its name.
func (c *conn) statement(sql []byte) *statement {
	c.clock++
	if s, ok := c.statements[string(sql)]; ok {
		s.used = c.clock
		return s
	}
	s := &statement{sql: string(sql), used: c.clock}
	if !c.pooled && len(sql) <= maxKept {
		if len(c.statements) >= maxStatements {
			c.evict()
		}
		c.names++
		s.name = "s" + strconv.FormatUint(c.names, 10)
		c.statements[s.sql] = s
	}
	c.parsing = append(c.parsing, s)
	c.front.SendParse(&pgproto3.Parse{Name: s.name, Query: s.sql})
	return s
}

// evict closes the statement that wasn't used for the longest time.
func (c *conn) evict() {
	var oldest *statement
	for _, s := range c.statements {
		if s.prepared && (oldest == nil || s.used < oldest.used) {
			oldest = s
		}
	}
	if oldest != nil {
		delete(c.statements, oldest.sql)
		c.front.SendClose(&pgproto3.Close{ObjectType: 'S', Name: oldest.name})
	}
}

// forget gives up all prepared statements: what they were prepared for has changed.
func (c *conn) forget() {
	for _, s := range c.statements {
		c.front.SendClose(&pgproto3.Close{ObjectType: 'S', Name: s.name})
	}
	clear(c.statements)
}
