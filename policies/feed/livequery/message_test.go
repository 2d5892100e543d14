package livequery

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
)

var kinds = map[change.Kind]string{change.Create: "create", change.Update: "update", change.Delete: "delete", change.Purge: "purge"}

// show writes a change as a line: kind, class, id, and what of the images is known.
func show(c *change.Change) string {
	line := kinds[c.Kind] + " " + c.Class + " " + c.ObjectID
	for _, side := range [...]struct {
		name  string
		image *change.Image
	}{{"before", c.Before}, {"after", c.After}} {
		if side.image == nil {
			continue
		}
		line += " " + side.name + " {"
		for n, name := range slices.Sorted(maps.Keys(side.image.Fields)) {
			line += strings.Repeat(",", min(n, 1)) + name + ":" + string(query.AppendJSON(nil, side.image.Fields[name]))
		}
		line += "}"
		if !side.image.Partial {
			line += " complete"
		}
	}
	return line
}

// TestRead: what parse-server publishes, and what is known by it. All images are partial, so what isn't named is unknown.
func TestRead(t *testing.T) {
	for _, c := range []struct {
		name, payload string
		deleted       bool
		want          string // "" for an error
	}{
		{"a new object", `{"currentParseObject":{"n":1,"createdAt":"2026-01-02T03:04:05.678Z","updatedAt":"2026-01-02T03:04:05.678Z","objectId":"o","__type":"Object","className":"A"}}`, false,
			`create A o after {createdAt:{"__type":"Date","iso":"2026-01-02T03:04:05.678Z"},n:1,objectId:"o",updatedAt:{"__type":"Date","iso":"2026-01-02T03:04:05.678Z"}}`},
		{"an update", `{"currentParseObject":{"n":2,"objectId":"o","__type":"Object","className":"A"},"originalParseObject":{"n":1,"objectId":"o","__type":"Object","className":"A"}}`, false,
			`update A o before {n:1,objectId:"o"} after {n:2,objectId:"o"}`},
		{"an update by somebody who can't read the object", `{"currentParseObject":{"n":2,"updatedAt":"2026-01-02T03:04:05.678Z","objectId":"o","className":"A"}}`, false,
			`update A o after {n:2,objectId:"o",updatedAt:{"__type":"Date","iso":"2026-01-02T03:04:05.678Z"}}`},
		{"a deletion", `{"currentParseObject":{"n":1,"objectId":"o","className":"A"}}`, true, `delete A o before {n:1,objectId:"o"}`},
		{"an ACL, a relation, a null and a list of objects are unknown; an object that was read is a pointer",
			`{"currentParseObject":{"ACL":{"*":{"read":true}},"r":{"__type":"Relation","className":"B"},"z":null,"l":[{"__type":"Object","className":"B","objectId":"b"}],
			"p":{"__type":"Object","className":"B","objectId":"b","x":1},"q":{"__type":"Pointer","className":"B","objectId":"b"},"objectId":"o","className":"A"}}`, true,
			`delete A o before {objectId:"o",p:{"__type":"Pointer","className":"B","objectId":"b"},q:{"__type":"Pointer","className":"B","objectId":"b"}}`},
		{"secrets", `{"currentParseObject":{"username":"ann","password":"x","sessionToken":"r:1","_hashed_password":"x","authData":{"x":{"id":"1"}},"objectId":"o","className":"_User"}}`, true,
			`delete _User o before {objectId:"o",username:"ann"}`},
		{"no object", `{}`, false, ""},
		{"no class", `{"currentParseObject":{"objectId":"o"}}`, false, ""},
		{"no id", `{"currentParseObject":{"className":"A"}}`, false, ""},
		{"two objects", `{"currentParseObject":{"objectId":"o","className":"A"},"originalParseObject":{"objectId":"p","className":"A"}}`, false, ""},
		{"no JSON", `{"currentParseObject":`, false, ""},
		{"another shape", `[1]`, false, ""},
	} {
		got, err := read(c.payload, c.deleted)
		switch {
		case err != nil && c.want != "" || err == nil && c.want == "":
			t.Errorf("%s: %v, %s", c.name, err, show(&got))
		case err == nil && show(&got) != c.want:
			t.Errorf("%s:\n got %s\nwant %s", c.name, show(&got), c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"currentParseObject":{"n":[{"a":1}],"objectId":"o","className":"A"},"originalParseObject":{"objectId":"o","className":"A"}}`, false)
	f.Fuzz(func(t *testing.T, payload string, deleted bool) {
		c, err := read(payload, deleted)
		if err == nil && (c.Class == "" || c.ObjectID == "") {
			t.Errorf("a change of nothing: %s", show(&c))
		}
	})
}

// TestOverlappingUpdates: two updates of one object, each computed from the object without the other. What the database has
// isn't what either message says.
func TestOverlappingUpdates(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	update := func(id string, a, b, c, d int) change.Change {
		object := `{"a":%d,"b":%d,"objectId":"%s","className":"A"}`
		got, err := read(fmt.Sprintf(`{"originalParseObject":`+object+`,"currentParseObject":`+object+`}`, a, b, id, c, d, id), false)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for _, c := range []struct {
		name  string
		then  func(r *recent) change.Change
		after time.Duration
		want  string
	}{
		{"the other's field is unknown", func(*recent) change.Change { return update("o", 0, 0, 0, 1) }, time.Second,
			`update A o before {b:0,objectId:"o"} after {b:1,objectId:"o"}`},
		{"so is the same field, changed by both", func(*recent) change.Change { return update("o", 0, 0, 2, 0) }, time.Second,
			`update A o before {b:0,objectId:"o"} after {b:0,objectId:"o"}`},
		{"another object", func(*recent) change.Change { return update("p", 0, 0, 0, 1) }, time.Second,
			`update A p before {a:0,b:0,objectId:"p"} after {a:0,b:1,objectId:"p"}`},
		{"much later", func(*recent) change.Change { return update("o", 1, 0, 1, 1) }, time.Minute,
			`update A o before {a:1,b:0,objectId:"o"} after {a:1,b:1,objectId:"o"}`},
		{"both are remembered", func(r *recent) change.Change {
			c := update("o", 0, 0, 0, 1)
			r.merge(&c, now.Add(20*time.Second))
			return update("o", 0, 0, 0, 0)
		}, 40 * time.Second, `update A o before {objectId:"o"} after {objectId:"o"}`},
		{"a deletion", func(*recent) change.Change {
			c := update("o", 0, 0, 0, 0)
			return change.Change{Class: "A", ObjectID: "o", Kind: change.Delete, Before: c.Before}
		}, time.Second, `delete A o before {b:0,objectId:"o"}`},
		{"an update that is told after its object's deletion", func(r *recent) change.Change {
			r.merge(&change.Change{Class: "A", ObjectID: "o", Kind: change.Delete}, now)
			return update("o", 0, 0, 0, 1)
		}, time.Second, `update A o before {} after {}`},
		{"too much is written to remember it", func(r *recent) change.Change {
			for _, id := range []string{"x", "y", "z"} {
				c := update(id, 0, 0, 1, 0)
				r.merge(&c, now)
			}
			return update("o", 0, 0, 0, 1)
		}, time.Second, `update A o before {} after {}`},
	} {
		r := newRecent(30*time.Second, 3)
		first := update("o", 0, 0, 1, 0)
		r.merge(&first, now)
		if got, want := show(&first), `update A o before {a:0,b:0,objectId:"o"} after {a:1,b:0,objectId:"o"}`; got != want {
			t.Fatalf("the first update is %s, want %s", got, want)
		}
		second := c.then(&r)
		r.merge(&second, now.Add(c.after))
		if got := show(&second); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		if r.order.Len() > 3 || len(r.byID) != r.order.Len() {
			t.Errorf("%s: %d objects are remembered, %d of them found", c.name, r.order.Len(), len(r.byID))
		}
	}
}
