package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/storetest"
)

// TestLongStatementsAreNotKept: neither here nor in the server's session, whatever clients make up.
func TestLongStatementsAreNotKept(t *testing.T) {
	s := open(t, database(t), func(o *Options) { o.URI += "?max=1" })
	storetest.PutClass(t, s, "A", "n Number", "s String")
	memory := func() (bytes int64) {
		err := s.use(ctx, func(c *conn) error {
			return c.each("SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts", nil, func(row [][]byte) error { bytes = bigint(row[0]); return nil })
		})
		if err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	find := func(conditions int) {
		terms := make([]string, conditions)
		for i := range terms {
			terms[i] = fmt.Sprintf(`{"n":%d,"s":{"$gt":"x"}}`, i)
		}
		where := storetest.Where(t, `{"$or":[`+strings.Join(terms, ",")+`]}`)
		err := s.Read(ctx, func(sn storage.Snapshot) error {
			sch, err := sn.Schema(ctx)
			if err != nil {
				return err
			}
			return sn.Find(ctx, &storage.Find{Schema: sch, Class: sch.Classes["A"], Where: where, Limit: 1, Last: true}, func(storage.Row) error { return nil })
		})
		if err != nil {
			t.Error(err)
		}
	}
	find(1000) // the last one without a name is kept until the next one
	before := memory()
	for i := range 10 {
		find(999 - i)
	}
	if more := memory() - before; more > 2<<20 {
		t.Errorf("ten more long finds have the session of the server keep %d kB", more>>10)
	}
	c, err := s.primary.take(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.primary.give(c)
	size := 0
	for sql := range c.statements {
		size += len(sql)
	}
	if size > 64<<10 {
		t.Errorf("%d kB of texts are kept", size>>10)
	}
}
