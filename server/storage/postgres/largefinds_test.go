package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/storetest"
)

// inCompany asks all at the same time, while the only connection is in use, so that they go out together but for the first.
func inCompany(t *testing.T, s *Store, n int, ask func() error) (connection *conn) {
	t.Helper()
	only, err := s.primary.take(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if err := ask(); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	s.primary.give(only)
	wg.Wait()
	return only
}

// TestLargeFindsGoAlone: the server doesn't read on while it waits for its answers to be read, and we don't read those while we
// wait for it to read: so many large finds aren't sent at once.
func TestLargeFindsGoAlone(t *testing.T) {
	s := open(t, database(t), func(o *Options) { o.URI += "?max=1" })
	storetest.PutClass(t, s, "A", "n Number")
	large := strings.Repeat("x", 1<<20)
	p := paceOf(t, s, "A", echoes)
	p.took(time.Microsecond)
	only := inCompany(t, s, mostMembers, func() error {
		return askFor(ctx, s, "A", echoes, large, func(row [][]byte) error {
			if len(row[0]) != len(large) {
				return fmt.Errorf("%d bytes", len(row[0]))
			}
			return nil
		})
	})
	if only.broken != nil {
		t.Errorf("the connection was cut off: %v", only.broken)
	}
}

// TestLargeLookupsGoAlone: as above, of lookups, which nobody cuts off. Those that just go together find room.
func TestLargeLookupsGoAlone(t *testing.T) {
	s := open(t, database(t), func(o *Options) { o.URI, o.Timeout = o.URI+"?max=1", time.Minute })
	c := storetest.PutClass(t, s, "A", "text String")
	storetest.Insert(t, s, c, fmt.Sprintf(`{"objectId":"1","text":%q}`, strings.Repeat("x", 4<<20)))
	where := storetest.Where(t, `{"objectId":"1"}`)
	const role = 50
	for _, roles := range []int{20000, (mostAsked - 500) / (role + 8)} {
		readers := []string{"*"}
		for range roles {
			readers = append(readers, strings.Repeat("r", role))
		}
		limited, cancel := context.WithTimeout(ctx, 20*time.Second) // shorter than the patience of TCP
		inCompany(t, s, mostMembers, func() error {
			return s.Read(limited, func(sn storage.Snapshot) error {
				sch, err := sn.Schema(limited)
				if err != nil {
					return err
				}
				return sn.Find(limited, &storage.Find{Schema: sch, Class: sch.Classes["A"], Where: where, Readers: readers, Limit: 1, Last: true}, func(storage.Row) error { return nil })
			})
		})
		cancel()
	}
}

// TestPacesOfLongTexts: whoever makes up long texts doesn't have them kept.
func TestPacesOfLongTexts(t *testing.T) {
	s := open(t, database(t))
	storetest.PutClass(t, s, "A", "n Number")
	for i := range 3 {
		sql := fmt.Sprintf("SELECT $1::text /* %d %s */", i, strings.Repeat("x", 1<<20))
		if err := askFor(ctx, s, "A", sql, "x", func([][]byte) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	cat := s.catalog.Load()
	size := 0
	for sql := range cat.plan(cat.schema.Classes["A"]).paces.of {
		size += len(sql)
	}
	if size > 64<<10 {
		t.Errorf("texts of %d bytes are kept", size)
	}
}
