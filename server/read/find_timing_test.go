package read_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/users/apptest"
)

// shelf is an App with n objects of the class Book, and of one of them the id.
func shelf(t testing.TB, n int) (*apptest.App, string) {
	t.Helper()
	a := apptest.New(t, nil)
	id := ""
	for i := range n {
		got := a.Do("", "POST /classes/Book", fmt.Sprintf(`{"title":"Title %d","pages":%d,"tags":["a","b"],"next":{"__type":"Pointer","className":"Book","objectId":"x"}}`, i, i))
		if got.Status != 201 {
			t.Fatal(got)
		}
		id = got.Location[len("/classes/Book/"):]
	}
	return a, id
}

func ask(t testing.TB, params string) *query.Query {
	t.Helper()
	p := query.Params{}
	for _, kv := range strings.Split(params, "&") {
		k, v, _ := strings.Cut(kv, "=")
		p[k] = query.Param{Text: v}
	}
	q, err := query.ParseParams("Book", p, query.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// TestRowsCostFewAllocations bounds what a further result of a find costs beyond the driver's own values.
func TestRowsCostFewAllocations(t *testing.T) {
	a, _ := shelf(t, 100)
	cost := func(limit int) float64 {
		q := ask(t, fmt.Sprintf("limit=%d&order=pages", limit))
		return testing.AllocsPerRun(20, func() {
			if _, err := a.Reads.Find(t.Context(), apptest.Caller(""), q); err != nil {
				t.Fatal(err)
			}
		})
	}
	few, many := cost(10), cost(100)
	if perRow := (many - few) / 90; perRow > 16 {
		t.Errorf("a row costs %.1f allocations", perRow)
	}
	if few > 400 {
		t.Errorf("a find of ten costs %.0f allocations", few)
	}
}

// TestSentFindsCostLittle: the memory of answers that were sent is used again.
func TestSentFindsCostLittle(t *testing.T) {
	a, _ := shelf(t, 100)
	q := ask(t, "limit=100&order=pages")
	find := func(sent bool) (size int) {
		res, err := a.Reads.Find(t.Context(), apptest.Caller(""), q)
		if err != nil {
			t.Fatal(err)
		}
		size = len(res.Body)
		if sent {
			res.Release()
		}
		return size
	}
	cost := func(sent bool) int {
		const times = 50
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range times {
			find(sent)
		}
		runtime.ReadMemStats(&after)
		return int(after.TotalAlloc-before.TotalAlloc) / times //nolint:gosec // a few megabytes
	}
	size := find(true)
	kept, sent := cost(false), cost(true)
	if kept-sent < size {
		t.Errorf("an answer of %d bytes costs %d if it is kept, and %d if it was sent", size, kept, sent)
	}
}

func BenchmarkFind(b *testing.B) {
	a, _ := shelf(b, 200)
	for _, params := range []string{"limit=100", "limit=10&where={\"pages\":{\"$gt\":100}}", "limit=100&include=next"} {
		q := ask(b, params)
		b.Run(params, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Reads.Find(b.Context(), apptest.Caller(""), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkShared tells what it costs to find out whether an answer is everyone's, where it is and where it isn't.
func BenchmarkShared(b *testing.B) {
	for _, shared := range []bool{false, true} {
		for _, private := range []string{"none", "first", "last"} {
			a := apptest.New(b, func(o *apptest.Options) { o.Read.Shared = shared })
			for i := range 100 {
				acl := ""
				if private == "first" && i == 0 || private == "last" && i == 99 {
					acl = `,"ACL":{}`
				}
				a.Do("", "POST /classes/Book", fmt.Sprintf(`{"pages":%d%s}`, i, acl))
			}
			for _, params := range []string{"order=pages", "limit=0&count=1"} {
				q := ask(b, params)
				b.Run(fmt.Sprintf("%s/private=%s/shared=%v", params, private, shared), func(b *testing.B) {
					for b.Loop() {
						if _, err := a.Reads.Find(b.Context(), apptest.Caller(""), q); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

func BenchmarkGet(b *testing.B) {
	a, id := shelf(b, 200)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Reads.Get(b.Context(), apptest.Caller(""), "Book", id, nil); err != nil {
			b.Fatal(err)
		}
	}
}
