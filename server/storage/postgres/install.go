package postgres

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/parsescale/parsescale/server/schema"
)

// own are the things of the store itself. Their names can't be those of classes, because parse-server looks tables up by
// name in all schemas. The trigger raises the version when _SCHEMA is changed, whoever does that, at the end of the
// transaction: whoever sees a change sees its version. By how much it is raised is left to chance: after a fail-over that
// lost the last changes, others must not get the versions of those.
var own = []struct{ what, create string }{
	{"table parsescale._schema_version", `CREATE TABLE IF NOT EXISTS parsescale._schema_version (one boolean PRIMARY KEY DEFAULT true CHECK (one), version bigint NOT NULL);
INSERT INTO parsescale._schema_version (version) VALUES (1) ON CONFLICT DO NOTHING`},
	{"table parsescale._write", `CREATE TABLE IF NOT EXISTS parsescale._write (id text PRIMARY KEY, result bytea, expires timestamp with time zone NOT NULL);
CREATE INDEX IF NOT EXISTS _write_expires ON parsescale._write(expires)`},
	{"sequence parsescale._change", `CREATE SEQUENCE IF NOT EXISTS parsescale._change`},
	{"function parsescale._schema_changed", `CREATE OR REPLACE FUNCTION parsescale._schema_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$ BEGIN UPDATE parsescale._schema_version SET version = version + 1 + (random() * 1000000)::bigint; RETURN NULL; END $$`},
	{"trigger parsescale_schema_changed", `CREATE CONSTRAINT TRIGGER parsescale_schema_changed AFTER INSERT OR UPDATE OR DELETE ON "_SCHEMA"
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION parsescale._schema_changed()`},
}

// existing lists what is there, as "kind name"; kinds are table (also of indexes), function, trigger and so on.
const existing = `
SELECT CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index' ELSE 'table' END || ' ' || CASE n.nspname WHEN 'parsescale' THEN 'parsescale.' ELSE '' END || c.relname
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname IN (current_schema(), 'parsescale')
UNION ALL SELECT 'function ' || CASE n.nspname WHEN 'parsescale' THEN 'parsescale.' ELSE '' END || p.proname
  FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname IN (current_schema(), 'parsescale')
  AND p.prolang <> (SELECT oid FROM pg_catalog.pg_language WHERE lanname = 'c')
UNION ALL SELECT 'trigger ' || t.tgname FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relname = '_SCHEMA'
UNION ALL SELECT 'schema ' || nspname FROM pg_catalog.pg_namespace
UNION ALL SELECT 'column ' || c.relname || '.' || a.attname FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relkind IN ('r','p') AND a.attnum > 0 AND c.relname LIKE '\_%'`

// installation is what is still to be created.
type installation struct {
	conn  *conn
	there map[string]bool
}

// install creates what isn't there, in one transaction, one process at a time.
func (s *Store) install(c *conn) error {
	if err := c.script("BEGIN"); err != nil {
		return err
	}
	err := c.each(schemaLock, nil, func([][]byte) error { return nil })
	if err == nil && s.options.Session == "" {
		err = unclaimed(c)
	}
	if err == nil {
		err = s.installAll(c)
	}
	if err != nil {
		_ = c.script("ROLLBACK")
		return rights(c, err)
	}
	if err := c.script("COMMIT"); err != nil {
		return err
	}
	s.installAuthIndexes(c)
	cat, err := loadCatalog(c)
	if err != nil {
		return err
	}
	s.catalog.Store(cat)
	return nil
}

// unclaimed refuses a database that a gateway has claimed.
func unclaimed(c *conn) error {
	return c.each(fmt.Sprintf(`SELECT pg_catalog.pg_try_advisory_xact_lock_shared(%d)::text`, claimLock), nil, func(row [][]byte) error {
		if string(row[0]) != "true" {
			return fmt.Errorf("%w: a gateway is configured as the exclusive one whose workers write to it; stop that, or take exclusive out of its configuration", ErrClaimed)
		}
		return nil
	})
}

// rights explains an error of missing rights.
func rights(c *conn, err error) error {
	if stateOf(err) != insufficientRights {
		return err
	}
	return fmt.Errorf("%w; the worker keeps what parse-server has no place for in the schema parsescale, and creates tables in %q: "+
		"let its role do that (GRANT CREATE ON DATABASE … TO …; GRANT CREATE ON SCHEMA public TO …; its role must own the table _SCHEMA or have the TRIGGER privilege on it), or start it once with a role that may", err, "public")
}

func (s *Store) installAll(c *conn) error {
	in := &installation{conn: c, there: map[string]bool{}}
	if err := c.each(existing, nil, func(row [][]byte) error { in.there[string(row[0])] = true; return nil }); err != nil {
		return fmt.Errorf("cannot see what is in the database: %w", err)
	}
	if err := in.create("table _SCHEMA", `CREATE TABLE IF NOT EXISTS "_SCHEMA" ("className" varchar(120), "schema" jsonb, "isParseClass" bool, PRIMARY KEY ("className"))`); err != nil {
		return err
	}
	if err := in.create("schema parsescale", "CREATE SCHEMA IF NOT EXISTS parsescale"); err != nil {
		return err
	}
	for _, o := range own {
		if err := in.create(o.what, o.create); err != nil {
			return err
		}
	}
	for _, name := range schema.Volatile() {
		if err := in.systemTable(name); err != nil {
			return err
		}
	}
	for _, name := range []string{schema.User, schema.Role} {
		if err := in.systemClass(name); err != nil {
			return err
		}
	}
	for _, f := range functions {
		if err := in.create("function "+f.name, f.create); err != nil {
			return err
		}
	}
	for _, x := range indexes {
		if slices.Contains(s.options.SkipIndexes, x.name) {
			continue
		}
		if err := in.create("index "+x.name, x.create); err != nil {
			return err
		}
	}
	return nil
}

// create runs the statement unless the thing is there.
func (in *installation) create(what, statement string) error {
	if in.there[what] {
		return nil
	}
	if err := in.conn.script(statement); err != nil {
		return fmt.Errorf("cannot create the %s: %w", what, err)
	}
	return nil
}

// systemColumns are the columns of a system table as parse-server makes it at its start.
func systemColumns(class *schema.Class) []string {
	var names []string
	for _, d := range schema.Default(class.Name) {
		names = append(names, d.Name)
	}
	switch class.Name {
	case schema.Hooks:
		return names
	case schema.GlobalConfig, "_GraphQLConfig":
		return append([]string{"objectId"}, names...)
	}
	return class.Stored(nil)
}

// systemTable creates a table that has no row in _SCHEMA, or the columns it lacks.
func (in *installation) systemTable(name string) error {
	class := schema.New(name, nil)
	columns := systemColumns(class)
	class.Columns = columns
	if !in.there["table "+name] {
		return in.create("table "+name, createTable(class, columns))
	}
	var add []string
	for _, column := range columns {
		if f, _ := class.Column(column); !in.there["column "+name+"."+column] {
			add = append(add, "ADD COLUMN IF NOT EXISTS "+ident(column)+" "+columnType(f))
		}
	}
	if add == nil {
		return nil
	}
	return in.create("columns of "+name, "ALTER TABLE "+ident(name)+" "+strings.Join(add, ","))
}

// systemClass creates a class that is there from the start.
func (in *installation) systemClass(name string) error {
	class := schema.New(name, nil)
	class.Columns = class.Stored(nil)
	if err := in.systemTable(name); err != nil {
		return err
	}
	for _, field := range class.FieldNames() {
		if class.Fields[field].Type == schema.Relation {
			table := schema.JoinTable(name, field)
			if err := in.create("table "+table, createJoin(table)); err != nil {
				return err
			}
		}
	}
	return in.conn.exec([]byte(insertClass+" ON CONFLICT DO NOTHING"), name, string(class.AppendStored(nil)))
}

// installAuthIndexes makes the ids of authentication providers unique. As with parse-server a failure is only a warning:
// there may be duplicates already.
func (s *Store) installAuthIndexes(c *conn) {
	for _, provider := range s.options.AuthProviders {
		if err := installAuthIndex(c, provider); err != nil {
			s.options.Logger.Warn("cannot make the ids of an authentication provider unique", "provider", provider, "error", err)
		}
	}
}

func installAuthIndex(c *conn, provider string) error {
	if !schema.ValidFieldName(provider, "") {
		return errors.New("the name of the provider is not a field name")
	}
	index := "_User_unique_authData_" + provider + "_id"
	there := false
	err := c.each(`SELECT 1 FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relname = $1::text AND n.nspname = current_schema()`,
		[]any{index}, func([][]byte) error { there = true; return nil })
	if err != nil || there {
		return err
	}
	expr := `"authData"->'` + provider + `'::text->>'id'`
	return c.script("CREATE UNIQUE INDEX IF NOT EXISTS " + ident(index) + ` ON "_User" ((` + expr + ")) WHERE " + expr + " IS NOT NULL")
}
