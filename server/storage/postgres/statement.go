package postgres

import (
	"strconv"

	"github.com/jackc/pgx/v5/pgproto3"
)

// maxStatements is how many prepared statements a connection keeps.
const maxStatements = 256

// statement is a prepared statement.
type statement struct {
	name, sql string
	used      uint64
	prepared  bool
}

// send queues a statement. formats are those of the result's columns.
func (c *conn) send(sql []byte, formats []int16, args ...any) {
	c.clock++
	s, ok := c.statements[string(sql)]
	if !ok {
		if len(c.statements) >= maxStatements {
			c.evict()
		}
		c.names++
		s = &statement{name: "s" + strconv.FormatUint(c.names, 10), sql: string(sql)}
		c.statements[s.sql] = s
		c.parsing = append(c.parsing, s)
		c.front.SendParse(&pgproto3.Parse{Name: s.name, Query: s.sql})
	}
	s.used = c.clock
	c.binding.set(args)
	c.bind = pgproto3.Bind{PreparedStatement: s.name, ParameterFormatCodes: c.binding.formats, Parameters: c.binding.values, ResultFormatCodes: formats}
	c.front.SendBind(&c.bind)
	c.front.SendExecute(&pgproto3.Execute{})
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
