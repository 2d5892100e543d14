package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

// schemaLock is the advisory lock that makes the workers change the schema one after the other. parse-server doesn't know
// it: with that, tables and rows of _SCHEMA are locked in the same order as there, and what collides is done again.
const schemaLock = `SELECT pg_advisory_xact_lock(7310870965186553465)`

const (
	insertClass = `INSERT INTO "_SCHEMA" ("className", "schema", "isParseClass") VALUES ($1::text, $2::jsonb, true)`
	// What is new must not replace what somebody else has added meanwhile; $2 are new fields, $3 fields with other options,
	// $4 the other members that changed, $5 and $6 the fields and members that are gone.
	updateClass = `UPDATE "_SCHEMA" SET "schema" = ("schema" - $6::text[]) || jsonb_build_object('fields', $2::jsonb || (("schema"->'fields') - $5::text[]) || $3::jsonb) || $4::jsonb
		WHERE "className" = $1::text RETURNING "schema"::text`
	// parse-server's workers listen to this channel, and reload what another sender has changed.
	notifySchema = `SELECT pg_notify('schema.change', $1::text)`
)

var (
	sqlSchemaLock   = []byte(schemaLock)
	sqlInsertClass  = []byte(insertClass)
	sqlUpdateClass  = []byte(updateClass)
	sqlNotifySchema = []byte(notifySchema)
)

// PutClass implements storage.Tx. A field that is stored with another type keeps it: the caller checks the class it
// gets back.
func (t *tx) PutClass(_ context.Context, class *schema.Class) (*schema.Class, error) {
	stored, err := t.putClass(class)
	if err != nil {
		return nil, t.halfDone("store", class.Name, err)
	}
	return stored, nil
}

// halfDone is the error of a change of the schema. The transaction can't go on after it.
func (t *tx) halfDone(what, class string, err error) error {
	if t.failed == nil && !errors.As(err, new(*storage.Unsupported)) {
		t.failed = err
	}
	return fmt.Errorf("cannot %s the class %s: %w", what, class, err)
}

func (t *tx) putClass(class *schema.Class) (*schema.Class, error) {
	if err := t.lockSchema(); err != nil {
		return nil, err
	}
	stored := t.catalog.schema.Classes[class.Name]
	merged, changed := schema.Merge(stored, class)
	if !changed && len(stored.Columns) > 0 {
		return stored, nil
	}
	if merged == stored { // a class without its table
		copied := *stored
		merged = &copied
	}
	if table := t.catalog.tables[class.Name]; stored == nil && len(table) > 0 {
		if !slices.Contains(table, "objectId") {
			return nil, &storage.Unsupported{Code: codeInvalidClassName, Message: "The database has a table " + class.Name + " that isn't a class"}
		}
		merged.Columns = slices.Clone(table)
	}
	old := stored
	if old == nil {
		old = &schema.Class{Name: class.Name}
	}
	ddl := createTables(t.catalog, merged, old, class.Columns)
	if ddl != "" {
		if err := t.conn.script(ddl); err != nil {
			return nil, t.fail(err)
		}
	}
	if !schema.IsVolatile(class.Name) {
		if err := t.storeClass(stored, merged); err != nil {
			return nil, err
		}
	}
	t.wrote = true
	t.catalog = t.catalog.with(merged)
	return merged, nil
}

// lockSchema waits for its turn and reads the schema as it is then.
func (t *tx) lockSchema() error {
	if err := t.settle(); err != nil {
		return err
	}
	c := t.conn
	c.send(sqlSchemaLock, nil)
	askCatalog(c)
	if err := c.sync(); err != nil {
		return t.fail(err)
	}
	if err := c.rest(); err != nil {
		return t.fail(err)
	}
	cat, err := readCatalog(c)
	if err = errors.Join(err, c.end()); err != nil {
		return t.fail(err)
	}
	t.catalog = cat
	return nil
}

// with returns a catalog that has the class.
func (c *catalog) with(class *schema.Class) *catalog {
	next := &catalog{schema: &schema.Schema{Version: c.schema.Version, Classes: maps.Clone(c.schema.Classes)}, tables: maps.Clone(c.tables)}
	next.schema.Classes[class.Name] = class
	next.tables[class.Name] = class.Columns
	for name, f := range class.Fields {
		if f.Type == schema.Relation {
			next.tables[schema.JoinTable(class.Name, name)] = []string{"relatedId", "owningId"}
		}
	}
	return next
}

// storeClass writes the class's row of _SCHEMA, and tells parse-server's workers.
func (t *tx) storeClass(stored, class *schema.Class) error {
	c := t.conn
	if stored == nil {
		c.send(sqlInsertClass, nil, class.Name, string(class.AppendStored(nil)))
	} else {
		c.send(sqlUpdateClass, nil, difference(stored, class)...)
	}
	t.notify()
	if err := c.sync(); err != nil {
		return t.fail(err)
	}
	var row []byte
	err := c.rows(func(r [][]byte) { row = append(row, r[0]...) })
	if err = errors.Join(err, c.end()); err != nil {
		return t.fail(err)
	}
	if stored == nil {
		return nil
	}
	if row == nil {
		return t.fail(errStale) // somebody has just dropped it
	}
	now, err := schema.DecodeStored(class.Name, row)
	if err != nil {
		return t.fail(err)
	}
	class.Fields, class.Permissions, class.Indexes = now.Fields, now.Permissions, now.Indexes
	return nil
}

// notify queues the message to parse-server's workers, which is delivered with the commit.
func (t *tx) notify() { t.conn.send(sqlNotifySchema, nil, `{"senderId":"`+t.store.sender+`"}`) }

// difference returns the arguments of updateClass that turn the stored class into the other one.
func difference(stored, class *schema.Class) []any {
	v, _ := query.Decode(class.AppendStored(nil)) // it was written a moment ago
	all, _ := v.(map[string]any)
	fields, _ := all["fields"].(map[string]any)
	added, altered, members := map[string]any{}, map[string]any{}, map[string]any{}
	var goneFields, goneMembers []string
	for name, f := range class.Fields {
		if class.Name == schema.User && name == "password" {
			continue
		}
		old, ok := stored.Fields[name]
		switch {
		case !ok:
			added[name] = fields[name]
		case !reflect.DeepEqual(old, f):
			altered[name] = fields[name]
		}
	}
	for name := range stored.Fields {
		if _, stays := class.Fields[name]; !stays {
			goneFields = append(goneFields, name)
		}
	}
	replace := func(name string, same bool) {
		switch value, there := all[name]; {
		case same:
		case there:
			members[name] = value
		default:
			goneMembers = append(goneMembers, name)
		}
	}
	replace("classLevelPermissions", reflect.DeepEqual(stored.Permissions, class.Permissions))
	replace("indexes", reflect.DeepEqual(stored.Indexes, class.Indexes))
	return []any{class.Name, jsonValue(added), jsonValue(altered), jsonValue(members), texts(goneFields), texts(goneMembers)}
}

// createTables returns the statements that create the table of the class, or the columns it lacks, the join tables of its
// relations and its new indexes. New columns come in the given order, and are noted in the class.
func createTables(c *catalog, class, old *schema.Class, order []string) string {
	var sql strings.Builder
	wanted := class.Stored(order)
	if len(class.Columns) == 0 {
		class.Columns = wanted
		sql.WriteString(createTable(class, wanted))
		if class.Name == schema.Session {
			// parse-server looks sessions up without an index.
			sql.WriteString(`;CREATE INDEX IF NOT EXISTS "parsescale_sessionToken" ON "_Session"("sessionToken");CREATE INDEX IF NOT EXISTS "parsescale_sessionUser" ON "_Session"("user")`)
		}
		sql.WriteByte(';')
	} else {
		class.Columns = slices.Clone(class.Columns)
		for _, name := range wanted {
			if slices.Contains(class.Columns, name) {
				continue
			}
			class.Columns = append(class.Columns, name)
			f, _ := class.Column(name)
			sql.WriteString("ALTER TABLE " + ident(class.Name) + " ADD COLUMN IF NOT EXISTS " + ident(name) + " " + columnType(f) + ";")
		}
	}
	for _, name := range class.FieldNames() {
		if table := schema.JoinTable(class.Name, name); class.Fields[name].Type == schema.Relation && !c.has(table) {
			sql.WriteString(createJoin(table) + ";")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(class.Indexes)) {
		if reflect.DeepEqual(old.Indexes[name], class.Indexes[name]) {
			continue
		}
		if keys := indexKeys(class, class.Indexes[name]); name != "_id_" && keys != "" {
			sql.WriteString("CREATE INDEX IF NOT EXISTS " + ident(name) + " ON " + ident(class.Name) + " (" + keys + ");")
		}
	}
	return sql.String()
}

func ident(name string) string { return string(sqlbuild.AppendIdent(nil, name)) }

func createTable(class *schema.Class, columns []string) string {
	var sql strings.Builder
	sql.WriteString("CREATE TABLE IF NOT EXISTS " + ident(class.Name) + " (")
	for i, name := range columns {
		if i > 0 {
			sql.WriteByte(',')
		}
		f, _ := class.Column(name)
		sql.WriteString(ident(name) + " " + columnType(f))
		if name == "objectId" {
			sql.WriteString(" PRIMARY KEY")
		}
	}
	return sql.String() + ")"
}

func createJoin(table string) string {
	return "CREATE TABLE IF NOT EXISTS " + ident(table) + ` ("relatedId" varchar(120), "owningId" varchar(120), PRIMARY KEY ("relatedId","owningId"))`
}

// indexKeys are the columns of an index of the schema API: of its keys only the names count.
func indexKeys(class *schema.Class, keys map[string]any) string {
	var out []string
	for _, field := range slices.Sorted(maps.Keys(keys)) {
		if _, ok := class.Column(field); ok {
			out = append(out, ident(field))
		}
	}
	return strings.Join(out, ",")
}
