package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// TestAuthIDsAreIndexed: users are found by their id at a provider without reading all of them, also inside of a transaction,
// which holds up every other write.
func TestAuthIDsAreIndexed(t *testing.T) {
	s := open(t, t.TempDir()+"/parse.db", func(o *Options) { o.AuthProviders = []string{"anonymous", "mine"} })
	c := schema.New(schema.User, nil)
	put(t, s, func(tx storage.Tx) (err error) {
		if c, err = tx.PutClass(context.Background(), c); err != nil {
			return err
		}
		for i := range 50 {
			err := tx.Insert(context.Background(), c, storage.Object{
				"objectId": fmt.Sprint("u", i), "username": fmt.Sprint("n", i),
				"authData": map[string]any{"mine": map[string]any{"id": fmt.Sprint("id", i)}, "other": map[string]any{"id": fmt.Sprint("id", i)}},
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	for provider, indexed := range map[string]bool{"mine": true, "other": false} {
		where := &query.Compare{Path: query.Path("authData." + provider + ".id"), Op: query.Eq, Value: "id7"}
		err := s.Read(t.Context(), func(snap storage.Snapshot) error {
			sch, err := snap.Schema(t.Context())
			if err != nil {
				return err
			}
			f := &storage.Find{Schema: sch, Class: sch.Class(schema.User), Where: where, Limit: 2}
			var found []string
			if err := snap.Find(t.Context(), f, func(r storage.Row) error { found = append(found, r.ObjectID()); return nil }); err != nil {
				return err
			}
			if len(found) != 1 || found[0] != "u7" {
				t.Errorf("%s: found %v", provider, found)
			}
			in := snap.(*snapshot)
			if err := in.conn.builder.Find(dialect{in.catalog}, f, []string{"objectId"}); err != nil {
				return err
			}
			plan := ""
			err = in.conn.each("EXPLAIN QUERY PLAN "+string(in.conn.builder.SQL), 4, in.conn.builder.Args, func(row []driver.Value) error {
				plan += fmt.Sprintln(row[3])
				return nil
			})
			if got := strings.Contains(plan, "_User_unique_authData_"+provider+"_id"); got != indexed {
				t.Errorf("%s: %s", provider, plan)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
