package cache

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/parsescale/parsescale/server/change"
)

// The hit rate on a mix of reads and writes: 1,000 questions about 10,000 objects, chosen by Zipf's law with exponent 0.99,
// beside an ideal cache, which drops an answer only if it has become another one, and one that drops all answers about a
// class at every write to it.

const (
	rateObjects   = 10_000
	rateQuestions = 1_000
	rateRequests  = 5_000
	rateWarmUp    = 2_000
)

// zipf draws numbers below n by Zipf's law: the k-th is drawn in proportion to 1/k^0.99.
type zipf struct{ upTo []float64 }

func newZipf(n int) zipf {
	z := zipf{make([]float64, n)}
	sum := 0.0
	for k := range n {
		sum += math.Pow(float64(k+1), -0.99)
		z.upTo[k] = sum
	}
	return z
}

func (z zipf) draw(r *rand.Rand) int {
	i, _ := slices.BinarySearch(z.upTo, r.Float64()*z.upTo[len(z.upTo)-1])
	return i
}

// rated is an object: of a category, with a level and a score.
type rated struct {
	id, category, level int
	score               float64
}

func (o rated) name() string { return "o" + strconv.Itoa(o.id) }

func (o rated) image() *change.Image {
	return image(o.name(), fields{"category": float64(o.category), "level": float64(o.level), "score": o.score})
}

// ratedQuestion is one of what is asked: all of a category, the best of a level and up, how many are in a category and a level, or
// one object.
type ratedQuestion struct {
	key      Key
	reading  Reading
	finds    func(rated) bool
	limit    int
	counting bool
	found    []rated // all that it finds, the best first
}

func newQuestion(t testing.TB, n int, r *rand.Rand) *ratedQuestion {
	q := &ratedQuestion{key: key(fmt.Sprint("question ", n)), limit: 100}
	level, category := 80+r.IntN(20), r.IntN(400)
	parameters := ""
	switch n % 10 {
	case 0, 1, 2, 3:
		parameters = fmt.Sprintf(`where={"category":%d}&order=-score`, category)
		q.finds = func(o rated) bool { return o.category == category }
	case 4, 5, 6:
		q.limit = 20
		parameters = fmt.Sprintf(`where={"level":{"$gte":%d}}&order=-score&limit=20`, level)
		q.finds = func(o rated) bool { return o.level >= level }
	case 7:
		q.limit, q.counting = 0, true
		parameters = fmt.Sprintf(`where={"category":%d,"level":{"$lt":%d}}&limit=0&count=1`, category, level)
		q.finds = func(o rated) bool { return o.category == category && o.level < level }
	default:
		id := r.IntN(rateObjects)
		q.reading = get("A", rated{id: id}.name())
		q.finds = func(o rated) bool { return o.id == id }
		return q
	}
	q.reading = Reading{Class: "A", Query: windowQuery(t, parameters), Level: Exact}
	return q
}

// better sorts as the questions ask.
func better(a, b rated) int {
	switch {
	case a.score > b.score:
		return -1
	case a.score < b.score:
		return 1
	}
	return a.id - b.id
}

// note takes a write into account and reports whether the answer is another one now.
func (q *ratedQuestion) note(before, after rated) (altered bool) {
	was, is := q.finds(before), q.finds(after)
	if was {
		i, _ := slices.BinarySearchFunc(q.found, before, better)
		q.found = slices.Delete(q.found, i, i+1)
		altered = altered || i < q.limit
	}
	if is {
		i, _ := slices.BinarySearchFunc(q.found, after, better)
		q.found = slices.Insert(q.found, i, after)
		altered = altered || i < q.limit
	}
	return altered || q.counting && was != is
}

func (q *ratedQuestion) answer() []byte {
	if q.reading.ObjectID != "" {
		o := q.found[0]
		return fmt.Appendf(nil, `{"objectId":%q,"category":%d,"level":%d,"score":%v}`, o.name(), o.category, o.level, o.score)
	}
	b := []byte(`{"results":[`)
	for i, o := range q.found[:min(q.limit, len(q.found))] {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"objectId":%q,"category":%d,"level":%d,"score":%v}`, o.name(), o.category, o.level, o.score)
	}
	b = append(b, ']')
	if q.counting {
		b = fmt.Appendf(b, `,"count":%d`, len(q.found))
	}
	return append(b, '}')
}

// rates are hit rates in percent, and of the answers that were dropped, how many needn't have been.
type rates struct{ ours, ideal, byClass, needless float64 }

// hitRates runs requests of which a share are writes, and checks every hit.
func hitRates(t testing.TB, writes float64) rates {
	r := rand.New(rand.NewPCG(1, 99))
	objects := make([]rated, rateObjects)
	for i := range objects {
		objects[i] = rated{i, r.IntN(400), r.IntN(100), float64(r.IntN(1_000_000))}
	}
	questions := make([]*ratedQuestion, rateQuestions)
	for i := range questions {
		q := newQuestion(t, i, r)
		for _, o := range objects {
			if q.finds(o) {
				q.found = append(q.found, o)
			}
		}
		slices.SortFunc(q.found, better)
		questions[i] = q
	}
	var (
		c             = New(Options{MaxBytes: 1 << 30})
		ideal         = make([]bool, rateQuestions) // whether it has the answer
		byClass       = make([]bool, rateQuestions)
		which, object = newZipf(rateQuestions), newZipf(rateObjects)
		shuffled      = r.Perm(rateObjects) // the objects that are written most aren't the oldest
		reads         float64
		out           rates
		needless      int
		dropped       int
	)
	for n := range rateWarmUp + rateRequests {
		counted := n >= rateWarmUp
		if r.Float64() < writes {
			o := &objects[shuffled[object.draw(r)]]
			before := *o
			switch k := r.IntN(10); {
			case k < 7:
				o.score += float64(r.IntN(1000))
			case k < 9:
				o.level = r.IntN(100)
			default:
				o.category = r.IntN(400)
			}
			altered := make([]bool, rateQuestions)
			stored := make([]bool, rateQuestions)
			for i, q := range questions {
				altered[i] = q.note(before, *o)
				stored[i] = isStored(c, q.key)
				ideal[i] = ideal[i] && !altered[i]
			}
			clear(byClass)
			apply(c, change.Change{Class: "A", ObjectID: o.name(), Kind: change.Update, Before: before.image(), After: o.image()})
			for i, q := range questions {
				if stored[i] && !isStored(c, q.key) {
					dropped++
					if !altered[i] {
						needless++
					}
				}
			}
			continue
		}
		i := which.draw(r)
		q := questions[i]
		if counted {
			reads++
			out.ideal += one(ideal[i])
			out.byClass += one(byClass[i])
		}
		ideal[i], byClass[i] = true, true
		if e, ok := c.Get(q.key); ok {
			if counted {
				out.ours++
			}
			if n%16 == 0 && string(e.Body) != string(q.answer()) {
				t.Fatalf("question %d is answered from the cache with %.200s, and it is %.200s", i, e.Body, q.answer())
			}
			continue
		}
		f, _ := c.Begin(q.key, q.reading)
		body := q.answer()
		deps, ok := FromBody(q.reading.Query, body)
		if !ok || !f.Store(&Entry{Status: 200, Body: body}, deps) {
			t.Fatal("not stored")
		}
	}
	percent := 100 / reads
	return rates{out.ours * percent, out.ideal * percent, out.byClass * percent, 100 * float64(needless) / float64(max(dropped, 1))}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func TestHitRate(t *testing.T) {
	for _, c := range []struct {
		name   string
		writes float64
		behind float64 // the ideal, in points at most
	}{
		{"95 reads, 5 writes", 0.05, 5},
		{"50 reads, 50 writes", 0.5, 10},
	} {
		r := hitRates(t, c.writes)
		t.Logf("%s: %.1f %% hits; ideal %.1f %%, by class %.1f %%; %.1f %% of the drops were needless", c.name, r.ours, r.ideal, r.byClass, r.needless)
		if r.ours < r.ideal-c.behind || r.ours > r.ideal {
			t.Errorf("%s: %.1f %% hits, and the ideal is %.1f %%", c.name, r.ours, r.ideal)
		}
		if r.ours < r.byClass+10 {
			t.Errorf("%s: %.1f %% hits, and by class %.1f %%", c.name, r.ours, r.byClass)
		}
	}
}

// isStored looks without counting.
func isStored(c *Cache, k Key) bool {
	_, there := c.shard(k).lru.Peek(k)
	return there
}
