package postgres

import (
	"errors"
	"fmt"
	"testing"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/storetest"
	"github.com/parsescale/parsescale/server/testservices"
)

// TestLastChangesNothing: a statement that went out with its COMMIT, and that changed no row, undoes the transaction, and no
// result is kept under its id.
func TestLastChangesNothing(t *testing.T) {
	p, uri := testservices.SharedDatabase(t)
	for i, tt := range []struct {
		name string
		last func(tx storage.Tx, c *schema.Class) error
	}{
		{"update", func(tx storage.Tx, c *schema.Class) error { return tx.Update(ctx, c, "1", storage.Object{"n": 2.0}) }},
		{"delete", func(tx storage.Tx, c *schema.Class) error { return tx.Delete(ctx, c, "1") }},
	} {
		a := &announced{}
		s := open(t, uri, func(o *Options) { o.Announcer = a })
		c := storetest.PutClass(t, s, "A", "n Number")
		if i == 0 {
			storetest.Insert(t, s, c, `{"objectId":"1","n":1}`)
			must(t, p.SQL(s.primary.location.config.Database, `CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
				CREATE TRIGGER nothing BEFORE UPDATE OR DELETE ON "A" FOR EACH ROW EXECUTE FUNCTION nothing()`))
		}
		for range 2 { // the second one is no repeat of the first
			_, repeated, err := s.Write(ctx, tt.name, func(tx storage.Tx) ([]byte, error) {
				if err := tx.Insert(ctx, c, storage.Object{"objectId": "2"}); err != nil {
					return nil, err
				}
				if _, err := tx.Lock(ctx, c, "1"); err != nil {
					return nil, err
				}
				tx.Last()
				tx.Emit(change.Change{Class: "A", ObjectID: "1", Kind: change.Update})
				return []byte("done"), tt.last(tx, c)
			})
			if !errors.Is(err, storage.ErrNotFound) || repeated {
				t.Errorf("%s: %v, %v", tt.name, repeated, err)
			}
		}
		if result, found, err := s.Written(ctx, tt.name); found || err != nil {
			t.Errorf("%s: its result is %q, %v", tt.name, result, err)
		}
		if got := storetest.All(t, s, "A"); got != "1" {
			t.Errorf("%s: kept %q", tt.name, got)
		}
		if got := fmt.Sprint(a.finished); got != "[false false]" {
			t.Errorf("%s: the announcer was told %s", tt.name, got)
		}
	}
}

// TestInsertWithoutVersion: an INSERT that is a transaction by itself fails where no version of the schema is stored, and no
// result is kept under its id.
func TestInsertWithoutVersion(t *testing.T) {
	p, uri := testservices.SharedDatabase(t)
	s := open(t, uri)
	c := storetest.PutClass(t, s, "A")
	name := s.primary.location.config.Database
	insert := func() error {
		_, _, err := s.Write(ctx, "w", func(tx storage.Tx) ([]byte, error) {
			tx.Last()
			return []byte("done"), tx.Insert(ctx, c, storage.Object{"objectId": "1"})
		})
		return err
	}
	must(t, p.SQL(name, `CREATE TABLE kept AS SELECT * FROM parsescale._schema_version; DELETE FROM parsescale._schema_version`))
	if err := insert(); err == nil {
		t.Error("it was inserted")
	}
	must(t, p.SQL(name, `INSERT INTO parsescale._schema_version SELECT * FROM kept`))
	must(t, insert())
	if got := storetest.All(t, s, "A"); got != "1" {
		t.Errorf("kept %q", got)
	}
}

// TestAskedAfterLast: whoever asks more after the last change begins again, also where the answer needs no database.
func TestAskedAfterLast(t *testing.T) {
	s := open(t, database(t))
	c := storetest.PutClass(t, s, "A", "n Number")
	for i, tt := range []struct {
		name string
		ask  func(tx storage.Tx, f *storage.Find) error
	}{
		{"find", func(tx storage.Tx, f *storage.Find) error {
			return tx.Find(ctx, f, func(storage.Row) error { return nil })
		}},
		{"count", func(tx storage.Tx, f *storage.Find) error { _, err := tx.Count(ctx, f); return err }},
		{"distinct", func(tx storage.Tx, f *storage.Find) error {
			return tx.(storage.Analyst).Distinct(ctx, f, query.Path("missing"), func(any) error { return nil })
		}},
	} {
		id, tries := fmt.Sprint(i), 0
		_, _, err := s.Write(ctx, "", func(tx storage.Tx) ([]byte, error) {
			tries++
			tx.Last()
			if err := tx.Insert(ctx, c, storage.Object{"objectId": id, "n": 1.0}); err != nil {
				return nil, err
			}
			sch, err := tx.Schema(ctx)
			if err != nil {
				return nil, err
			}
			return nil, tt.ask(tx, &storage.Find{Schema: sch, Class: c})
		})
		if err != nil || tries != 2 {
			t.Errorf("%s: %d tries, %v", tt.name, tries, err)
		}
		if o := storetest.Get(t, s, "A", id); o["n"] != 1.0 {
			t.Errorf("%s: kept %v", tt.name, o)
		}
	}
}
