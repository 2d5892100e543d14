package query

import (
	"fmt"
	"testing"
)

const timedWhere = `{"owner":{"__type":"Pointer","className":"_User","objectId":"abcdefghij"},"score":{"$gte":10,"$lt":20},` +
	`"$or":[{"state":"open"},{"state":{"$in":["new","old"]}}],"name":{"$regex":"^\\QJo\\E"}}`

func timedDocument() Fields {
	return Fields{
		"objectId": "0123456789", "owner": Pointer{"_User", "abcdefghij"}, "score": 12.0, "state": "new", "name": "John",
		"tags": []any{"a", "b", "c"}, "_rperm": []any{"*"},
	}
}

func BenchmarkDecode(b *testing.B) {
	data := []byte(timedWhere)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	v, err := Decode([]byte(timedWhere))
	if err != nil {
		b.Fatal(err)
	}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendJSON(dst[:0], v)
	}
}

func BenchmarkParseParams(b *testing.B) {
	p := Params{"where": {Text: timedWhere}, "limit": {Text: "20"}, "order": {Text: "-createdAt"}, "include": {Text: "owner"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseParams("Task", p, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendCanonical(b *testing.B) {
	q, err := ParseParams("Task", Params{"where": {Text: timedWhere}}, Limits{})
	if err != nil {
		b.Fatal(err)
	}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = q.AppendCanonical(dst[:0])
	}
}

func BenchmarkMatch(b *testing.B) {
	e, err := ParseWhere([]byte(timedWhere), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	var d Document = timedDocument()
	b.ReportAllocs()
	for b.Loop() {
		if Match(e, d) != Yes {
			b.Fatal("no match")
		}
	}
}

// timedIndex holds n wheres that ask for equality, none of which timedDocument satisfies but the last.
func timedIndex(tb testing.TB, n int) *Index[int] {
	var x Index[int]
	for i := range n {
		where := fmt.Sprintf(`{"owner":{"__type":"Pointer","className":"_User","objectId":"user%d"},"state":"new"}`, i)
		switch {
		case i == n-1:
			where = timedWhere
		case i%3 == 1:
			where = fmt.Sprintf(`{"$or":[{"state":"s%d"},{"tags":"t%d"}],"score":{"$gt":1}}`, i, i)
		case i%3 == 2:
			where = fmt.Sprintf(`{"objectId":{"$in":["o%d","p%d"]}}`, i, i)
		}
		e, err := ParseWhere([]byte(where), Limits{})
		if err != nil {
			tb.Fatal(err)
		}
		x.Add(e, i)
	}
	return &x
}

// The cost of a change doesn't grow with the number of wheres: compare the lines.
func BenchmarkIndexEach(b *testing.B) { benchmarkEach(b, timedIndex) }

func benchmarkEach(b *testing.B, index func(tb testing.TB, n int) *Index[int]) {
	for _, n := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			x := index(b, n)
			var d Document = timedDocument()
			found := 0
			b.ReportAllocs()
			for b.Loop() {
				x.Each(d, func(int) { found++ })
			}
			if found != b.N {
				b.Fatalf("found %d in %d rounds", found, b.N)
			}
		})
	}
}

// timedRanges holds n wheres that ask for orders, prefixes and places, of which timedDocument satisfies the last.
func timedRanges(tb testing.TB, n int) *Index[int] {
	var x Index[int]
	for i := range n {
		at := float64(i - n/2)
		where := fmt.Sprintf(`{"score":{"$gt":%g,"$lt":%g},"state":{"$ne":"old"}}`, at, at+1)
		switch {
		case i == n-1:
			where = `{"score":{"$gt":11.5,"$lt":12.5}}`
		case i%3 == 1:
			where = fmt.Sprintf(`{"state":{"$regex":"^\\Qs%d \\E"},"score":{"$gt":1}}`, i)
		case i%3 == 2:
			where = fmt.Sprintf(`{"createdAt":{"$gt":{"__type":"Date","iso":"2030-01-01T00:00:00.%03dZ"},"$lt":{"__type":"Date","iso":"2030-01-02T00:00:%02d.000Z"}}}`, i%1000, i/1000%60)
		}
		e, err := ParseWhere([]byte(where), Limits{})
		if err != nil {
			tb.Fatal(err)
		}
		x.Add(e, i)
	}
	return &x
}

func BenchmarkIndexRanges(b *testing.B) { benchmarkEach(b, timedRanges) }

func BenchmarkIndexAddRemove(b *testing.B) {
	x := timedIndex(b, 10_000)
	e, err := ParseWhere([]byte(timedWhere), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		x.Add(e, -1)
		x.Remove(e, -1)
	}
}

// What runs for every change and every request must not allocate.
func TestAllocations(t *testing.T) {
	e, err := ParseWhere([]byte(timedWhere), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var d Document = timedDocument()
	x := timedIndex(t, 1000)
	v, err := Decode([]byte(timedWhere))
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, 0, 4096)
	found := 0
	count := func(int) { found++ }
	for name, f := range map[string]func(){
		"Match":      func() { Match(e, d) },
		"Index.Each": func() { x.Each(d, count) },
		"AppendJSON": func() { dst = AppendJSON(dst[:0], v) },
	} {
		if n := testing.AllocsPerRun(100, f); n > 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// The index looks at no more wheres when it holds a hundred times as many.
func TestIndexCandidates(t *testing.T) {
	for _, n := range []int{100, 10_000} {
		x := timedIndex(t, n)
		x.Each(timedDocument(), func(int) {})
		looked := 0
		for _, list := range x.entries {
			for _, entry := range list {
				if entry.seen == x.epoch {
					looked++
				}
			}
		}
		if looked != 1 {
			t.Errorf("of %d wheres %d were looked at", n, looked)
		}
	}
}
