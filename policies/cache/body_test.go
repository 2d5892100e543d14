package cache

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/query"
)

// list prints dependencies in order.
func (d *Dependencies) list() string {
	var all []string
	for _, o := range d.refs {
		all = append(all, string(o.class)+":"+string(o.id))
	}
	all = append(all, d.classes...)
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}

func TestFromBody(t *testing.T) {
	plain := &query.Query{Class: "Post"}
	including := func(paths ...query.Path) *query.Query { return &query.Query{Class: "Post", Include: paths} }
	user := `{"__type":"Object","className":"_User","objectId":"u1","username":"ada"}`
	author := `{"__type":"Pointer","className":"_User","objectId":"u2"}`
	for _, tc := range []struct {
		name string
		q    *query.Query
		body string
		want string // "!" : refused
	}{
		{"no results", plain, `{"results":[]}`, ""},
		{"results", plain, `{"results":[{"objectId":"a","n":1},{"n":[1,{"x":null}],"objectId":"b"}]}`, "Post:a Post:b"},
		{"white space", plain, " {\n\"results\" : [ { \"objectId\" : \"a\" , \"t\":true} ]\r\n} \t", "Post:a"},
		{"a count", plain, `{"results":[],"count":12}`, ""},
		{"a get", plain, `{"objectId":"a","n":-1.5e+3,"f":false}`, "Post:a"},
		{"a get with a field called results", plain, `{"objectId":"a","results":[{"objectId":"b"}],"x":{}}`, "Post:a Post:b"},
		{"an error", plain, `{"code":101,"error":"Object not found."}`, ""},
		{"a pointer that isn't included", plain, `{"results":[{"objectId":"a","author":` + author + `}]}`, "Post:a"},
		{"an included object", including("author"), `{"results":[{"objectId":"a","author":` + user + `}]}`, "Post:a _User:u1"},
		{"an included object nobody asked for", plain, `{"results":[{"objectId":"a","author":` + user + `}]}`, "Post:a _User:u1"},
		{"an included path with a bare pointer", including("author"), `{"results":[{"objectId":"a","author":` + author + `}]}`, "Post:a _User:u2"},
		{"another path", including("author"), `{"results":[{"objectId":"a","editor":` + author + `}]}`, "Post:a"},
		{"deeper", including("author", "author.boss"), `{"results":[{"objectId":"a","author":{"__type":"Object","className":"_User","boss":` + author + `,"friend":{"__type":"Pointer","className":"_User","objectId":"no"},"objectId":"u1"}}]}`, "Post:a _User:u1 _User:u2"},
		{"through an array", including("tags", "tags.by"), `{"results":[{"objectId":"a","tags":[{"__type":"Pointer","className":"Tag","objectId":"t1"},[{"__type":"Object","className":"Tag","objectId":"t2","by":` + author + `}]]}]}`, "Post:a Tag:t1 Tag:t2 _User:u2"},
		{"through a plain object", including("stats.top"), `{"results":[{"objectId":"a","stats":{"top":` + author + `}}]}`, "Post:a _User:u2"},
		{"everything included", &query.Query{Class: "Post", IncludeAll: true}, `{"results":[{"objectId":"a","x":` + author + `,"y":{"z":{"__type":"Pointer","className":"C","objectId":"deep"}}}]}`, "Post:a _User:u2"},
		{"an included field called results, of a get", including("results", "results.by"), `{"objectId":"a","results":[` + author + `,{"__type":"Object","className":"C","objectId":"c","by":{"__type":"Pointer","className":"D","objectId":"d"}}]}`, "C:c D:d Post:a Post:c Post:u2 _User:u2"},
		{"the name last", plain, `{"results":[{"objectId":"a","o":{"objectId":"u1","className":"_User","__type":"Object"}}]}`, "Post:a _User:u1"},
		{"other types", including("f"), `{"results":[{"objectId":"a","f":{"__type":"File","name":"n","url":"u"},"d":{"__type":"Date","iso":"2020"},"r":{"__type":"Relation","className":"C"},"p":{"__type":"Pointer","className":"C"}}]}`, "Post:a"},
		{"escapes", including("p"), `{"results":[{"objectId":"a\"b","p":{"__type":"\u004fbject","className":"C","objectId":"\u00e9"},"t\\":"x"}]}`, `C:é Post:a"b`},
		{"the same object again and again", including("p"), `{"results":[{"objectId":"a","p":` + user + `},{"objectId":"b","p":` + user + `}]}`, "Post:a Post:b _User:u1"},
		{"an empty id", plain, `{"results":[{"objectId":""}]}`, "Post"},
		{"a hidden id", plain, `{"results":[{"n":1}]}`, "Post"},
		{"everything hidden", plain, `{"results":[{}]}`, "Post"},

		{"nothing", plain, ``, "!"},
		{"an array", plain, `[]`, "!"},
		{"half a body", plain, `{"results":[{"objectId":"a"`, "!"},
		{"half a string", plain, `{"results":"a\`, "!"},
		{"two bodies", plain, `{}{}`, "!"},
		{"no colon", plain, `{"a" 1}`, "!"},
		{"no comma", plain, `{"a":1 "b":2}`, "!"},
		{"no value", plain, `{"a":}`, "!"},
		{"a word", plain, `{"a":nul}`, "!"},
		{"a bad escape", plain, `{"objectId":"\x"}`, "!"},
		{"too deep", plain, `{"a":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, "!"},
		{"no query", nil, `{"results":[]}`, "!"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, ok := FromBody(tc.q, []byte(tc.body))
			got := d.list()
			if !ok {
				got = "!"
			}
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestDependenciesAreBounded(t *testing.T) {
	bodyOf := func(results, classes int) []byte {
		var b strings.Builder
		b.WriteString(`{"results":[{"objectId":"first"}`)
		for i := range results {
			fmt.Fprintf(&b, `,{"objectId":"r%d","p":{"__type":"Object","className":"C%d","objectId":"c"}}`, i, i%classes)
		}
		b.WriteString(`]}`)
		return []byte(b.String())
	}
	q := &query.Query{Class: "Post"}
	if d, ok := FromBody(q, bodyOf(900, 1)); !ok || d.byClass || len(d.refs) < 902 || len(d.refs) > 950 {
		t.Errorf("900 results: %v, by class %v, %d objects", ok, d.byClass, len(d.refs))
	}
	d, ok := FromBody(q, bodyOf(3000, 2))
	if !ok || !d.byClass || len(d.refs) != 0 || d.list() != "C0 C1 Post" {
		t.Errorf("3000 results: %v, by class %v, %q", ok, d.byClass, d.list())
	}
	c := New(Options{})
	f, _ := c.Begin(key("k"), find(t, "Post", `{"a":1}`))
	if !f.Store(entry("k"), d) {
		t.Fatal("not stored")
	}
	apply(c, create("C1", "another", fields{}))
	if has(c, "k") {
		t.Error("a class that stands for its objects doesn't drop the entry")
	}
	d, ok = FromBody(q, bodyOf(3000, maxClasses))
	if !ok || !d.overflow {
		t.Errorf("too many classes: %v, overflow %v", ok, d.overflow)
	}
	f, _ = c.Begin(key("k"), find(t, "Post", `{"a":1}`))
	if f.Store(entry("k"), d) {
		t.Error("stored with dependencies that were left out")
	}
	checkEmpty(t, c)
}

func TestParseReads(t *testing.T) {
	for _, tc := range []struct {
		header, want string
		noStore      bool
		expires      int64
	}{
		{"", "", false, 0},
		{"_Session:s1 _User:u1 _Role _Join:users:_Role", "_Join:users:_Role _Role _Session:s1 _User:u1", false, 0},
		{"  Post:a   expires=1764000000000 ", "Post:a", false, 1764000000000},
		{"expires=2000 expires=1000 expires=3000", "", false, 1000},
		{"no-store Post", "Post", true, 0},
		{"Post:a:b", "Post:a:b", false, 0}, // ids may hold colons
		{"Post:", "!", false, 0},
		{":a", "!", false, 0},
		{"a=b", "!", false, 0},
		{"expires=soon", "!", false, 0},
		{"_Join:users", "!", false, 0},
		{"_Join:users:_Role:r1", "!", false, 0},
		{"9Post", "!", false, 0},
		{"Po,st", "!", false, 0},
		{strings.Repeat("Post ", 3000), "!", false, 0},
	} {
		r, ok := ParseReads(tc.header)
		var d Dependencies
		d.Add(r)
		got := d.list()
		if !ok {
			got = "!"
		}
		if got != tc.want || r.NoStore != tc.noStore || tc.expires != 0 && !r.Expires.Equal(time.UnixMilli(tc.expires)) || (tc.expires == 0) != r.Expires.IsZero() {
			t.Errorf("%.60q: got %s, %+v", tc.header, got, r)
		}
	}
}

func FuzzFromBody(f *testing.F) {
	for _, s := range []string{
		`{"results":[{"objectId":"a","p":{"__type":"Object","className":"C","objectId":"c"}}]}`, `{"objectId":"\u00e9","a":[1,-2e3,true,null]}`,
		`{"results":[[[{}]]],"x":"\\\""}`, `{"results":[{"objectId":"`, `{}`, `[`,
	} {
		f.Add(s)
	}
	q := &query.Query{Class: "Post", Include: []query.Path{"p", "p.q"}}
	f.Fuzz(func(t *testing.T, body string) {
		d, ok := FromBody(q, []byte(body))
		if !ok {
			return
		}
		// Whatever a real decoder finds as results must have been found too.
		v, err := query.Decode([]byte(body))
		if err != nil {
			return
		}
		m, _ := v.(map[string]any)
		found := strings.Fields(d.list())
		results, _ := m["results"].([]any)
		for _, r := range append(results, v) {
			o, _ := r.(map[string]any)
			id, _ := o["objectId"].(string)
			if id != "" && !hasSpace(id) && !d.byClass && !slices.Contains(found, "Post:"+id) {
				t.Errorf("%q isn't among %q", id, found)
			}
		}
	})
}

func hasSpace(s string) bool { return len(strings.Fields(s)) != 1 || strings.Fields(s)[0] != s }

func FuzzParseReads(f *testing.F) {
	for _, s := range []string{"_Session:s1 _Role _Join:users:_Role expires=12 no-store", "a=b", "::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, ok := ParseReads(s)
		if ok && len(r.classes)+len(r.objects) > len(strings.Fields(s)) {
			t.Errorf("%q has more dependencies than items", s)
		}
	})
}

func FuzzParseRights(f *testing.F) {
	for _, s := range []string{"0123456789abcdef _Session:s1 _User:u1 _Role _Join:users:_Role expires=12", "0123456789abcdef", " _Session:s1", "0123456789abcdef\tfor=everyone"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, r, ok := ParseRights(s)
		if !ok {
			return
		}
		if len(name) < 16 || !strings.HasPrefix(s, name) || len(r.classes)+len(r.objects) == 0 || r.NoStore || r.Everyone {
			t.Errorf("%q: %q, %+v", s, name, r)
		}
	})
}
