package postgres

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/storetest"
)

// lookUp gets an object by its id in the way a request does. each is called with what was found.
func lookUp(t testing.TB, s storage.Store, class, id string, each func(storage.Row) error) (rows int, err error) {
	err = s.Read(ctx, func(sn storage.Snapshot) error {
		rows = 0
		sch, err := sn.Schema(ctx)
		if err != nil {
			return err
		}
		return sn.Find(ctx, &storage.Find{Schema: sch, Class: sch.Classes[class], Where: storetest.Where(t, fmt.Sprintf(`{"objectId":%q}`, id)), Limit: 1, Last: true}, func(r storage.Row) error {
			rows++
			return each(r)
		})
	})
	return rows, err
}

// create inserts an object in the way a request does: the last change, and the only one.
func create(s storage.Store, writeID string, c *schema.Class, o storage.Object) (result string, repeated bool, err error) {
	b, repeated, err := s.Write(ctx, writeID, func(tx storage.Tx) ([]byte, error) {
		tx.Last()
		id := o["objectId"].(string)
		tx.Emit(change.Change{Class: c.Name, ObjectID: id, Kind: change.Create})
		return []byte("made " + id), tx.Insert(ctx, c, o)
	})
	return string(b), repeated, err
}

// TestTogether: many lookups and creates at once, while other processes change the schema: each is answered for itself, each
// create happens once and is announced once as committed, and has a number of its own.
func TestTogether(t *testing.T) {
	a := &announced{}
	stores := several(t, 2)
	s := open(t, stores[0].options.URI, func(o *Options) { o.Announcer = a })
	c := storetest.PutClass(t, s, "A", "n Number")
	const clients, each = 48, 12
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for j := range each {
				id := fmt.Sprintf("o%dx%d", i, j)
				result, repeated, err := create(s, "w"+id, c, storage.Object{"objectId": id, "n": float64(j)})
				if err != nil || repeated || result != "made "+id {
					t.Errorf("%s: %q, %v, %v", id, result, repeated, err)
					return
				}
				found, err := lookUp(t, s, "A", id, func(r storage.Row) error {
					o, err := r.Object()
					if o["objectId"] != id || o["n"] != float64(j) {
						t.Errorf("%s: got %v", id, o)
					}
					return err
				})
				if err != nil || found != 1 {
					t.Errorf("%s: found %d, %v", id, found, err)
				}
				if j == each/2 && i%16 == 0 {
					storetest.PutClass(t, stores[1], fmt.Sprint("B", i), "n Number")
				}
			}
		})
	}
	wg.Wait()
	if got := len(strings.Fields(storetest.All(t, s, "A"))); got != clients*each {
		t.Errorf("%d objects", got)
	}
	committed := 0
	for _, ok := range a.finished {
		if ok {
			committed++
		}
	}
	if committed != clients*each || len(a.finished) != len(a.prepared) {
		t.Errorf("announced %d, ended %d, committed %d", len(a.prepared), len(a.finished), committed)
	}
	numbers := map[uint64]bool{}
	for _, ch := range a.prepared {
		if ch.Version == 0 || numbers[ch.Version] {
			t.Fatalf("the number %d of %s isn't its own", ch.Version, ch.ObjectID)
		}
		numbers[ch.Version] = true
	}
}

// TestTogetherOneFails: what is wrong with one create, or with what is done with one answer, is no other's trouble.
func TestTogetherOneFails(t *testing.T) {
	s := open(t, database(t))
	c := storetest.PutClass(t, s, "A", "n Number")
	storetest.Insert(t, s, c, `{"objectId":"taken","n":1}`)
	no := errors.New("no")
	const clients = 64
	var wg sync.WaitGroup
	var panics atomic.Int64
	begin := make(chan struct{})
	for i := range clients {
		wg.Go(func() {
			<-begin
			id := fmt.Sprint("o", i)
			if i%8 == 0 {
				id = "taken"
			}
			_, _, err := create(s, "", c, storage.Object{"objectId": id, "n": float64(i)})
			var duplicate *storage.Duplicate
			if id == "taken" && (!errors.As(err, &duplicate) || duplicate.Field != "objectId") || id != "taken" && err != nil {
				t.Errorf("%s: %v", id, err)
			}
		})
		wg.Go(func() {
			<-begin
			defer func() {
				if recover() != nil {
					panics.Add(1)
				}
			}()
			rows, err := lookUp(t, s, "A", "taken", func(storage.Row) error {
				switch i % 8 {
				case 1:
					return no
				case 2:
					panic("no")
				}
				return nil
			})
			if i%8 == 1 && !errors.Is(err, no) || i%8 != 1 && err != nil || rows != 1 {
				t.Errorf("lookup %d: %d rows, %v", i, rows, err)
			}
		})
	}
	close(begin)
	wg.Wait()
	if panics.Load() != clients/8 {
		t.Errorf("%d panics", panics.Load())
	}
	if got := len(strings.Fields(storetest.All(t, s, "A"))); got != 1+clients-clients/8 {
		t.Errorf("%d objects", got)
	}
}

// TestTogetherRepeated: a write that is sent again, in whatever company, is answered with what it answered before.
func TestTogetherRepeated(t *testing.T) {
	s := open(t, database(t))
	c := storetest.PutClass(t, s, "A", "n Number")
	const writes = 40
	var wg sync.WaitGroup
	var done, repeats [writes]atomic.Int64
	for range 3 {
		for i := range writes {
			wg.Go(func() {
				result, repeated, err := create(s, fmt.Sprint("w", i), c, storage.Object{"objectId": fmt.Sprint(i), "n": 1.0})
				if err != nil || result != fmt.Sprint("made ", i) {
					t.Errorf("%d: %q, %v", i, result, err)
				}
				if repeated {
					repeats[i].Add(1)
				} else {
					done[i].Add(1)
				}
			})
		}
	}
	wg.Wait()
	for i := range writes {
		if done[i].Load() != 1 || repeats[i].Load() != 2 {
			t.Errorf("%d was done %d times, repeated %d times", i, done[i].Load(), repeats[i].Load())
		}
	}
}

// TestTogetherLost: sessions end under companies of creates, again and again. With ids no create is lost or done twice, and no
// lookup fails more than the database does.
func TestTogetherLost(t *testing.T) {
	s := open(t, database(t), func(o *Options) { o.Announcer = &announced{} })
	c := storetest.PutClass(t, s, "A", "n Number")
	p, name := server(t), s.primary.location.config.Database
	var (
		wg, killing sync.WaitGroup
		stop        = make(chan struct{})
		made        sync.Map
		failed      atomic.Int64
	)
	killing.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := p.SQL(name, fmt.Sprintf(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'
				AND pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY random() LIMIT %d`, name, 1+rand.N(3))); err != nil {
				t.Error(err)
				return
			}
		}
	})
	const clients, each = 32, 25
	for i := range clients {
		wg.Go(func() {
			for j := range each {
				id := fmt.Sprintf("o%dx%d", i, j)
				if _, _, err := create(s, "w"+id, c, storage.Object{"objectId": id, "n": 1.0}); err != nil {
					if !errors.Is(err, storage.ErrUnavailable) {
						t.Errorf("%s: %v", id, err)
					}
					failed.Add(1)
					continue
				}
				made.Store(id, true)
			}
		})
	}
	wg.Wait()
	close(stop)
	killing.Wait()
	kept := map[string]int{}
	for _, id := range strings.Fields(storetest.All(t, s, "A")) {
		kept[id]++
	}
	made.Range(func(id, _ any) bool {
		if kept[id.(string)] != 1 {
			t.Errorf("%s was acknowledged, and is there %d times", id, kept[id.(string)])
		}
		return true
	})
	if n := int(failed.Load()); n > clients*each/2 {
		t.Errorf("%d of %d failed", n, clients*each)
	}
}
