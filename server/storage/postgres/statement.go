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
	aside     bool // nobody reads its answer
}

// longStatement is the length of a statement for which it is worth to see to it that it isn't compiled.
const longStatement = 1 << 10

// set sets something for the rest of the transaction. SET LOCAL would do the same, but has the server log a warning where no BEGIN
// went before; and so would a DO block, but it needs a language, which not every role may use.
const set = "SELECT pg_catalog.set_config($1::text, $2::text, true)"

// send queues a statement. formats are those of the result's columns.
func (c *conn) send(sql []byte, formats []int16, args ...any) {
	if c.pooled && len(sql) >= longStatement {
		c.set("jit", "off") // elsewhere it is a parameter of the session, see Open
	}
	c.queue(c.statement(sql), formats, args...)
}

// set queues what sets something for the rest of the transaction. Its answer is passed over, see receive.
func (c *conn) set(name, value string) {
	s := &statement{sql: set, aside: true}
	c.parse(s)
	c.queue(s, nil, name, value)
}

func (c *conn) queue(s *statement, formats []int16, args ...any) {
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
	c.parse(s)
	return s
}

func (c *conn) parse(s *statement) {
	c.parsing = append(c.parsing, s)
	c.front.SendParse(&pgproto3.Parse{Name: s.name, Query: s.sql})
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
