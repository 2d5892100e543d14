package cache

import (
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/users/apptest"
)

// TestHiddenIDs asks for objects whose ids are hidden from who asks: their changes are seen all the same.
func TestHiddenIDs(t *testing.T) {
	app := apptest.New(t, func(o *apptest.Options) {
		o.Read.ProtectedFields = map[string]map[string][]string{"A": {"*": {"objectId"}}, "B": {"*": {"objectId"}}}
	})
	id := func(a apptest.Answer) string {
		_, rest, _ := strings.Cut(a.Body, `"objectId":"`)
		id, _, _ := strings.Cut(rest, `"`)
		return id
	}
	b := id(app.Do("master", "POST /classes/B", `{"title":"old"}`))
	a := id(app.Do("master", "POST /classes/A", `{"n":1,"title":"old","p":`+pointerTo(b)+`}`))
	app.Changes.Take()
	for _, tt := range []struct{ query, write string }{
		{`where={"n":1}`, "PUT /classes/A/" + a},
		{`where={"n":1}&include=p`, "PUT /classes/B/" + b},
		{`where={"n":1}&keys=n`, "PUT /classes/A/" + a},
	} {
		c := New(Options{})
		p := query.Params{}
		for part := range strings.SplitSeq(tt.query, "&") {
			name, value, _ := strings.Cut(part, "=")
			p[name] = query.Param{Text: value}
		}
		q, err := query.ParseParams("A", p, query.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		f, _ := c.Begin(key("q"), Reading{Class: "A", Query: q, Level: Exact})
		res := app.Do("", "GET /classes/A?"+tt.query, "")
		deps, ok := FromBody(q, []byte(res.Body))
		reads, readable := ParseReads(res.Reads)
		deps.Add(reads)
		if !ok || !readable || strings.Contains(res.Body, a) || !f.Store(&Entry{Body: []byte(res.Body)}, deps) {
			t.Fatalf("%s: cannot store %s, %s", tt.query, res.Body, res.Reads)
		}
		app.Do("master", tt.write, `{"title":"new"}`)
		apply(c, app.Changes.Take()...)
		if now := app.Do("", "GET /classes/A?"+tt.query, "").Body; hasBody(c, "q", res.Body) && now != res.Body {
			t.Errorf("%s: kept %s, and is %s", tt.query, res.Body, now)
		}
	}
}

// hasBody reports whether the cache has this answer.
func hasBody(c *Cache, name, body string) bool {
	e, ok := c.Get(key(name))
	return ok && string(e.Body) == body
}

// BenchmarkChangeOfAWideObject prepares a change that concerns nobody of an object with many fields.
func BenchmarkChangeOfAWideObject(b *testing.B) {
	before, after := fields{}, fields{}
	for i := range 50 {
		name := "f" + string(rune('A'+i))
		before[name], after[name] = map[string]any{"k": 1.0, "l": "text"}, map[string]any{"k": 1.0, "l": "text"}
	}
	c := New(Options{})
	ch := update("A", "x", before, after)
	b.ReportAllocs()
	for b.Loop() {
		apply(c, ch)
	}
}
