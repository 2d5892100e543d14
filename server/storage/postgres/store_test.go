package postgres

import (
	"testing"

	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/storetest"
	"github.com/parsescale/parsescale/server/testservices"
)

func TestMain(m *testing.M) { testservices.Main(m) }

// database makes an empty database and returns its address.
func database(t testing.TB) string {
	_, uri := testservices.SharedDatabase(t)
	return uri
}

// server returns the server that the databases are on.
func server(t testing.TB) *testservices.PostgreSQL {
	p, _ := testservices.SharedDatabase(t)
	return p
}

func open(t testing.TB, uri string, change ...func(*Options)) *Store {
	t.Helper()
	o := Options{URI: uri, App: "app"}
	for _, f := range change {
		f(&o)
	}
	s, err := Open(t.Context(), o)
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

func TestStore(t *testing.T) {
	uris := map[string]string{}
	storetest.Run(t, storetest.Database{Open: func(t testing.TB, o storetest.Options) storage.Store {
		if uris[t.Name()] == "" {
			uris[t.Name()] = database(t)
		}
		return open(t, uris[t.Name()], func(p *Options) { p.App, p.Announcer, p.Clock = o.App, o.Announcer, o.Clock })
	}})
}
