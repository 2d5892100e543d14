package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/storetest"
	"github.com/parsescale/parsescale/server/testservices"
)

// askFor asks a question about a class in the way a find does, with a statement of the test's own.
func askFor(ctx context.Context, s *Store, class, sql string, arg any, each func(row [][]byte) error) error {
	return s.Read(ctx, func(sn storage.Snapshot) error {
		sch, err := sn.Schema(ctx)
		if err != nil {
			return err
		}
		return sn.(*snapshot).askLast(sch.Classes[class], false, lookup{ctx: ctx, sql: []byte(sql), args: []any{arg}, each: each})
	})
}

// paceOf is that of a statement which the store knows.
func paceOf(t testing.TB, s *Store, class, sql string) *pace {
	t.Helper()
	cat := s.catalog.Load()
	return cat.plan(cat.schema.Classes[class]).paces.pace([]byte(sql))
}

// sleeps is a find that takes as many seconds as it is told.
const sleeps = "SELECT $1::text, pg_sleep($1::float8)"

func TestPace(t *testing.T) {
	var p pace
	if p.quick() {
		t.Error("a statement that was never run counts as quick")
	}
	p.took(0)
	if !p.quick() {
		t.Error("one that takes no time doesn't")
	}
	p.took(8 * quickPace)
	if !p.quick() {
		t.Error("one slow run among quick ones counts too much")
	}
	for range 8 {
		p.took(2 * quickPace)
	}
	if p.quick() {
		t.Error("one that became slow counts as quick")
	}
	p.slow()
	runs := 0
	for ; !p.quick(); runs++ {
		p.took(quickPace / 4)
	}
	if runs < 30 || runs > 60 {
		t.Errorf("quick again after %d quick runs", runs)
	}
	var all paces
	for i := range 3 * mostPaces {
		all.pace(fmt.Append(nil, i)).took(1)
		if len(all.of) > mostPaces {
			t.Fatalf("%d are kept", len(all.of))
		}
	}
}

// TestFindsTogether: many finds at once, while other processes change the schema: each is answered for itself.
func TestFindsTogether(t *testing.T) {
	stores := several(t, 2)
	s := stores[0]
	c := storetest.PutClass(t, s, "A", "n Number")
	const kinds = 10
	for i := range 5 * kinds {
		storetest.Insert(t, s, c, fmt.Sprintf(`{"objectId":"o%d","n":%d}`, i, i%kinds))
	}
	const clients, each = 48, 20
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for j := range each {
				n := (i + j) % kinds
				var found int
				err := s.Read(ctx, func(sn storage.Snapshot) error {
					found = 0
					sch, err := sn.Schema(ctx)
					if err != nil {
						return err
					}
					return sn.Find(ctx, &storage.Find{Schema: sch, Class: sch.Classes["A"], Where: storetest.Where(t, fmt.Sprintf(`{"n":%d}`, n)), Limit: 100, Last: true}, func(r storage.Row) error {
						found++
						o, err := r.Object()
						if o["n"] != float64(n) {
							t.Errorf("asked for %d, got %v", n, o)
						}
						return err
					})
				})
				if err != nil || found != 5 {
					t.Errorf("%d: found %d, %v", n, found, err)
				}
				if j == each/2 && i%16 == 0 {
					storetest.PutClass(t, stores[1], fmt.Sprint("B", i), "n Number")
				}
			}
		})
	}
	wg.Wait()
}

// TestFindsTogetherOneIsSlow: a find that is quick as a rule, and takes long this once, holds up its company for a bounded time;
// then it goes alone, each is answered, and whoever doesn't wait for it any more needn't.
func TestFindsTogetherOneIsSlow(t *testing.T) {
	s := open(t, database(t), func(o *Options) { o.URI += "?max=4" })
	storetest.PutClass(t, s, "A", "n Number")
	quick := paceOf(t, s, "A", sleeps)
	quick.took(time.Microsecond)
	const quickOnes = 40
	var wg sync.WaitGroup
	begin := make(chan struct{})
	ask := func(ctx context.Context, seconds string, atMost time.Duration, want error) {
		wg.Go(func() {
			<-begin
			rows, now := 0, time.Now()
			err := askFor(ctx, s, "A", sleeps, seconds, func(row [][]byte) error {
				if rows++; string(row[0]) != seconds {
					t.Errorf("asked for %s, got %s", seconds, row[0])
				}
				return nil
			})
			if !errors.Is(err, want) || want == nil && rows == 0 {
				t.Errorf("%s: %d rows, %v", seconds, rows, err)
			}
			if d := time.Since(now); d > atMost {
				t.Errorf("%s: %s", seconds, d)
			}
		})
	}
	impatient, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	// mostPatience twice, if a quick one is in the company of either; else each is done in no time.
	for range quickOnes {
		ask(ctx, "0", 2*mostPatience+2*time.Second, nil)
	}
	ask(ctx, "1", 10*time.Second, nil)
	ask(impatient, "30", 2*mostPatience+2*time.Second, context.DeadlineExceeded)
	close(begin)
	wg.Wait()
	if quick.quick() {
		t.Error("it still goes in company")
	}
}

// TestFindsTogetherOneFails: an error, or a panic, is the trouble of who asked.
func TestFindsTogetherOneFails(t *testing.T) {
	s := open(t, database(t))
	storetest.PutClass(t, s, "A", "n Number")
	const divides = "SELECT (1/$1::bigint)::text"
	divided := paceOf(t, s, "A", divides)
	no := errors.New("no")
	const clients = 64
	var wg sync.WaitGroup
	begin := make(chan struct{})
	divided.took(time.Microsecond)
	for i := range clients {
		wg.Go(func() {
			<-begin
			by, panicked := int64(1), false
			if i%8 == 0 {
				by = 0
			}
			err := func() error {
				defer func() { panicked = recover() != nil }()
				return askFor(ctx, s, "A", divides, by, func([][]byte) error {
					switch i % 8 {
					case 1:
						return no
					case 2:
						panic("no")
					}
					return nil
				})
			}()
			if i%8 == 1 && !errors.Is(err, no) || i%8 == 0 && stateOf(err) != errDivided || i%8 > 1 && err != nil || panicked != (i%8 == 2) {
				t.Errorf("%d: %v, panic %t", i, err, panicked)
			}
		})
	}
	close(begin)
	wg.Wait()
}

// TestFindsTogetherFarAway: how far away the database is doesn't make a find slow.
func TestFindsTogetherFarAway(t *testing.T) {
	const far = 12 * quickPace // in each direction, and longer than anything else takes here
	p, uri := testservices.SharedDatabase(t)
	proxy := testservices.StartProxy(t, p.Address())
	s := open(t, strings.Replace(uri, p.Address(), proxy.Address, 1))
	storetest.PutClass(t, s, "A", "n Number")
	proxy.Delay(far)
	s.primary.drop() // as after a fail-over to a server that far away
	for range 3 {
		if err := askFor(ctx, s, "A", sleeps, "0", func([][]byte) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if d := s.roundTrip(); d < 2*far {
		t.Errorf("a round trip takes %s", d)
	}
	if p := paceOf(t, s, "A", sleeps); time.Duration(p.mean.Load()) > far {
		t.Errorf("it counts as one that takes %s", time.Duration(p.mean.Load()))
	}
}

// TestFindsTogetherAlone: the first find of its text goes alone, and so does one whose time is over.
func TestFindsTogetherAlone(t *testing.T) {
	s := open(t, database(t))
	storetest.PutClass(t, s, "A", "n Number")
	p := paceOf(t, s, "A", sleeps)
	if err := askFor(ctx, s, "A", sleeps, "0", func([][]byte) error { return nil }); err != nil || !p.quick() {
		t.Errorf("after the first one: %v, quick %t", err, p.quick())
	}
	p.slow()
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	now := time.Now()
	if err := askFor(short, s, "A", sleeps, "30", func([][]byte) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one whose time is over: %v", err)
	}
	if d := time.Since(now); d > 10*time.Second {
		t.Errorf("it took %s", d)
	}
}
