package sqlite

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

// PutClass implements storage.Tx. A field that is stored with another type keeps it: the caller checks the class it
// gets back.
func (t *tx) PutClass(_ context.Context, class *schema.Class) (*schema.Class, error) {
	stored := t.catalog.schema.Classes[class.Name]
	merged, changed := schema.Merge(stored, class)
	if !changed && len(stored.Columns) > 0 {
		return stored, nil
	}
	if merged == stored { // a volatile class without its table
		merged = &schema.Class{Name: stored.Name, Fields: stored.Fields, Permissions: stored.Permissions, Indexes: stored.Indexes}
	}
	next := t.catalog.with(merged)
	if err := t.createTables(next, merged, class.Columns); err != nil {
		return nil, fmt.Errorf("cannot store the class %s: %w", class.Name, err)
	}
	if err := t.storeClass(merged); err != nil {
		return nil, err
	}
	t.catalog = next
	return merged, nil
}

// storeClass writes the class into _SCHEMA, unless it isn't kept there.
func (t *tx) storeClass(class *schema.Class) error {
	if schema.IsVolatile(class.Name) && class.Name != schema.Idempotency {
		return nil
	}
	_, err := t.conn.exec([]byte(`INSERT INTO "_SCHEMA" ("className","schema","isParseClass") VALUES (?1,?2,1) ON CONFLICT ("className") DO UPDATE SET "schema"=excluded."schema"`),
		class.Name, string(class.AppendStored(nil)))
	if err != nil {
		return fmt.Errorf("cannot store the class %s: %w", class.Name, err)
	}
	return nil
}

// with returns a catalog of the next version that has the class.
func (c *catalog) with(class *schema.Class) *catalog {
	next := &catalog{schema: &schema.Schema{Version: c.schema.Version + 1, Classes: maps.Clone(c.schema.Classes)},
		tables: maps.Clone(c.tables), columns: maps.Clone(c.columns)}
	next.schema.Classes[class.Name] = class
	return next
}

// createTables creates the table of the class, or the columns it lacks, the join tables of its relations and its
// indexes, and notes their names in the catalog and the class. New columns come in the given order.
func (t *tx) createTables(c *catalog, class *schema.Class, order []string) error {
	wanted := class.Stored(order)
	if len(class.Columns) == 0 {
		if err := t.createTable(c, class, wanted); err != nil {
			return err
		}
	} else if err := t.addColumns(c, class, wanted); err != nil {
		return err
	}
	for _, name := range class.FieldNames() {
		if class.Fields[name].Type == schema.Relation {
			if err := t.createJoin(c, schema.JoinTable(class.Name, name)); err != nil {
				return err
			}
		}
	}
	for _, statement := range systemIndexes(class.Name) {
		if err := t.conn.script(statement); err != nil {
			return err
		}
	}
	return t.createIndexes(c, class)
}

// nameTable chooses the name of a new table.
func (c *catalog) nameTable(class string) {
	taken := map[string]bool{"_parsescale_state": true, "_parsescale_write": true}
	for _, name := range c.tables {
		taken[strings.ToLower(name)] = true
	}
	c.tables[class] = physical(class, taken)
}

// nameColumn chooses the name of a new column.
func (c *catalog) nameColumn(class, field string, taken map[string]bool) {
	name := physical(field, taken)
	taken[strings.ToLower(name)] = true
	if name != field {
		c.columns[[2]string{class, field}] = name
	}
}

func (t *tx) createTable(c *catalog, class *schema.Class, columns []string) error {
	c.nameTable(class.Name)
	sql := c.AppendTable([]byte("CREATE TABLE "), class.Name)
	sql = append(sql, " ("...)
	taken := map[string]bool{}
	class.Columns = columns
	for i, name := range columns {
		if i > 0 {
			sql = append(sql, ',')
		}
		c.nameColumn(class.Name, name, taken)
		f, _ := class.Column(name)
		sql = c.AppendColumn(sql, class.Name, name)
		sql = append(append(sql, ' '), columnType(f.Type)...)
		if name == "objectId" {
			sql = append(sql, " NOT NULL PRIMARY KEY"...)
		}
	}
	return t.conn.script(string(append(sql, ") STRICT"...)))
}

func (t *tx) addColumns(c *catalog, class *schema.Class, columns []string) error {
	taken := map[string]bool{}
	for _, name := range class.Columns {
		sql := c.AppendColumn(nil, class.Name, name)
		taken[strings.ToLower(string(sql[1:len(sql)-1]))] = true
	}
	for _, name := range columns {
		if slices.Contains(class.Columns, name) {
			continue
		}
		c.nameColumn(class.Name, name, taken)
		class.Columns = append(class.Columns, name)
		f, _ := class.Column(name)
		sql := c.AppendTable([]byte("ALTER TABLE "), class.Name)
		sql = c.AppendColumn(append(sql, " ADD COLUMN "...), class.Name, name)
		if err := t.conn.script(string(append(append(sql, ' '), columnType(f.Type)...))); err != nil {
			return err
		}
	}
	return nil
}

// createJoin creates the table of a relation. Its key finds the owners of a member, its index the members of an owner.
func (t *tx) createJoin(c *catalog, table string) error {
	if c.has(table) {
		return nil
	}
	c.nameTable(table)
	name := string(c.AppendTable(nil, table))
	err := t.conn.script(`CREATE TABLE ` + name + ` ("relatedId" TEXT NOT NULL, "owningId" TEXT NOT NULL, PRIMARY KEY ("relatedId","owningId")) STRICT, WITHOUT ROWID`)
	if err != nil {
		return err
	}
	index := string(sqlbuild.AppendIdent(nil, table+":owningId"))
	return t.conn.script(`CREATE INDEX IF NOT EXISTS ` + index + ` ON ` + name + `("owningId")`)
}

// createIndexes creates the indexes of the schema API: of their keys only the names count.
func (t *tx) createIndexes(c *catalog, class *schema.Class) error {
	for _, name := range slices.Sorted(maps.Keys(class.Indexes)) {
		if name == "_id_" {
			continue
		}
		sql := sqlbuild.AppendIdent([]byte("CREATE INDEX IF NOT EXISTS "), c.index(class.Name, name))
		sql = append(c.AppendTable(append(sql, " ON "...), class.Name), '(')
		fields := 0
		for _, field := range slices.Sorted(maps.Keys(class.Indexes[name])) {
			if _, ok := class.Column(field); !ok {
				continue
			}
			if fields++; fields > 1 {
				sql = append(sql, ',')
			}
			sql = c.AppendColumn(sql, class.Name, field)
		}
		if fields == 0 {
			continue
		}
		if err := t.conn.script(string(append(sql, ')'))); err != nil {
			return err
		}
	}
	return nil
}

// index is the name that the database has for a class's index. In SQLite indexes and tables share their names, whatever
// their case; "~i~" keeps those apart.
func (c *catalog) index(class, name string) string { return c.tables[class] + indexMark + name }

const indexMark = "~i~"
