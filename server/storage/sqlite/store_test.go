package sqlite

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/storetest"
)

func open(t testing.TB, path string, change ...func(*Options)) *Store {
	t.Helper()
	o := Options{URI: "sqlite://" + path, App: "app"}
	for _, f := range change {
		f(&o)
	}
	s, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newStore(t testing.TB) *Store { return open(t, filepath.Join(t.TempDir(), "data", "parse.db")) }

func TestStore(t *testing.T) {
	paths := map[string]string{}
	storetest.Run(t, storetest.Database{NUL: true, Open: func(t testing.TB, o storetest.Options) storage.Store {
		if paths[t.Name()] == "" {
			paths[t.Name()] = filepath.Join(t.TempDir(), "data", "parse.db")
		}
		return open(t, paths[t.Name()], func(p *Options) { p.App, p.Announcer, p.Clock = o.App, o.Announcer, o.Clock })
	}})
}

// What the tests of this package share with those of every store.
func put(t testing.TB, s *Store, f func(tx storage.Tx) error) { t.Helper(); storetest.Put(t, s, f) }

func try(s *Store, f func(tx storage.Tx) error) error { return storetest.Try(s, f) }

func class(t testing.TB, s *Store, name string, fields ...string) *schema.Class {
	t.Helper()
	return storetest.PutClass(t, s, name, fields...)
}

func insert(t testing.TB, s *Store, class *schema.Class, objects ...string) {
	t.Helper()
	storetest.Insert(t, s, class, objects...)
}

func ids(s *Store, f storage.Find) (string, error) { return storetest.IDs(s, f) }

func where(t testing.TB, text string) query.Expr { t.Helper(); return storetest.Where(t, text) }

func get(t testing.TB, s *Store, class, id string) storage.Object {
	t.Helper()
	return storetest.Get(t, s, class, id)
}
