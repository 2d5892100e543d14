package sqlite

import (
	"database/sql/driver"
	"fmt"

	"github.com/parsescale/parsescale/server/schema"
)

// bootstrap are the tables of the store itself; the names can't be those of classes.
const bootstrap = `
CREATE TABLE IF NOT EXISTS "_SCHEMA" ("className" TEXT NOT NULL PRIMARY KEY, "schema" TEXT, "isParseClass" INTEGER) STRICT;
CREATE TABLE IF NOT EXISTS "_Parsescale_State" ("id" INTEGER PRIMARY KEY CHECK ("id"=1), "commits" INTEGER NOT NULL, "schema" INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS "_Parsescale_Write" ("id" TEXT NOT NULL PRIMARY KEY, "result" BLOB, "expires" INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS "_Parsescale_Write_expires" ON "_Parsescale_Write"("expires");
INSERT OR IGNORE INTO "_Parsescale_State" VALUES (1,0,1);
`

// install creates what isn't there. The caller has the turn.
func (w *writer) install() error {
	if err := w.conn.script("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := w.installTables(); err != nil {
		_ = w.conn.script("ROLLBACK")
		return err
	}
	if err := w.conn.script("COMMIT"); err != nil {
		return err
	}
	w.store.remember(w.catalog)
	return nil
}

func (w *writer) installTables() error {
	if err := w.conn.script(bootstrap); err != nil {
		return err
	}
	cur, st, err := openState(w.conn)
	if err != nil {
		return err
	}
	cur.close()
	w.state = st
	if w.catalog, err = loadCatalog(w.conn, st.schema); err != nil {
		return err
	}
	tx := w.newTx()
	for _, name := range []string{schema.User, schema.Role} {
		if w.catalog.schema.Classes[name] != nil {
			continue
		}
		if _, err := tx.PutClass(nil, schema.New(name, nil)); err != nil {
			return err
		}
	}
	w.catalog = tx.catalog
	if err := w.installAuthIndexes(); err != nil {
		return err
	}
	if w.catalog.schema.Version == st.schema {
		return nil
	}
	_, err = w.conn.exec([]byte(`UPDATE "_Parsescale_State" SET "schema"=?1`), int64(w.catalog.schema.Version))
	return err
}

// installAuthIndexes makes the ids of authentication providers unique, unless there are duplicates already.
func (w *writer) installAuthIndexes() error {
	for _, provider := range w.store.options.AuthProviders {
		if !schema.ValidFieldName(provider, "") {
			return fmt.Errorf("cannot make ids of the authentication provider %q unique: its name is not a field name", provider)
		}
		expr := `json_extract("authData",'$."` + provider + `"."id"')`
		duplicates := false
		err := w.conn.each(`SELECT 1 FROM "_User" WHERE `+expr+` IS NOT NULL GROUP BY `+expr+` HAVING count(*)>1 LIMIT 1`, 1, nil, func([]driver.Value) error {
			duplicates = true
			return nil
		})
		if err != nil {
			return err
		}
		if duplicates {
			continue
		}
		if err := w.conn.script(`CREATE UNIQUE INDEX IF NOT EXISTS "_User_unique_authData_` + provider + `_id" ON "_User"(` + expr + `) WHERE ` + expr + ` IS NOT NULL`); err != nil {
			return err
		}
	}
	return nil
}

// systemIndexes are the indexes a system class gets with its table: parse-server's, by the same names, and those that
// sessions are looked up by.
func systemIndexes(class string) []string {
	switch class {
	case schema.User:
		return []string{
			`CREATE UNIQUE INDEX IF NOT EXISTS "_User_unique_username" ON "_User"("username")`,
			`CREATE UNIQUE INDEX IF NOT EXISTS "_User_unique_email" ON "_User"("email")`,
			`CREATE INDEX IF NOT EXISTS "case_insensitive_username" ON "_User"(parse_lower("username"))`,
			`CREATE INDEX IF NOT EXISTS "case_insensitive_email" ON "_User"(parse_lower("email"))`,
			`CREATE INDEX IF NOT EXISTS "_email_verify_token" ON "_User"("_email_verify_token")`,
			`CREATE INDEX IF NOT EXISTS "_perishable_token" ON "_User"("_perishable_token")`,
		}
	case schema.Role:
		return []string{`CREATE UNIQUE INDEX IF NOT EXISTS "_Role_unique_name" ON "_Role"("name")`}
	case schema.Session:
		return []string{
			`CREATE INDEX IF NOT EXISTS "_Session_sessionToken" ON "_Session"("sessionToken")`,
			`CREATE INDEX IF NOT EXISTS "_Session_user" ON "_Session"("user")`,
		}
	case schema.Installation:
		return []string{
			`CREATE INDEX IF NOT EXISTS "_Installation_installationId" ON "_Installation"("installationId")`,
			`CREATE INDEX IF NOT EXISTS "_Installation_deviceToken" ON "_Installation"("deviceToken")`,
		}
	case schema.Idempotency:
		return []string{
			`CREATE UNIQUE INDEX IF NOT EXISTS "_Idempotency_unique_reqId" ON "_Idempotency"("reqId")`,
			`CREATE INDEX IF NOT EXISTS "ttl" ON "_Idempotency"("expire")`,
		}
	}
	return nil
}
