package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"maps"
	"strings"

	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

// LockSchema implements storage.Tx. A database has one writer at a time, and it has read the schema.
func (t *tx) LockSchema(ctx context.Context) (*schema.Schema, error) { return t.Schema(ctx) }

// AlterClass implements storage.Tx.
func (t *tx) AlterClass(ctx context.Context, class *schema.Class) (*schema.Class, error) {
	stored := t.catalog.schema.Classes[class.Name]
	if stored == nil || len(stored.Columns) == 0 {
		return t.PutClass(ctx, class)
	}
	next := class.Altering(stored)
	c := t.catalog.with(next)
	if err := t.dropParts(c, stored, next); err != nil {
		return nil, fmt.Errorf("cannot change the class %s: %w", class.Name, err)
	}
	if err := t.createTables(c, next, class.Columns); err != nil {
		return nil, fmt.Errorf("cannot change the class %s: %w", class.Name, err)
	}
	if err := t.storeClass(next); err != nil {
		return nil, err
	}
	t.catalog = c
	return next, nil
}

// dropParts drops the columns, join tables and indexes that next lacks, and leaves the columns that stay in next.
func (t *tx) dropParts(c *catalog, stored, next *schema.Class) error {
	for name := range stored.Indexes {
		if _, stays := next.Indexes[name]; !stays {
			if err := t.dropIndex(c, stored.Name, name); err != nil {
				return err
			}
		}
	}
	for _, column := range stored.Columns {
		_, own := stored.Fields[column]
		if _, stays := next.Fields[column]; stays || !own {
			next.Columns = append(next.Columns, column)
			continue
		}
		if err := t.dropColumn(c, next, column); err != nil {
			return err
		}
	}
	for name, f := range stored.Fields {
		if f.Type == schema.Relation && next.Fields[name].Type != schema.Relation {
			if err := t.dropTable(c, schema.JoinTable(stored.Name, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropColumn drops a column and the indexes it is part of, which SQLite wouldn't do by itself.
func (t *tx) dropColumn(c *catalog, class *schema.Class, column string) error {
	table, name := c.tables[class.Name], column
	if n, ok := c.columns[[2]string{class.Name, column}]; ok {
		name = n
	}
	var indexes []string
	err := t.conn.each(`SELECT DISTINCT l.name FROM pragma_index_list(?1) AS l JOIN pragma_index_info(l.name) AS i WHERE i.name=?2`, 1, []any{table, name},
		func(row []driver.Value) error {
			indexes = append(indexes, row[0].(string))
			return nil
		})
	if err != nil {
		return err
	}
	for _, index := range indexes {
		if err := t.conn.script("DROP INDEX " + string(sqlbuild.AppendIdent(nil, index))); err != nil {
			return err
		}
		if _, own, ok := strings.Cut(index, indexMark); ok {
			delete(class.Indexes, own)
		}
	}
	sql := c.AppendTable([]byte("ALTER TABLE "), class.Name)
	sql = c.AppendColumn(append(sql, " DROP COLUMN "...), class.Name, column)
	if err := t.conn.script(string(sql)); err != nil {
		return err
	}
	delete(c.columns, [2]string{class.Name, column})
	return nil
}

// dropIndex drops an index of the schema API, if there is such a one.
func (t *tx) dropIndex(c *catalog, class, index string) error {
	return t.conn.script("DROP INDEX IF EXISTS " + string(sqlbuild.AppendIdent(nil, c.index(class, index))))
}

func (t *tx) dropTable(c *catalog, table string) error {
	if !c.has(table) {
		return nil
	}
	if err := t.conn.script("DROP TABLE " + string(c.AppendTable(nil, table))); err != nil {
		return err
	}
	delete(c.tables, table)
	maps.DeleteFunc(c.columns, func(k [2]string, _ string) bool { return k[0] == table })
	return nil
}

// DropClass implements storage.Tx.
func (t *tx) DropClass(_ context.Context, name string) error {
	class := t.catalog.schema.Classes[name]
	if class == nil {
		return nil
	}
	c := t.catalog.with(class)
	delete(c.schema.Classes, name)
	if schema.IsVolatile(name) {
		c.schema.Classes[name] = schema.New(name, nil) // its fields are fixed, with or without a table
	}
	tables := []string{name}
	for field, f := range class.Fields {
		if f.Type == schema.Relation {
			tables = append(tables, schema.JoinTable(name, field))
		}
	}
	for _, table := range tables {
		if err := t.dropTable(c, table); err != nil {
			return fmt.Errorf("cannot drop the class %s: %w", name, err)
		}
	}
	if _, err := t.conn.exec([]byte(`DELETE FROM "_SCHEMA" WHERE "className"=?1`), name); err != nil {
		return fmt.Errorf("cannot drop the class %s: %w", name, err)
	}
	t.catalog = c
	return nil
}

// LockClass implements storage.Tx. There is one writer.
func (*tx) LockClass(context.Context, *schema.Class) error { return nil }

// Purge implements storage.Tx.
func (t *tx) Purge(_ context.Context, class *schema.Class) error {
	if _, err := t.conn.exec(t.catalog.AppendTable([]byte("DELETE FROM "), class.Name)); err != nil {
		return fmt.Errorf("cannot purge the class %s: %w", class.Name, err)
	}
	return nil
}
