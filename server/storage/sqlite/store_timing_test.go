package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

const timedRows = 10_000

// timed is a store with objects such as the load test's.
func timed(b *testing.B) (*Store, *schema.Class, string) {
	path := filepath.Join(b.TempDir(), "parse.db")
	s := open(b, path)
	c := class(b, s, "GameScore", "player String", "score Number", "cheat Boolean", "owner Pointer _User", "tags Array")
	put(b, s, func(tx storage.Tx) error {
		for i := range timedRows {
			if err := tx.Insert(context.Background(), c, score(i)); err != nil {
				return err
			}
		}
		return nil
	})
	return s, c, path
}

func score(i int) storage.Object {
	now := query.Date{Time: time.UnixMilli(1_700_000_000_000 + int64(i))}
	return storage.Object{"objectId": "id" + strconv.Itoa(i), "createdAt": now, "updatedAt": now, "player": "player " + strconv.Itoa(i%100),
		"score": float64(i), "cheat": i%2 == 0, "owner": query.Pointer{ClassName: "_User", ObjectID: "u1"}, "tags": []any{"a", "b"}}
}

// TestAllocations keeps the hot paths from growing allocations: most of those there are are the driver's.
func TestAllocations(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "parse.db"))
	c := class(t, s, "GameScore", "player String", "score Number", "cheat Boolean", "owner Pointer _User", "tags Array")
	put(t, s, func(tx storage.Tx) error {
		for i := range 100 {
			if err := tx.Insert(context.Background(), c, score(i)); err != nil {
				return err
			}
		}
		return nil
	})
	var out []byte
	id := &query.Compare{Path: "objectId", Value: "id7"}
	if n := testing.AllocsPerRun(100, func() { find(t, s, &out, id, 1) }); n > 90 {
		t.Errorf("a get allocates %v times", n)
	}
	// Two for each text, one for each number, as the driver returns them.
	if n := testing.AllocsPerRun(20, func() { find(t, s, &out, nil, 100) }); n > 1500 {
		t.Errorf("a find of 100 allocates %v times", n)
	}
}

func BenchmarkGet(b *testing.B) {
	s, _, _ := timed(b)
	b.ReportAllocs()
	var out []byte
	for i := 0; b.Loop(); i++ {
		find(b, s, &out, &query.Compare{Path: "objectId", Value: "id" + strconv.Itoa(i%timedRows)}, 1)
	}
}

// BenchmarkGetFloor is a hand-written handler's query, by database/sql.
func BenchmarkGetFloor(b *testing.B) {
	_, _, path := timed(b)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	stmt, err := db.Prepare(`SELECT "objectId","createdAt","updatedAt","cheat","owner","player","score","tags" FROM "GameScore" WHERE "objectId"=? AND ("_rperm" IS NULL)`)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		var id, owner, player, tags string
		var created, updated int64
		var cheat bool
		var score float64
		if err := stmt.QueryRow("id"+strconv.Itoa(i%timedRows)).Scan(&id, &created, &updated, &cheat, &owner, &player, &score, &tags); err != nil {
			b.Fatal(err)
		}
	}
}

func find(b testing.TB, s *Store, out *[]byte, where query.Expr, limit int) {
	err := s.Read(context.Background(), func(sn storage.Snapshot) error {
		sc, err := sn.Schema(context.Background())
		if err != nil {
			return err
		}
		*out = (*out)[:0]
		f := storage.Find{Schema: sc, Class: sc.Class("GameScore"), Where: where, Readers: []string{"*"}, Limit: limit}
		n := 0
		err = sn.Find(context.Background(), &f, func(r storage.Row) error {
			n++
			*out = r.AppendJSON(*out, &storage.Shape{})
			return nil
		})
		if n != limit {
			return fmt.Errorf("found %d", n)
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkFind20(b *testing.B)  { benchmarkFind(b, 20) }
func BenchmarkFind100(b *testing.B) { benchmarkFind(b, 100) }

func benchmarkFind(b *testing.B, limit int) {
	s, _, _ := timed(b)
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		find(b, s, &out, &query.Compare{Path: "score", Op: query.Gte, Value: 100.0}, limit)
	}
}

func BenchmarkGetParallel(b *testing.B) {
	s, _, _ := timed(b)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		var out []byte
		for i := 0; p.Next(); i++ {
			find(b, s, &out, &query.Compare{Path: "objectId", Value: "id" + strconv.Itoa(i%timedRows)}, 1)
		}
	})
}

func BenchmarkInsert(b *testing.B) {
	s, c, _ := timed(b)
	b.ReportAllocs()
	for i := timedRows; b.Loop(); i++ {
		put(b, s, func(tx storage.Tx) error { return tx.Insert(context.Background(), c, score(i)) })
	}
}

func BenchmarkInsert64(b *testing.B) {
	s, c, _ := timed(b)
	var n atomic.Int64
	n.Store(timedRows)
	b.ReportAllocs()
	b.SetParallelism(32) // times two processors
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			i := int(n.Add(1))
			put(b, s, func(tx storage.Tx) error { return tx.Insert(context.Background(), c, score(i)) })
		}
	})
	b.ReportMetric(float64(s.catalogCommits(b)), "commits")
}

func (s *Store) catalogCommits(b testing.TB) (n uint64) {
	c, err := s.reader()
	if err != nil {
		b.Fatal(err)
	}
	defer s.park(c)
	cur, st, err := openState(c)
	if err != nil {
		b.Fatal(err)
	}
	cur.close()
	return st.commits
}
