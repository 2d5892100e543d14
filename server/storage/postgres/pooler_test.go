package postgres

import (
	"errors"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/storetest"
	"github.com/parsescale/parsescale/server/testservices"
)

// TestStoreThroughPgBouncer is what every store promises, where a pooler stands between and each transaction may be in another of
// the server's sessions, which have neither our prepared statements nor our settings.
func TestStoreThroughPgBouncer(t *testing.T) {
	b := server(t).StartPgBouncer(t, "transaction")
	uris := map[string]string{}
	storetest.Run(t, storetest.Database{Open: func(t testing.TB, o storetest.Options) storage.Store {
		if uris[t.Name()] == "" {
			uris[t.Name()] = b.Through(t, database(t))
		}
		return open(t, uris[t.Name()], func(p *Options) { p.App, p.Announcer, p.Clock = o.App, o.Announcer, o.Clock })
	}})
}

// TestPooled: whether a pooler stands between is seen, in each of its modes.
func TestPooled(t *testing.T) {
	p, uri := testservices.SharedDatabase(t)
	for _, mode := range []string{"", "session", "transaction"} {
		at := uri
		if mode != "" {
			at = p.StartPgBouncer(t, mode).Through(t, uri)
		}
		s := open(t, at)
		c, err := s.primary.take(ctx, false)
		if err != nil {
			t.Fatal(err)
		}
		storetest.PutClass(t, s, "A"+mode, "n Number")
		if want := mode != ""; c.pooled != want || want != (len(c.statements) == 0) || s.primary.plain.Load() != want {
			t.Errorf("%q: pooled %t, %d statements are kept, parameters left out: %t", mode, c.pooled, len(c.statements), s.primary.plain.Load())
		}
		s.primary.give(c)
	}
}

// TestClaimThroughPgBouncer: a claim is refused, and says why.
func TestClaimThroughPgBouncer(t *testing.T) {
	p, uri := testservices.SharedDatabase(t)
	for _, mode := range []string{"session", "transaction"} {
		_, err := TakeClaim(ctx, claimOptions(p.StartPgBouncer(t, mode).Through(t, uri)))
		if err == nil || !strings.Contains(err.Error(), "a pooler stands between") {
			t.Errorf("%s: %v", mode, err)
		}
		if errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%s: it is said to be a matter of time: %v", mode, err)
		}
	}
}
