package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// Options are what a test asks of a store.
type Options struct {
	// App is the application's id.
	App string
	// Announcer is told of every change; nil: nobody is.
	Announcer storage.Announcer
	// Clock is the time; nil: time.Now.
	Clock func() time.Time
}

// Database is one kind of store under test.
type Database struct {
	// Open opens the database, new for each test; a second call within one test opens the same one again, as another
	// process would.
	Open func(t testing.TB, o Options) storage.Store
	// NUL says that texts may hold the character NUL.
	NUL bool
}

// Run runs every test on the database.
func Run(t *testing.T, d Database) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Database)
	}{
		{"RoundTrip", roundTrip},
		{"Writes", writes},
		{"HastyWrites", hastyWrites},
		{"Written", written},
		{"UniqueFields", uniqueFields},
		{"Relations", relations},
		{"SnapshotStays", snapshotStays},
		{"Operators", operators},
		{"Readers", readers},
		{"OrderLimitCount", orderLimitCount},
		{"RefusedQueries", refusedQueries},
		{"CharacterClasses", characterClasses},
		{"NoTable", noTable},
		{"LargeQueries", largeQueries},
		{"PlacesAndTexts", placesAndTexts},
		{"Score", score},
		{"Distinct", distinct},
		{"Aggregate", aggregate},
		{"Explain", explain},
		{"MatchAgreesWithSQL", matchAgreesWithSQL},
		{"SchemaIsSeenAtOnce", schemaIsSeenAtOnce},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, d) })
	}
}

func (d Database) open(t testing.TB) storage.Store {
	t.Helper()
	return d.Open(t, Options{App: "app"})
}

var ctx = context.Background()

// Put writes with f and fails the test if that fails.
func Put(t testing.TB, s storage.Store, f func(tx storage.Tx) error) {
	t.Helper()
	if err := Try(s, f); err != nil {
		t.Fatal(err)
	}
}

// Try writes with f.
func Try(s storage.Store, f func(tx storage.Tx) error) error {
	_, _, err := s.Write(ctx, "", func(tx storage.Tx) ([]byte, error) { return nil, f(tx) })
	return err
}

// PutClass puts a class with fields given as "name Type" or "name Pointer Class".
func PutClass(t testing.TB, s storage.Store, name string, fields ...string) *schema.Class {
	t.Helper()
	m := map[string]schema.Field{}
	for _, f := range fields {
		parts := strings.Fields(f)
		field := schema.Field{Type: schema.Type(parts[1])}
		if len(parts) > 2 {
			field.TargetClass = parts[2]
		}
		m[parts[0]] = field
	}
	var out *schema.Class
	Put(t, s, func(tx storage.Tx) (err error) {
		out, err = tx.PutClass(ctx, schema.New(name, m))
		return err
	})
	return out
}

// Class returns a class that is there.
func Class(t testing.TB, s storage.Store, name string) *schema.Class {
	t.Helper()
	var c *schema.Class
	err := s.Read(ctx, func(sn storage.Snapshot) error {
		sc, err := sn.Schema(ctx)
		if err == nil {
			c = sc.Class(name)
		}
		return err
	})
	if err != nil || c == nil {
		t.Fatalf("no class %s: %v", name, err)
	}
	return c
}

// Insert stores objects given as JSON.
func Insert(t testing.TB, s storage.Store, class *schema.Class, objects ...string) {
	t.Helper()
	Put(t, s, func(tx storage.Tx) error {
		for _, text := range objects {
			v, err := query.Decode([]byte(text))
			if err != nil {
				return fmt.Errorf("%s: %w", text, err)
			}
			o := storage.Object(v.(map[string]any))
			if err := tx.Insert(ctx, class, o); err != nil {
				return err
			}
		}
		return nil
	})
}

// IDs runs a find and returns the ids in a line: in the order asked for, else sorted.
func IDs(s storage.Store, f storage.Find) (string, error) {
	out, err := found(s, f)
	if len(f.Order) == 0 && f.Limit < 0 && f.Skip == 0 {
		slices.Sort(out)
	}
	return strings.Join(out, " "), err
}

// found runs a find and returns the ids in the order in which they were found.
func found(s storage.Store, f storage.Find) (out []string, err error) {
	err = s.Read(ctx, func(sn storage.Snapshot) error {
		out = out[:0]
		sc, err := sn.Schema(ctx)
		if err != nil {
			return err
		}
		f.Schema = sc
		if known := sc.Class(f.Class.Name); known != nil {
			f.Class = known
		}
		return sn.Find(ctx, &f, func(r storage.Row) error {
			out = append(out, r.ObjectID())
			return nil
		})
	})
	return out, err
}

// All returns the ids of all objects of a class.
func All(t testing.TB, s storage.Store, name string) string {
	t.Helper()
	got, err := IDs(s, storage.Find{Class: &schema.Class{Name: name}, Limit: -1})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Where parses a where.
func Where(t testing.TB, text string) query.Expr {
	t.Helper()
	e, err := query.ParseWhere([]byte(text), query.Limits{})
	if err != nil {
		t.Fatalf("%.200s: %v", text, err)
	}
	return e
}

// Get returns an object, or nil.
func Get(t testing.TB, s storage.Store, class, id string) storage.Object {
	t.Helper()
	var o storage.Object
	err := s.Read(ctx, func(sn storage.Snapshot) error {
		o = nil
		sc, err := sn.Schema(ctx)
		if err != nil || sc.Class(class) == nil {
			return err
		}
		o, err = sn.Get(ctx, sc.Class(class), id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}
