package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

// catalog is everything known of the classes and tables at one version of the schema. It never changes, except that
// plans fill up; a class put in a transaction makes a new one.
type catalog struct {
	schema *schema.Schema
	// tables are the names of the tables by class; columns those of the columns, where they differ from the field's.
	// SQLite's names ignore case and may not start with sqlite_; parse's are free.
	tables  map[string]string
	columns map[[2]string]string
	plans   sync.Map // *schema.Class → *plan
}

// AppendTable implements sqlbuild.Dialect.
func (c *catalog) AppendTable(dst []byte, class string) []byte {
	if name, ok := c.tables[class]; ok {
		return sqlbuild.AppendIdent(dst, name)
	}
	return sqlbuild.AppendIdent(dst, class)
}

// AppendColumn implements sqlbuild.Dialect.
func (c *catalog) AppendColumn(dst []byte, class, field string) []byte {
	if len(c.columns) > 0 {
		if name, ok := c.columns[[2]string{class, field}]; ok {
			return sqlbuild.AppendIdent(dst, name)
		}
	}
	return sqlbuild.AppendIdent(dst, field)
}

// physical chooses a name for a table or column beside those that are taken, which are in lower case.
func physical(name string, taken map[string]bool) string {
	base := name
	if strings.HasPrefix(strings.ToLower(name), "sqlite_") {
		base = "~" + name
	}
	for n, try := 2, base; ; n++ {
		if !taken[strings.ToLower(try)] {
			return try
		}
		try = base + "~" + strconv.Itoa(n)
	}
}

// logical is the name physical was asked for: "~" is in no name of parse.
func logical(name string) string {
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "~"), "~")
	return name
}

const selectTables = `SELECT m.name, p.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS p WHERE m.type='table' ORDER BY m.name, p.cid`

// loadCatalog reads the catalog of the snapshot that c is in.
func loadCatalog(c *conn, version uint64) (*catalog, error) {
	cat := &catalog{schema: &schema.Schema{Version: version, Classes: map[string]*schema.Class{}}, tables: map[string]string{}, columns: map[[2]string]string{}}
	layout := map[string][]string{}
	err := c.each(selectTables, 2, nil, func(row []driver.Value) error {
		table, column := row[0].(string), row[1].(string)
		class, field := logical(table), logical(column)
		cat.tables[class] = table
		if field != column {
			cat.columns[[2]string{class, field}] = column
		}
		layout[class] = append(layout[class], field)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the tables of the database: %w", err)
	}
	err = c.each(`SELECT "className","schema" FROM "_SCHEMA"`, 2, nil, func(row []driver.Value) error {
		text, _ := row[1].(string)
		class, err := schema.DecodeStored(row[0].(string), []byte(text))
		if err != nil {
			return err
		}
		class.Columns = layout[class.Name]
		cat.schema.Classes[class.Name] = class
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the schema: %w", err)
	}
	for _, name := range schema.Volatile() {
		if cat.schema.Classes[name] == nil {
			class := schema.New(name, nil)
			class.Columns = layout[name]
			cat.schema.Classes[name] = class
		}
	}
	return cat, nil
}

// has reports whether there is a table of the name.
func (c *catalog) has(table string) bool { _, ok := c.tables[table]; return ok }

// state is the row that all processes share: how many groups were committed, and the version of the schema.
type state struct{ commits, schema uint64 }

const selectState = `SELECT "commits","schema" FROM "_Parsescale_State"`

var selectStateText = []byte(selectState)

// openState reads the state and leaves the query open: while it is, all queries of the connection see one snapshot.
// That saves a BEGIN and a COMMIT on each read.
func openState(c *conn) (cursor, state, error) {
	cur, err := c.query(context.Background(), selectStateText, nil, 2)
	if err != nil {
		return cursor{}, state{}, err
	}
	ok, err := cur.next()
	if err == nil && !ok {
		err = fmt.Errorf("the table _Parsescale_State is empty")
	}
	if err != nil {
		cur.close()
		return cursor{}, state{}, err
	}
	return cur, state{commits: uint64(cur.row[0].(int64)), schema: uint64(cur.row[1].(int64))}, nil
}
