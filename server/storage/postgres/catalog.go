package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/parsescale/parsescale/server/schema"
)

// catalog is everything known of the classes and tables at one version of the schema. It never changes, except that
// plans fill up; a class put in a transaction makes a new one.
type catalog struct {
	schema *schema.Schema
	// tables are the columns of all tables, in their order: those of classes and of joins.
	tables map[string][]string
	plans  sync.Map // *schema.Class → *plan
}

// has reports whether there is a table of the name.
func (c *catalog) has(table string) bool { return len(c.tables[table]) > 0 }

const (
	selectVersion = `SELECT version FROM parsescale._schema_version`
	selectSchema  = `SELECT "className", "schema"::text FROM "_SCHEMA"`
	// The tables beside _SCHEMA, wherever the connection's search path leads to.
	selectTables = `SELECT c.relname::text, a.attname::text FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
		WHERE c.relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = '"_SCHEMA"'::regclass)
		AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum`
)

var (
	sqlVersion   = []byte(selectVersion)
	sqlSchema    = []byte(selectSchema)
	sqlTables    = []byte(selectTables)
	sqlBeginRead = []byte("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
	sqlBegin     = []byte("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
	sqlCommit    = []byte("COMMIT")
	sqlRollback  = []byte("ROLLBACK")
)

// askCatalog queues the statements whose answers readCatalog reads.
func askCatalog(c *conn) {
	c.send(sqlVersion, nil)
	c.send(sqlSchema, nil)
	c.send(sqlTables, nil)
}

// readCatalog reads the catalog that was asked for.
func readCatalog(c *conn) (*catalog, error) {
	cat := &catalog{schema: &schema.Schema{Classes: map[string]*schema.Class{}}, tables: map[string][]string{}}
	var failed error
	err := errors.Join(
		c.rows(func(row [][]byte) { cat.schema.Version = uint64(bigint(row[0])) }),
		c.rows(func(row [][]byte) {
			class, err := schema.DecodeStored(string(row[0]), row[1])
			if err != nil {
				failed = errors.Join(failed, err)
				return
			}
			cat.schema.Classes[class.Name] = class
		}),
		c.rows(func(row [][]byte) {
			table := string(row[0])
			cat.tables[table] = append(cat.tables[table], string(row[1]))
		}))
	if err != nil {
		return nil, fmt.Errorf("cannot read the schema: %w", err)
	}
	if failed != nil {
		return nil, failed
	}
	for _, name := range schema.Volatile() {
		if cat.schema.Classes[name] == nil {
			cat.schema.Classes[name] = schema.New(name, nil)
		}
	}
	for name, class := range cat.schema.Classes {
		class.Columns = cat.tables[name]
	}
	return cat, nil
}

// rows calls f for every row of the current statement.
func (c *conn) rows(f func(row [][]byte)) error {
	for {
		row, err := c.row()
		if row == nil || err != nil {
			return err
		}
		f(row)
	}
}

// loadCatalog reads the catalog in a snapshot of its own.
func loadCatalog(c *conn) (*catalog, error) {
	defer c.watch(context.Background())()
	c.send(sqlBeginRead, nil)
	askCatalog(c)
	c.send(sqlCommit, nil)
	if err := c.sync(); err != nil {
		return nil, err
	}
	err := c.rest()
	var cat *catalog
	if err == nil {
		cat, err = readCatalog(c)
	}
	if ended := c.end(); err == nil && ended != nil {
		err = ended
	}
	if err != nil && c.broken == nil && c.status != 'I' {
		_ = c.script("ROLLBACK")
	}
	return cat, err
}

// reload replaces the catalog that was found out to be old, once for all who find that out.
func (s *Store) reload(ctx context.Context, old *catalog) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	if s.catalog.Load() != old {
		return nil
	}
	return s.use(ctx, func(c *conn) error {
		cat, err := loadCatalog(c)
		if err == nil {
			// Even one with a smaller version: a fail-over may have lost the last changes.
			s.catalog.Store(cat)
		}
		return err
	})
}
