package cache

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
)

// windowQuery is a find of a class A with the parameters of the REST API.
func windowQuery(t rapid.TB, parameters string) *query.Query {
	t.Helper()
	p := query.Params{}
	for part := range strings.SplitSeq(parameters, "&") {
		name, value, _ := strings.Cut(part, "=")
		p[name] = query.Param{Text: value}
	}
	q, err := query.ParseParams("A", p, query.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", parameters, err)
	}
	return q
}

func TestWindows(t *testing.T) {
	const shown = `{"results":[{"objectId":"a","n":1,"createdAt":"2020-01-01T00:00:00.000Z"},{"objectId":"b","n":5,"m":1,"createdAt":"2020-01-05T00:00:00.000Z"}]}`
	at := func(day int) query.Date {
		d, _ := query.ParseDate(fmt.Sprintf("2020-01-%02dT00:00:00.000Z", day))
		return d
	}
	for _, c := range []struct {
		name, query, body string
		change            change.Change
		kept              bool
	}{
		{"comes after", "order=n&limit=2", shown, create("A", "x", fields{"n": 6.0}), true},
		{"comes before", "order=n&limit=2", shown, create("A", "x", fields{"n": 4.0}), false},
		{"may come before", "order=n&limit=2", shown, create("A", "x", fields{"n": 5.0}), false},
		{"the second key decides", "order=n,m&limit=2", shown, create("A", "x", fields{"n": 5.0, "m": 2.0}), true},
		{"the second key decides otherwise", "order=n,m&limit=2", shown, create("A", "x", fields{"n": 5.0, "m": 0.0}), false},
		{"the second key isn't shown", "order=n,o&limit=2", shown, create("A", "x", fields{"n": 5.0, "o": 2.0}), false},
		{"the first key is enough", "order=n,o&limit=2", shown, create("A", "x", fields{"n": 6.0, "o": 2.0}), true},
		{"downwards, after", "order=-n&limit=2", `{"results":[{"objectId":"b","n":5},{"objectId":"a","n":1}]}`, create("A", "x", fields{"n": 0.0}), true},
		{"downwards, before", "order=-n&limit=2", `{"results":[{"objectId":"b","n":5},{"objectId":"a","n":1}]}`, create("A", "x", fields{"n": 2.0}), false},
		{"without a value", "order=n&limit=2", shown, create("A", "x", fields{}), false},
		{"another type", "order=n&limit=2", shown, create("A", "x", fields{"n": "6"}), false},
		{"the last one has no value", "order=m&limit=2", `{"results":[{"objectId":"b","m":5},{"objectId":"a"}]}`, create("A", "x", fields{"m": 9.0}), false},
		{"a text", "order=s&limit=1", `{"results":[{"objectId":"b","s":"b"}]}`, create("A", "x", fields{"s": "c"}), false},
		{"a time", "order=createdAt&limit=2", shown, create("A", "x", fields{"createdAt": at(6)}), true},
		{"an earlier time", "order=createdAt&limit=2", shown, create("A", "x", fields{"createdAt": at(4)}), false},
		{"room for more", "order=n&limit=3", shown, create("A", "x", fields{"n": 6.0}), false},
		{"the server's limit", "order=n", shown, create("A", "x", fields{"n": 6.0}), false},
		{"no order", "limit=2", shown, create("A", "x", fields{"n": 6.0}), false},
		{"by distance", `order=n&limit=2&where={"at":{"$nearSphere":{"__type":"GeoPoint","latitude":1,"longitude":1}}}`, shown, create("A", "x", fields{"n": 6.0, "at": query.GeoPoint{Latitude: 1, Longitude: 1}}), false},
		{"deleted after", "order=n&limit=2", shown, remove("A", "x", fields{"n": 6.0}), true},
		{"deleted before, skipped", "order=n&limit=2&skip=1", shown, remove("A", "x", fields{"n": 0.0}), false},
		{"shown", "order=n&limit=2", shown, update("A", "b", fields{"n": 5.0}, fields{"n": 7.0}), false},
		{"moves after the end", "order=n&limit=2", shown, update("A", "x", fields{"n": 6.0}, fields{"n": 7.0}), true},
		{"moves into it", "order=n&limit=2", shown, update("A", "x", fields{"n": 6.0}, fields{"n": 3.0}), false},
		{"counted", "order=n&limit=2&count=1", shown, create("A", "x", fields{"n": 6.0}), false},
		{"counted before and after", "order=n&limit=2&count=1", shown, update("A", "x", fields{"n": 6.0}, fields{"n": 7.0}), true},
		{"counted, and of another user", "order=n&limit=2&count=1", shown, update("A", "x", fields{"n": 6.0, "owner": query.Pointer{ClassName: "_User", ObjectID: "u"}}, fields{"n": 6.0, "owner": query.Pointer{ClassName: "_User", ObjectID: "v"}}), false},
		{"counted, and of a user", "order=n&limit=2&count=1", shown, update("A", "x", fields{"n": 6.0}, fields{"n": 6.0, "owner": query.Pointer{ClassName: "_User", ObjectID: "v"}}), false},
		{"counted, and of a user no more", "order=n&limit=2&count=1", shown, update("A", "x", fields{"n": 6.0, "owners": []any{query.Pointer{ClassName: "_User", ObjectID: "v"}}}, fields{"n": 6.0, "owners": []any{}}), false},
		{"counted, and of the same user", "order=n&limit=2&count=1", shown, update("A", "x", fields{"n": 6.0, "owner": query.Pointer{ClassName: "_User", ObjectID: "v"}}, fields{"n": 7.0, "owner": query.Pointer{ClassName: "_User", ObjectID: "v"}}), true},
		{"counted, and no more for everyone", "order=n&limit=2&count=1", shown, update("A", "x", fields{"n": 6.0}, fields{"n": 6.0, "_rperm": []any{"u"}}), false},
		{"a count", `limit=0&count=1&where={"n":{"$gt":0}}`, `{"results":[],"count":2}`, update("A", "x", fields{"n": 6.0}, fields{"n": 7.0}), true},
		{"a count of one more", `limit=0&count=1&where={"n":{"$gt":0}}`, `{"results":[],"count":2}`, update("A", "x", fields{"n": 0.0}, fields{"n": 7.0}), false},
		{"nothing asked for", `limit=0`, `{"results":[]}`, create("A", "x", fields{"n": 6.0}), true},
		{"an inner query", `order=n&limit=2&where={"p":{"$inQuery":{"className":"A","where":{"n":6}}}}`, shown, create("A", "x", fields{"n": 6.0}), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cache := New(Options{})
			q := windowQuery(t, c.query)
			f, _ := cache.Begin(key("q"), Reading{Class: "A", Query: q, Level: Exact})
			deps, ok := FromBody(q, []byte(c.body))
			if !ok || !f.Store(entry("q"), deps) {
				t.Fatal("not stored")
			}
			apply(cache, c.change)
			if got := has(cache, "q"); got != c.kept {
				t.Errorf("kept: %v, want %v", got, c.kept)
			}
			cache.Purge("A", "")
			if s := cache.Stats(); s.Bytes != cache.lost.size() {
				t.Errorf("%d bytes are left", s.Bytes)
			}
		})
	}
}

// TestWindowsAgainstAskingAgain writes at random and asks again after every write: an answer that is kept is the one that
// there would be now.
func TestWindowsAgainstAskingAgain(t *testing.T) {
	type object map[string]any
	rapid.Check(t, func(t *rapid.T) {
		objects := map[string]object{}
		number := rapid.IntRange(0, 6)
		draw := func() object {
			o := object{}
			for _, name := range []string{"n", "m"} {
				if v := number.Draw(t, name); v > 0 {
					o[name] = float64(v)
				}
			}
			if number.Draw(t, "readers") == 0 {
				o["_rperm"] = []any{"u"}
			}
			return o
		}
		for i := range rapid.IntRange(0, 8).Draw(t, "objects") {
			objects[fmt.Sprint("o", i)] = draw()
		}
		least := float64(number.Draw(t, "least"))
		order := rapid.SampledFrom([]string{"n", "-n", "n,-m", "-m,n", "objectId"}).Draw(t, "order")
		limit, skip, count := number.Draw(t, "limit"), rapid.IntRange(0, 2).Draw(t, "skip"), rapid.IntRange(0, 1).Draw(t, "count")
		q := windowQuery(t, fmt.Sprintf(`where={"m":{"$gte":%v}}&order=%s&limit=%d&skip=%d&count=%d`, least, order, limit, skip, count))
		ask := func() string {
			var found []string
			for id, o := range objects {
				if m, ok := o["m"].(float64); ok && m >= least && o["_rperm"] == nil {
					found = append(found, id)
				}
			}
			slices.SortFunc(found, func(a, b string) int {
				for _, s := range q.Order {
					va, oka := objects[a][string(s.Path)].(float64)
					vb, okb := objects[b][string(s.Path)].(float64)
					c := 0
					switch {
					case !oka && !okb:
					case !oka:
						c = 1 // without a value last, or first if downwards
					case !okb:
						c = -1
					default:
						c = int(va - vb)
					}
					if s.Desc {
						c = -c
					}
					if c != 0 {
						return c
					}
				}
				return strings.Compare(a, b)
			})
			total := len(found)
			found = found[min(skip, total):]
			found = found[:min(limit, len(found))]
			results := []object{}
			for _, id := range found {
				o := object{"objectId": id}
				for name, v := range objects[id] {
					if name[0] != '_' {
						o[name] = v
					}
				}
				results = append(results, o)
			}
			answer := map[string]any{"results": results}
			if count == 1 {
				answer["count"] = total
			}
			b, _ := json.Marshal(answer) // of numbers and texts
			return string(b)
		}
		c := New(Options{})
		for range 20 {
			f, _ := c.Begin(key("q"), Reading{Class: "A", Query: q, Level: Exact})
			body := ask()
			deps, ok := FromBody(q, []byte(body))
			if !ok || !f.Store(entry(body), deps) {
				t.Fatal("not stored")
			}
			for range 5 {
				id := fmt.Sprint("o", rapid.IntRange(0, 9).Draw(t, "id"))
				ch := change.Change{Class: "A", ObjectID: id, Kind: change.Update}
				if was := objects[id]; was != nil {
					ch.Before = image(id, fields(was))
				}
				if ch.Before != nil && number.Draw(t, "what") == 0 {
					ch.Kind = change.Delete
					delete(objects, id)
				} else {
					if ch.Before == nil {
						ch.Kind = change.Create
					}
					objects[id] = draw()
					ch.After = image(id, fields(objects[id]))
				}
				apply(c, ch)
				if e, ok := c.Get(key("q")); ok && string(e.Body) != ask() {
					t.Fatalf("kept %s, and it is %s; the change is %+v", e.Body, ask(), ch)
				}
			}
		}
	})
}
