package postgres

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
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

// TestPooledAtOnce: connections that are opened at the same time to a pooler that isn't known yet don't fail each other.
func TestPooledAtOnce(t *testing.T) {
	p, uri := testservices.SharedDatabase(t)
	s := open(t, p.StartPgBouncer(t, "transaction").Through(t, uri))
	for range 5 {
		s.primary.plain.Store(false) // as after a fail-over from a server that is reached without one
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				c, err := s.primary.open(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				c.close()
			})
		}
		wg.Wait()
	}
}

// TestPooledInterpretsQuietly: that a long statement isn't compiled is no matter for the server's log.
func TestPooledInterpretsQuietly(t *testing.T) {
	p, uri := testservices.SharedDatabase(t)
	s := open(t, p.StartPgBouncer(t, "transaction").Through(t, uri))
	heard := make(chan []byte, 1000)
	dial := s.primary.location.config.DialFunc
	s.primary.location.config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		return listened{c, heard}, err
	}
	c, err := s.primary.take(ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.primary.give(c)
	var jit string
	for _, sql := range []string{"SELECT current_setting('jit')", "SELECT current_setting('jit') /*" + strings.Repeat("x", longStatement) + "*/"} {
		if err := c.each(sql, nil, func(row [][]byte) error { jit = string(row[0]); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if jit != "off" {
		t.Errorf("jit is %s", jit)
	}
	for len(heard) > 0 {
		if part := <-heard; bytes.Contains(part, []byte("WARNING")) {
			t.Errorf("the server warns: %q", part)
		}
	}
}

// TestPooledInterpretsWithoutLanguages: a long statement isn't compiled either for a role that may not use any language.
func TestPooledInterpretsWithoutLanguages(t *testing.T) {
	p, uri := testservices.SharedDatabase(t)
	name := uri[strings.LastIndexByte(uri, '/')+1:]
	open(t, uri)
	if err := p.SQL(name, `REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC; CREATE ROLE "mute_`+name+`" LOGIN;
		GRANT pg_read_all_data, pg_write_all_data TO "mute_`+name+`"`); err != nil {
		t.Fatal(err)
	}
	s := open(t, strings.Replace(uri, "postgres@", "mute_"+name+"@", 1))
	c, err := s.primary.take(ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.primary.give(c)
	if err := c.script("SET jit = on"); err != nil {
		t.Fatal(err)
	}
	c.pooled = true
	var rows []string
	err = c.each("SELECT current_setting('jit') /*"+strings.Repeat("x", longStatement)+"*/", nil, func(row [][]byte) error {
		rows = append(rows, string(row[0]))
		return nil
	})
	if err != nil || !slices.Equal(rows, []string{"off"}) {
		t.Errorf("%q, %v", rows, err)
	}
}

// listened is a connection whose other end is heard.
type listened struct {
	net.Conn
	heard chan<- []byte
}

func (l listened) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	l.heard <- bytes.Clone(p[:n])
	return n, err
}
