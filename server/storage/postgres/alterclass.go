package postgres

import (
	"context"
	"maps"
	"slices"

	"github.com/parsescale/parsescale/server/schema"
)

// LockSchema implements storage.Tx.
func (t *tx) LockSchema(ctx context.Context) (*schema.Schema, error) {
	if err := t.lockSchema(); err != nil {
		return nil, t.halfDone("lock", "_SCHEMA", err)
	}
	return t.Schema(ctx)
}

// LockClass implements storage.Tx. Who reads isn't held up.
func (t *tx) LockClass(_ context.Context, class *schema.Class) error {
	if len(class.Columns) == 0 {
		return nil
	}
	sql := append(dialect{}.AppendTable([]byte("LOCK TABLE "), class.Name), " IN SHARE ROW EXCLUSIVE MODE"...)
	if err := t.ask(func() { t.conn.send(sql, nil) }); err != nil {
		return writeError("lock the objects", class.Name, err)
	}
	if err := t.finish(); err != nil {
		return writeError("lock the objects", class.Name, err)
	}
	return nil
}

// AlterClass implements storage.Tx.
func (t *tx) AlterClass(ctx context.Context, class *schema.Class) (*schema.Class, error) {
	if err := t.lockSchema(); err != nil {
		return nil, t.halfDone("change", class.Name, err)
	}
	stored := t.catalog.schema.Classes[class.Name]
	if stored == nil || len(stored.Columns) == 0 {
		return t.PutClass(ctx, class)
	}
	next := class.Altering(stored)
	ddl, err := t.dropParts(stored, next)
	if err != nil {
		return nil, t.halfDone("change", class.Name, err)
	}
	if ddl += createTables(t.catalog, next, stored, class.Columns); ddl != "" {
		if err := t.conn.script(ddl); err != nil {
			return nil, t.halfDone("change", class.Name, t.fail(err))
		}
	}
	if !schema.IsVolatile(class.Name) {
		if err := t.storeClass(stored, next); err != nil {
			return nil, t.halfDone("change", class.Name, err)
		}
	}
	t.wrote = true
	t.catalog = t.catalog.with(next)
	for name, f := range stored.Fields {
		if f.Type == schema.Relation && next.Fields[name].Type != schema.Relation {
			delete(t.catalog.tables, schema.JoinTable(class.Name, name))
		}
	}
	return next, nil
}

// dropParts returns the statements that drop the columns, join tables and indexes that next lacks, and leaves the columns
// that stay in next. With a column its indexes go.
func (t *tx) dropParts(stored, next *schema.Class) (string, error) {
	ddl := ""
	for name := range stored.Indexes {
		if _, stays := next.Indexes[name]; stays {
			continue
		}
		own, err := t.ownIndex(stored.Name, name)
		if err != nil {
			return "", err
		}
		if own {
			ddl += "DROP INDEX IF EXISTS " + ident(name) + ";"
		}
	}
	for _, column := range stored.Columns {
		_, own := stored.Fields[column]
		if _, stays := next.Fields[column]; stays || !own {
			next.Columns = append(next.Columns, column)
			continue
		}
		ddl += "ALTER TABLE " + ident(next.Name) + " DROP COLUMN IF EXISTS " + ident(column) + ";"
		maps.DeleteFunc(next.Indexes, func(_ string, keys map[string]any) bool { _, has := keys[column]; return has })
	}
	for name, f := range stored.Fields {
		if f.Type == schema.Relation && next.Fields[name].Type != schema.Relation {
			ddl += "DROP TABLE IF EXISTS " + ident(schema.JoinTable(stored.Name, name)) + ";"
		}
	}
	return ddl, nil
}

const selectOwnIndex = `SELECT 1 FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
	WHERE c.oid = to_regclass($1::text) AND x.relname = $2::text AND NOT i.indisunique`

// ownIndex reports whether the index is one that a client made for the class: of the names in a schema some may be those
// of other tables' indexes, or of those that the system needs.
func (t *tx) ownIndex(class, index string) (bool, error) {
	if slices.ContainsFunc(indexes, func(x systemIndex) bool { return x.name == index }) {
		return false, nil
	}
	own := false
	err := t.conn.each(selectOwnIndex, []any{ident(class), index}, func([][]byte) error { own = true; return nil })
	if err != nil {
		return false, t.fail(err)
	}
	return own, nil
}

var sqlDeleteClass = []byte(`DELETE FROM "_SCHEMA" WHERE "className" = $1::text`)

// DropClass implements storage.Tx.
func (t *tx) DropClass(_ context.Context, name string) error {
	if err := t.lockSchema(); err != nil {
		return t.halfDone("drop", name, err)
	}
	class := t.catalog.schema.Classes[name]
	if class == nil {
		return nil
	}
	next := t.catalog.with(class)
	tables := []string{name}
	for field, f := range class.Fields {
		if f.Type == schema.Relation {
			tables = append(tables, schema.JoinTable(name, field))
		}
	}
	ddl := ""
	for _, table := range tables {
		ddl += "DROP TABLE IF EXISTS " + ident(table) + ";"
		delete(next.tables, table)
	}
	delete(next.schema.Classes, name)
	if schema.IsVolatile(name) {
		next.schema.Classes[name] = schema.New(name, nil) // its fields are fixed, with or without a table
	}
	c := t.conn
	if err := c.script(ddl); err != nil {
		return t.halfDone("drop", name, t.fail(err))
	}
	c.send(sqlDeleteClass, nil, name)
	t.notify()
	if err := c.sync(); err != nil {
		return t.halfDone("drop", name, t.fail(err))
	}
	if err := c.end(); err != nil {
		return t.halfDone("drop", name, t.fail(err))
	}
	t.wrote = true
	t.catalog = next
	return nil
}

// Purge implements storage.Tx.
func (t *tx) Purge(_ context.Context, class *schema.Class) error {
	if len(class.Columns) == 0 {
		return nil
	}
	if _, err := t.change(objectKey{}, dialect{}.AppendTable([]byte("DELETE FROM "), class.Name)); err != nil {
		return writeError("purge the objects", class.Name, err)
	}
	return nil
}
