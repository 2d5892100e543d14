package cache

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/testservices"
	"github.com/parsescale/parsescale/server/users/apptest"
)

func TestMain(m *testing.M) { testservices.Main(m) }

// sqlCases is how many cases TestAgainstSQL looks at: an answer before and after a change. Under `make long` it is as many as
// -rapid.checks says.
const sqlCases = 20_000

// sqlSample is as many on PostgreSQL, where each takes its time.
const sqlSample = 1000

// sqlWorld is a worker's read and write path on a database, with two classes that hold what can be asked for.
type sqlWorld struct {
	app        *apptest.App
	as, bs     []string // ids of objects that were made, some of them gone by now
	cases      int
	dropped    int
	needless   int
	kept       int
	indexed    sqlTally
	byOperator map[string]*[2]int // dropped and needless
	refilled   Drop               // what the cache has to have found out of that by itself
	taken      int                // answers that the other cache took
}

// stored is an answer that is in the cache.
type storedAnswer struct {
	key       Key
	who       string // master, or public
	path      string
	operators string
	body      string
	in        bool
	lost      *string // the body that a change dropped, until it is stored again

	reading Reading
	deps    Dependencies
	since   uint64 // what the other cache had finished when it was asked
}

// TestAgainstSQL asks at random, writes at random, and asks again as SQL after every write: an answer that the cache still
// has is the one that the database gives now. What is dropped although the answer is the same is counted.
func TestAgainstSQL(t *testing.T) {
	w := &sqlWorld{app: apptest.New(t, func(o *apptest.Options) { o.Write.AllowCustomObjectID = true }), byOperator: map[string]*[2]int{}}
	w.write(t, "POST /classes/B", `{"n":1,"s":"x","t":"x"}`)
	w.write(t, "POST /classes/A", fmt.Sprintf(`{"n":1,"m":1,"s":"x","list":["x"],"at":{"__type":"GeoPoint","latitude":1,"longitude":1},"p":%s,`+
		`"d":{"__type":"Date","iso":"2020-01-01T00:00:00.000Z"},"r":{"__op":"AddRelation","objects":[%s]},"o":{"k":1}}`, pointerTo(w.bs[0]), pointerTo(w.bs[0])))
	w.app.Changes.Take()
	wanted := sqlCases
	if os.Getenv(testservices.DatabaseVariable) == "postgres" {
		wanted = sqlSample
	} else if testing.Short() || racing { // `make test` runs it without the race detector, too
		wanted /= 20
	}
	for round := 0; w.cases < wanted; round++ {
		if !t.Run(fmt.Sprint(round), func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				if w.cases < wanted || w.cases < longChecks() {
					w.history(r)
				}
			})
		}) {
			return
		}
	}
	t.Logf("%d cases: %d answers kept, %d dropped, %.1f %% of those needlessly; %d taken by another cache", w.cases, w.kept, w.dropped, share(w.needless, w.dropped), w.taken)
	for _, name := range slices.Sorted(maps.Keys(w.byOperator)) {
		n := w.byOperator[name]
		t.Logf("%-12s %6d dropped, %5.1f %% needlessly", name, n[0], share(n[1], n[0]))
	}
	if w.kept < w.cases/4 || w.dropped < w.cases/100 {
		t.Errorf("of %d cases %d were kept and %d dropped: that proves little", w.cases, w.kept, w.dropped)
	}
	needless := share(w.indexed.needless, w.indexed.cases)
	t.Logf("where the index decides: %d cases, %d dropped, %.2f %% of the cases needlessly", w.indexed.cases, w.indexed.dropped, needless)
	if needless > 5 {
		t.Errorf("where the index decides, %.1f %% of the answers were dropped needlessly by a change, want less than 5 %%", needless)
	}
}

// unindexed are the operators of which an object and a where don't decide: relations, other classes, and what is the
// opposite of a value.
var unindexed = []string{"$inQuery", "$select", "$relatedTo", "related", "$nin", "$exists"}

func (a *storedAnswer) isIndexed() bool {
	return !slices.ContainsFunc(strings.Fields(a.operators), func(op string) bool { return slices.Contains(unindexed, op) })
}

// sqlTally counts answers and changes.
type sqlTally struct{ cases, dropped, needless int }

func (n *sqlTally) add(dropped, needless bool) {
	n.cases++
	if dropped {
		n.dropped++
	}
	if needless {
		n.needless++
	}
}

func share(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }

// history asks a few questions, and then writes and compares.
func (w *sqlWorld) history(r *rapid.T) {
	c := New(Options{Recent: 64})
	answers := make([]*storedAnswer, 10)
	for i := range answers {
		path, operators := w.drawQuestion(r)
		answers[i] = &storedAnswer{key: key(fmt.Sprint("question ", i)), who: pick(r, "master", "public"), path: path, operators: operators}
	}
	told := w.refilled
	other := New(Options{Recent: 64}) // has none of the answers, and is told of all changes
	other.SetTaking(true)
	for range 10 {
		for _, a := range answers {
			if !a.in {
				a.since = other.Finished()
				w.ask(r, c, a)
			}
		}
		request, body := w.drawWrite(r)
		w.write(r, request, body)
		changes := w.app.Changes.Take()
		apply(c, changes...)
		apply(other, changes...)
		for _, a := range answers {
			if !a.in {
				continue
			}
			w.cases++
			now := w.app.Do(a.who, "GET "+a.path, "").Body
			e, kept := c.Get(a.key)
			switch {
			case kept && now != string(e.Body):
				r.Fatalf("%s\nis kept as %s\nand is      %s\nafter %s %s", a.path, e.Body, now, request, body)
			}
			if a.isIndexed() {
				w.indexed.add(!kept, !kept && now == a.body)
			}
			if w.take(other, a) != kept {
				r.Fatalf("%s\nis kept: %v; another cache that is told of the same has it or takes it: %v\nafter %s %s", a.path, kept, !kept, request, body)
			}
			if kept {
				w.kept++
				continue
			}
			was := a.body
			a.in, a.lost = false, &was
			w.dropped++
			w.refilled.Dropped++
			needless := now == a.body
			if needless {
				w.needless++
			}
			for op := range strings.FieldsSeq(a.operators) {
				if w.byOperator[op] == nil {
					w.byOperator[op] = new([2]int)
				}
				w.byOperator[op][0]++
				if needless {
					w.byOperator[op][1]++
				}
			}
		}
	}
	want := Drop{w.refilled.Dropped - told.Dropped, w.refilled.Needed - told.Needed, w.refilled.Needless - told.Needless}
	if got := allDrops(c); got != want {
		r.Errorf("the cache counts %+v, want %+v", got, want)
	}
}

// allDrops adds up what a cache counts for all reasons.
func allDrops(c *Cache) (sum Drop) {
	drops := c.Stats().Drops
	drops.Each(func(_ string, n Drop) {
		sum.Dropped, sum.Needed, sum.Needless = sum.Dropped+n.Dropped, sum.Needed+n.Needed, sum.Needless+n.Needless
	})
	return sum
}

// take reports whether a cache has an answer, or takes it.
func (w *sqlWorld) take(c *Cache, a *storedAnswer) bool {
	if _, ok := c.Get(a.key); ok {
		return true
	}
	f, _ := c.Begin(a.key, a.reading)
	defer f.Abandon()
	if !f.Take(a.key, &Entry{Status: 200, Body: []byte(a.body)}, a.deps, a.since, a.since) {
		return false
	}
	w.taken++
	return true
}

// ask stores an answer, unless it can't be.
func (w *sqlWorld) ask(r *rapid.T, c *Cache, a *storedAnswer) {
	class, parameters, _ := strings.Cut(strings.TrimPrefix(a.path, "/classes/"), "?")
	p := query.Params{}
	for part := range strings.SplitSeq(parameters, "&") {
		if name, value, ok := strings.Cut(part, "="); ok {
			p[name] = query.Param{Text: value}
		}
	}
	class, id, _ := strings.Cut(class, "/")
	reading := Reading{Class: class, ObjectID: id, Level: Exact}
	var err error
	if id == "" {
		reading.Query, err = query.ParseParams(class, p, query.Limits{})
	} else {
		reading.Query, err = query.ParseGetParams(class, p, query.Limits{})
	}
	if err != nil {
		r.Fatalf("%s: %v", a.path, err)
	}
	f, _ := c.Begin(a.key, reading)
	defer f.Abandon()
	res := w.app.Do(a.who, "GET "+a.path, "")
	if res.Status != 200 && res.Status != 404 {
		r.Fatalf("%s: %d %s", a.path, res.Status, res.Body)
	}
	deps, ok := FromBody(reading.Query, []byte(res.Body))
	reads, readable := ParseReads(res.Reads)
	if !ok || !readable {
		r.Fatalf("%s: cannot read %s, %s", a.path, res.Body, res.Reads)
	}
	deps.Add(reads)
	a.body, a.reading, a.deps = res.Body, reading, deps
	a.in = !reads.NoStore && f.Store(&Entry{Status: res.Status, Body: []byte(res.Body)}, deps)
	switch {
	case !a.in || a.lost == nil:
		return
	case *a.lost == a.body:
		w.refilled.Needless++
	default:
		w.refilled.Needed++
	}
	a.lost = nil
}

// write does a write and remembers what it made.
func (w *sqlWorld) write(t rapid.TB, request, body string) {
	res := w.app.Do("master", request, body)
	if res.Status/100 != 2 && res.Status != 404 && !strings.Contains(res.Body, `"code":137`) { // an id that is taken
		t.Fatalf("%s %s: %d %s", request, body, res.Status, res.Body)
	}
	if class, made := strings.CutPrefix(request, "POST /classes/"); made && res.Status == 201 {
		_, rest, _ := strings.Cut(res.Body, `"objectId":"`)
		id, _, _ := strings.Cut(rest, `"`)
		if slices.Contains(w.as, id) {
			return // it is there again
		}
		if class == "A" {
			w.as = append(w.as, id)
		} else {
			w.bs = append(w.bs, id)
		}
	}
}

func pointerTo(b string) string {
	return fmt.Sprintf(`{"__type":"Pointer","className":"B","objectId":%q}`, b)
}
