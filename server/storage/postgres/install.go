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

// installation finds out what is still to be created.
type installation struct {
	there   map[string]bool
	missing []string // statements, in order
}

// install creates what isn't there, in one transaction, one process at a time. Where all is there, as it mostly is, nobody
// waits for others.
func (s *Store) install(c *conn) error {
	in, err := s.look(c)
	if err != nil {
		return err
	}
	if len(in.missing) > 0 {
		if err := s.installAll(c); err != nil {
			return err
		}
	} else if s.options.Session == "" {
		if err := unclaimed(c); err != nil {
			return err
		}
	}
	s.installAuthIndexes(c, in.there)
	cat, err := loadCatalog(c)
	if err != nil {
		return err
	}
	if cat.schema.Classes[schema.User] == nil || cat.schema.Classes[schema.Role] == nil {
		if err := s.installAll(c); err != nil {
			return err
		}
		if cat, err = loadCatalog(c); err != nil {
			return err
		}
	}
	s.catalog.Store(cat)
	return nil
}

// installAll creates what isn't there once no other process does so.
func (s *Store) installAll(c *conn) error {
	if err := c.script("BEGIN"); err != nil {
		return err
	}
	err := c.each(schemaLock, nil, func([][]byte) error { return nil })
	if err == nil && s.options.Session == "" {
		err = unclaimed(c)
	}
	if err == nil {
		err = s.create(c)
	}
	if err != nil {
		_ = c.script("ROLLBACK")
		return rights(c, err)
	}
	return c.script("COMMIT")
}

// create creates what isn't there: the statements go to the server together.
func (s *Store) create(c *conn) error {
	in, err := s.look(c)
	if err != nil {
		return err
	}
	if len(in.missing) > 0 {
		if err := c.script(strings.Join(in.missing, ";\n")); err != nil {
			return fmt.Errorf("cannot create what is missing in the database: %w", err)
		}
	}
	for _, name := range systemClasses {
		class := schema.New(name, nil)
		class.Columns = class.Stored(nil)
		if err := c.exec([]byte(insertClass+" ON CONFLICT DO NOTHING"), name, string(class.AppendStored(nil))); err != nil {
			return fmt.Errorf("cannot create the class %s: %w", name, err)
		}
	}
	return nil
}

// unclaimed refuses a database that a gateway has claimed. A gateway that claims it later sees this session, and is refused itself.
func unclaimed(c *conn) error {
	return c.each(`SELECT count(*)::text FROM pg_catalog.pg_locks AS l WHERE `+holdsClaim, nil, func(row [][]byte) error {
		if string(row[0]) != "0" {
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

// look finds out what isn't there.
func (s *Store) look(c *conn) (*installation, error) {
	in := &installation{there: map[string]bool{}}
	if err := c.each(existing, nil, func(row [][]byte) error { in.there[string(row[0])] = true; return nil }); err != nil {
		return nil, fmt.Errorf("cannot see what is in the database: %w", err)
	}
	in.need("table _SCHEMA", `CREATE TABLE IF NOT EXISTS "_SCHEMA" ("className" varchar(120), "schema" jsonb, "isParseClass" bool, PRIMARY KEY ("className"))`)
	in.need("schema parsescale", "CREATE SCHEMA IF NOT EXISTS parsescale")
	for _, o := range own {
		in.need(o.what, o.create)
	}
	for _, name := range schema.Volatile() {
		in.needTable(name)
	}
	for _, name := range systemClasses {
		in.needClass(name)
	}
	for _, f := range functions {
		in.need("function "+f.name, f.create)
	}
	for _, x := range indexes {
		if !slices.Contains(s.options.SkipIndexes, x.name) {
			in.need("index "+x.name, x.create)
		}
	}
	return in, nil
}

// need notes the statement unless the thing is there.
func (in *installation) need(what, statement string) {
	if !in.there[what] {
		in.missing = append(in.missing, statement)
	}
}

// systemClasses are the classes that are there from the start.
var systemClasses = [...]string{schema.User, schema.Role}

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

// needTable notes a system table, or the columns it lacks.
func (in *installation) needTable(name string) {
	class := schema.New(name, nil)
	columns := systemColumns(class)
	class.Columns = columns
	if !in.there["table "+name] {
		in.need("table "+name, createTable(class, columns))
		return
	}
	var add []string
	for _, column := range columns {
		if f, _ := class.Column(column); !in.there["column "+name+"."+column] {
			add = append(add, "ADD COLUMN IF NOT EXISTS "+ident(column)+" "+columnType(f))
		}
	}
	if add != nil {
		in.need("columns of "+name, "ALTER TABLE "+ident(name)+" "+strings.Join(add, ","))
	}
}

// needClass notes the tables of a system class.
func (in *installation) needClass(name string) {
	in.needTable(name)
	class := schema.New(name, nil)
	for _, field := range class.FieldNames() {
		if class.Fields[field].Type == schema.Relation {
			table := schema.JoinTable(name, field)
			in.need("table "+table, createJoin(table))
		}
	}
}

// installAuthIndexes makes the ids of authentication providers unique. As with parse-server a failure is only a warning:
// there may be duplicates already.
func (s *Store) installAuthIndexes(c *conn, there map[string]bool) {
	for _, provider := range s.options.AuthProviders {
		if err := installAuthIndex(c, there, provider); err != nil {
			s.options.Logger.Warn("cannot make the ids of an authentication provider unique", "provider", provider, "error", err)
		}
	}
}

func installAuthIndex(c *conn, there map[string]bool, provider string) error {
	if !schema.ValidFieldName(provider, "") {
		return errors.New("the name of the provider is not a field name")
	}
	index := "_User_unique_authData_" + provider + "_id"
	if there["index "+index] {
		return nil
	}
	expr := `"authData"->'` + provider + `'::text->>'id'`
	return c.script("CREATE UNIQUE INDEX IF NOT EXISTS " + ident(index) + ` ON "_User" ((` + expr + ")) WHERE " + expr + " IS NOT NULL")
}
