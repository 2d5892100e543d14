package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/storetest"
)

var ctx = context.Background()

// several opens the same database several times, as several processes would.
func several(t testing.TB, n int, change ...func(*Options)) []*Store {
	uri := database(t)
	stores := make([]*Store, n)
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() {
			o := Options{URI: uri, App: "app"}
			for _, f := range change {
				f(&o)
			}
			var err error
			if stores[i], err = Open(ctx, o); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() {
		for _, s := range stores {
			_ = s.Close()
		}
	})
	return stores
}

// TestFirstWritesAtOnce: many writes to classes and with fields that aren't there yet, by several processes.
func TestFirstWritesAtOnce(t *testing.T) {
	stores := several(t, 3)
	const writes = 50
	var wg sync.WaitGroup
	errs := make([]error, writes)
	for i := range writes {
		wg.Go(func() {
			_, _, errs[i] = stores[i%len(stores)].Write(ctx, "", func(tx storage.Tx) ([]byte, error) {
				field := fmt.Sprint("f", i%7)
				c := schema.New(fmt.Sprint("New", i%2), map[string]schema.Field{field: {Type: schema.Number}, "r": {Type: schema.Relation, TargetClass: "_User"}})
				c, err := tx.PutClass(ctx, c)
				if err != nil {
					return nil, err
				}
				return nil, tx.Insert(ctx, c, storage.Object{"objectId": fmt.Sprint("o", i), field: float64(i)})
			})
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, s := range stores {
		for i := range 2 {
			name := fmt.Sprint("New", i)
			if got := len(strings.Fields(storetest.All(t, s, name))); got != writes/2 {
				t.Errorf("%s has %d objects", name, got)
			}
			if c := storetest.Class(t, s, name); len(c.Fields) != 4+7+1 {
				t.Errorf("%s has the fields %v", name, c.FieldNames())
			}
		}
	}
}

// announced records what it is told.
type announced struct {
	mu       sync.Mutex
	prepared []change.Change
	finished []bool
	fail     error
}

func (a *announced) Prepare(_ context.Context, changes []change.Change) (func(bool), error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail != nil {
		return nil, a.fail
	}
	a.prepared = append(a.prepared, changes...)
	return func(committed bool) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.finished = append(a.finished, committed)
	}, nil
}

// ends is how the announced writes ended that have.
func (a *announced) ends() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return fmt.Sprint(a.finished)
}

// TestCounter: workers that change one object at once lose nothing, and their changes are in the order of their versions.
func TestCounter(t *testing.T) {
	a := &announced{}
	stores := several(t, 2, func(o *Options) { o.Announcer = a })
	c := storetest.PutClass(t, stores[0], "Count", "n Number")
	storetest.Insert(t, stores[0], c, `{"objectId":"c","n":0}`)
	const rounds = 25
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range rounds {
				err := storetest.Try(stores[i%2], func(tx storage.Tx) error {
					o, err := tx.Lock(ctx, c, "c")
					if err != nil {
						return err
					}
					n := o["n"].(float64) + 1
					tx.Emit(change.Change{Class: "Count", ObjectID: "c", Kind: change.Update, After: change.NewImage("Count", map[string]any{"n": n})})
					return tx.Update(ctx, c, "c", storage.Object{"n": n})
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if o := storetest.Get(t, stores[1], "Count", "c"); o["n"] != 8.0*rounds {
		t.Errorf("counted %v", o["n"])
	}
	if len(a.prepared) != 8*rounds || len(a.finished) != 8*rounds || slices.Contains(a.finished, false) {
		t.Errorf("%d changes announced, %d ended", len(a.prepared), len(a.finished))
	}
	slices.SortFunc(a.prepared, func(a, b change.Change) int { return int(a.Version) - int(b.Version) })
	for i, c := range a.prepared {
		if c.After.Fields["n"] != float64(i+1) || c.App != "app" {
			t.Fatalf("change %d by version: %+v", i, c)
		}
	}
}

func TestAnnounce(t *testing.T) {
	for _, hasty := range []bool{false, true} {
		t.Run(fmt.Sprint("hasty ", hasty), func(t *testing.T) { announces(t, hasty) })
	}
}

func announces(t *testing.T, hasty bool) {
	a := &announced{}
	inner := open(t, database(t), func(o *Options) { o.Announcer = a })
	var s storage.Store = inner
	if hasty {
		s = storetest.Hasty(s)
	}
	c := storetest.PutClass(t, s, "A", "n Number")
	insert := func(id string, err error) error {
		return storetest.Try(s, func(tx storage.Tx) error {
			tx.Emit(change.Change{Class: "A", ObjectID: id, Kind: change.Create})
			return errors.Join(tx.Insert(ctx, c, storage.Object{"objectId": id}), err)
		})
	}
	no := errors.New("no")
	if err := insert("1", no); !errors.Is(err, no) || len(a.prepared) != 0 {
		t.Errorf("a failed write: %v, announced %v", err, a.prepared)
	}
	a.fail = errors.New("the gateway is gone")
	if err := insert("2", nil); !errors.Is(err, a.fail) {
		t.Errorf("a write that isn't announced: %v", err)
	}
	a.fail = nil
	if err := insert("3", nil); err != nil {
		t.Error(err)
	}
	// A commit that fails: a constraint that is checked there.
	db := inner.primary.location.config.Database
	p := server(t)
	if err := p.SQL(db, `CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
		CREATE CONSTRAINT TRIGGER no AFTER INSERT ON "A" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION no()`); err != nil {
		t.Fatal(err)
	}
	if err := insert("4", nil); err == nil || !hasty && !strings.Contains(err.Error(), "cannot commit") {
		t.Errorf("a failing commit: %v", err)
	}
	want := "[true false]"
	if hasty {
		want = "[true false false]" // it was tried in company, then alone
	}
	if fmt.Sprint(a.finished) != want {
		t.Errorf("ended %v", a.finished)
	}
	if got := storetest.All(t, s, "A"); got != "3" {
		t.Errorf("kept %q", got)
	}
}

func TestWriteIDs(t *testing.T) {
	for _, hasty := range []bool{false, true} {
		t.Run(fmt.Sprint("hasty ", hasty), func(t *testing.T) { writeIDs(t, hasty) })
	}
}

func writeIDs(t *testing.T, hasty bool) {
	now := time.UnixMilli(1_700_000_000_000)
	stores := make([]storage.Store, 2)
	for i, s := range several(t, 2, func(o *Options) { o.Clock = func() time.Time { return now } }) {
		if stores[i] = s; hasty {
			stores[i] = storetest.Hasty(s)
		}
	}
	s, other := stores[0], stores[1]
	c := storetest.PutClass(t, s, "A")
	write := func(s storage.Store, id, object string, err error) (string, bool, error) {
		result, repeated, err := s.Write(ctx, id, func(tx storage.Tx) ([]byte, error) {
			return []byte("made " + object), errors.Join(tx.Insert(ctx, c, storage.Object{"objectId": object}), err)
		})
		return string(result), repeated, err
	}
	for i, step := range []struct {
		name   string
		s      storage.Store
		id     string
		err    error
		result string
		again  bool
	}{
		{"failed", s, "w1", errors.New("no"), "", false},
		{"first", s, "w1", nil, "made 1", false},
		{"repeated", s, "w1", nil, "made 1", true},
		{"repeated at another process", other, "w1", nil, "made 1", true},
		{"another id", other, "w2", nil, "made 4", false},
	} {
		result, again, err := write(step.s, step.id, fmt.Sprint(i), step.err)
		if result != step.result || again != step.again || (err == nil) != (step.err == nil) {
			t.Errorf("%s: %q, %v, %v", step.name, result, again, err)
		}
	}
	now = now.Add(time.Hour)
	if result, again, err := write(s, "w1", "5", nil); result != "made 5" || again || err != nil {
		t.Errorf("expired: %q, %v, %v", result, again, err)
	}
	if got := storetest.All(t, s, "A"); got != "1 4 5" {
		t.Errorf("kept %q", got)
	}
	// Two at once, at two processes.
	var wg sync.WaitGroup
	results, again := make([]string, 8), make([]bool, 8)
	for i := range results {
		wg.Go(func() {
			result, repeated, err := stores[i%2].Write(ctx, "w3", func(tx storage.Tx) ([]byte, error) {
				id := fmt.Sprint("p", i)
				time.Sleep(5 * time.Millisecond)
				return []byte(id), tx.Insert(ctx, c, storage.Object{"objectId": id})
			})
			if err != nil {
				t.Error(err)
			}
			results[i], again[i] = string(result), repeated
		})
	}
	wg.Wait()
	if got := storetest.All(t, s, "A"); got != "1 4 5 "+results[0] || len(slices.Compact(results)) != 1 {
		t.Errorf("kept %q, results %v", got, results)
	}
	if first := slices.Index(again, false); first < 0 || slices.Contains(again[first+1:], false) {
		t.Errorf("repeated %v", again)
	}
}

// TestNamesAtOnce: of two names that differ in case alone, asked for at the same time, one is taken.
func TestNamesAtOnce(t *testing.T) {
	stores := several(t, 2)
	var wg sync.WaitGroup
	for i, name := range []string{"Ann", "ANN", "ann", "aNN"} {
		wg.Go(func() {
			err := storetest.Try(stores[i%2], func(tx storage.Tx) error {
				sch, err := tx.Schema(ctx)
				if err != nil {
					return err
				}
				taken := false
				f := &storage.Find{Schema: sch, Class: sch.Class(schema.User), Where: &query.Compare{Path: "username", Value: name}, Limit: 1, CaseInsensitive: true}
				if err := tx.Find(ctx, f, func(storage.Row) error { taken = true; return nil }); err != nil || taken {
					return err
				}
				return tx.Insert(ctx, f.Class, storage.Object{"objectId": fmt.Sprint("u", i), "username": name})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := storetest.All(t, stores[0], schema.User); len(strings.Fields(got)) != 1 {
		t.Errorf("users %q", got)
	}
}
