package decoding

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// The tables of an app: of its classes, of its relations, and _SCHEMA. What is missing in the publication must join it.
	selectTables = `SELECT c.relname, c.relkind, c.relpersistence,
		c.relreplident IN ('f', 'i') OR c.relreplident = 'd' AND EXISTS (SELECT FROM pg_catalog.pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary),
		EXISTS (SELECT FROM pg_catalog.pg_publication_tables AS t WHERE t.pubname = $2 AND t.schemaname = $1 AND t.tablename = c.relname), c.oid
		FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
		AND (c.relname = '_SCHEMA' OR c.relname LIKE '\_Join:%' OR c.relname IN (SELECT "className" FROM "_SCHEMA")) ORDER BY c.relname`

	selectPublication = `SELECT p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate,
		EXISTS (SELECT FROM pg_catalog.pg_publication_rel AS r WHERE r.prpubid = p.oid AND (to_jsonb(r)->>'prqual' IS NOT NULL OR to_jsonb(r)->>'prattrs' IS NOT NULL))
		FROM pg_catalog.pg_publication AS p WHERE p.pubname = $1`
)

// joinPublication has the app's tables join the publication, which is made if there is none. It returns the tables' numbers:
// all of them are in the publication now; and how many were not before. FOR ALL TABLES would need no joining, but with it PostgreSQL refuses every update
// of a table without a key, whoever made it and for what: a cache must not do that to a database.
func joinPublication(ctx context.Context, c *pgconn.PgConn, publication, namespace string) (tables []string, joined int, err error) {
	for range 3 { // another gateway may be doing the same
		if tables, joined, err = tryJoin(ctx, c, publication, namespace); !isRace(err) {
			break
		}
	}
	return tables, joined, err
}

func tryJoin(ctx context.Context, c *pgconn.PgConn, publication, namespace string) (numbers []string, joined int, err error) {
	const doing = "have the app's tables join the publication"
	found, err := ask(ctx, c, "look for the publication", selectPublication, publication)
	if err != nil {
		return nil, 0, err
	}
	if len(found) > 0 {
		switch {
		case found[0][0] != "t":
			return nil, 0, fmt.Errorf("%w: %s must publish insert, update, delete and truncate", ErrPublished, publication)
		case found[0][1] == "t":
			return nil, 0, fmt.Errorf("%w: %s must publish all rows and columns of its tables", ErrPublished, publication)
		}
	}
	tables, err := ask(ctx, c, "list the app's tables", selectTables, namespace, publication)
	if err != nil {
		return nil, 0, err
	}
	var missing []string
	for _, t := range tables {
		if err := followable(t); err != nil {
			return nil, 0, err
		}
		if t[4] != "t" {
			missing = append(missing, quote(namespace)+"."+quote(t[0]))
		}
		numbers = append(numbers, t[5])
	}
	var statement string
	switch {
	case len(found) == 0:
		statement = "CREATE PUBLICATION " + quote(publication) + " FOR TABLE " + strings.Join(missing, ", ") + " WITH (publish_via_partition_root = true)"
	case len(missing) > 0:
		statement = "ALTER PUBLICATION " + quote(publication) + " ADD TABLE " + strings.Join(missing, ", ")
	default:
		return numbers, 0, nil
	}
	_, err = ask(ctx, c, doing, statement)
	return numbers, len(missing), err
}

// followable says why a table can't be followed.
func followable(t []string) error {
	switch name, kind, persistence, identity := t[0], t[1], t[2], t[3]; {
	case kind != "r" && kind != "p":
		return fmt.Errorf("%w: %s is no ordinary table", ErrTable, name)
	case persistence != "p":
		return fmt.Errorf("%w: %s is unlogged", ErrTable, name)
	case identity != "t":
		return fmt.Errorf("%w: %s has no primary key", ErrTable, name)
	}
	return nil
}

// isRace reports whether another gateway made or changed the publication at the same time.
func isRace(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	// It exists already, or its row was just changed.
	return pg.Code == "42710" || pg.Code == "23505" || strings.Contains(pg.Message, "concurrently updated")
}

// errNoSchema: parse-server hasn't set the database up yet.
var errNoSchema = errors.New("the database has no table _SCHEMA yet; is it the one that Parse Server uses?")
