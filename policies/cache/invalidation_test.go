package cache

import (
	"fmt"
	"testing"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
)

func pointer(class, id string) query.Pointer { return query.Pointer{ClassName: class, ObjectID: id} }

// Each row: an entry, a change, and whether the entry is dropped.
func TestInvalidation(t *testing.T) {
	partial := update("Game", "g1", fields{}, fields{})
	partial.Before, partial.After = &change.Image{Partial: true}, &change.Image{Partial: true}
	noBefore := update("Game", "g1", nil, fields{"score": 1.0})
	createUntold := change.Change{Class: "Game", ObjectID: "g9", Kind: change.Create}
	deleteUntold := change.Change{Class: "Game", ObjectID: "g9", Kind: change.Delete}
	secret := change.Change{Class: "_User", ObjectID: "u1", Kind: change.Update,
		Before: change.NewImage("_User", fields{"objectId": "u1", "_auth_data_x": fields{"id": "1"}}),
		After:  change.NewImage("_User", fields{"objectId": "u1", "_auth_data_x": fields{"id": "2"}})}
	relation := create("Role", "r1", fields{"name": "admin"})
	relation.After.Omitted = []string{"users"}

	type row struct {
		name   string
		change change.Change
		drop   bool
	}
	for _, tc := range []struct {
		name    string
		reading Reading
		depends []string
		rows    []row
	}{
		{"find by equality", find(t, "Game", `{"score":7}`), []string{"Game:g1"}, []row{
			{"a match is created", create("Game", "g2", fields{"score": 7.0}), true},
			{"another is created", create("Game", "g2", fields{"score": 8.0}), false},
			{"an object without the field is created", create("Game", "g2", fields{}), false},
			{"an object comes in", update("Game", "g2", fields{"score": 6.0}, fields{"score": 7.0}), true},
			{"an object goes out", update("Game", "g2", fields{"score": 7.0}, fields{"score": 6.0}), true},
			{"an object stays out", update("Game", "g2", fields{"score": 5.0}, fields{"score": 6.0}), false},
			{"a shown object changes", update("Game", "g1", fields{"score": 7.0}, fields{"score": 7.0, "x": 1.0}), true},
			{"a shown object changes, whatever its images say", update("Game", "g1", fields{"score": 1.0}, fields{"score": 1.0}), true},
			{"a match is deleted", remove("Game", "g2", fields{"score": 7.0}), true},
			{"another is deleted", remove("Game", "g2", fields{"score": 6.0}), false},
			{"another class", create("Post", "g2", fields{"score": 7.0}), false},
			{"an update without its before-image", noBefore, true},
			{"an update of which only the id is known", partial, true},
			{"a create without its image", createUntold, true},
			{"a delete without its image", deleteUntold, true},
			{"an object without an id", change.Change{Class: "Game", Kind: change.Update, Before: image("", fields{}), After: image("", fields{})}, true},
			{"the schema", change.Change{Class: "Game", Kind: change.Schema}, true},
			{"the schema of another class", change.Change{Class: "Post", Kind: change.Schema}, false},
			{"a purge", change.Change{Class: "Game", Kind: change.Purge}, true},
			{"a change of an unknown kind", change.Change{Class: "Game", ObjectID: "g7", Kind: 99}, true},
			{"everything", change.Change{Kind: change.Purge}, true},
		}},
		{"find of everything", find(t, "Game", ``), nil, []row{
			{"any create", create("Game", "g2", fields{}), true},
			{"any delete", remove("Game", "g2", fields{}), true},
			{"another class", create("Post", "p", fields{}), false},
		}},
		{"find by object id, none found", find(t, "Game", `{"objectId":"g5"}`), nil, []row{
			{"it is created", create("Game", "g5", fields{}), true},
			{"another is created", create("Game", "g6", fields{}), false},
			{"the images lack the id", change.Change{Class: "Game", ObjectID: "g5", Kind: change.Create, After: &change.Image{Fields: fields{"x": 1.0}}}, true},
		}},
		{"get", get("Game", "g1"), []string{"Game:g1"}, []row{
			{"it changes", update("Game", "g1", fields{}, fields{"x": 1.0}), true},
			{"it is deleted", remove("Game", "g1", fields{}), true},
			{"another changes", update("Game", "g2", fields{}, fields{"x": 1.0}), false},
			{"an object of another class has its id", update("Post", "g1", fields{}, fields{}), false},
			{"the schema", change.Change{Class: "Game", Kind: change.Schema}, true},
			{"an update of which only the id is known", partial, true},
			{"a create without its image", createUntold, false},
		}},
		{"get of what isn't there", get("Game", "g1"), nil, []row{
			{"it is created", create("Game", "g1", fields{}), true},
			{"another is created", create("Game", "g2", fields{}), false},
		}},
		{"a query that couldn't be read", Reading{Class: "Game", Level: Exact}, nil, []row{
			{"any change", create("Game", "g2", fields{}), true},
			{"another class", create("Post", "g2", fields{}), false},
		}},
		{"include", find(t, "Post", `{"public":true}`), []string{"Post:p1", "_User:u1"}, []row{
			{"an included object changes", update("_User", "u1", fields{"n": 1.0}, fields{"n": 2.0}), true},
			{"an included object is deleted", remove("_User", "u1", fields{}), true},
			{"another object of its class changes", update("_User", "u2", fields{}, fields{}), false},
			{"the schema of its class", change.Change{Class: "_User", Kind: change.Schema}, true},
			{"a secret of it changes", secret, true},
		}},
		{"secrets", find(t, "_User", `{"authData.x.id":"1"}`), nil, []row{
			{"an image doesn't even say that there are any", create("_User", "u2", fields{"username": "x"}), true},
			{"a where asks for what no image tells", secret, true},
		}},
		{"the worker's reads", find(t, "Post", `{"public":true}`), []string{"_Role", "_Join:users:_Role", "_Session:s1"}, []row{
			{"a class it named", create("_Role", "r", fields{}), true},
			{"a join class it named", join(change.Create, "_Join:users:_Role", "r", "u"), true},
			{"another join class", join(change.Create, "_Join:roles:_Role", "r", "u"), false},
			{"an object it named", remove("_Session", "s1", fields{}), true},
			{"another session", remove("_Session", "s2", fields{}), false},
		}},
		{"$inQuery", find(t, "Post", `{"author":{"$inQuery":{"className":"Writer","where":{"city":"Bonn"}}}}`), nil, []row{
			{"a match of the inner query is created", create("Writer", "w", fields{"city": "Bonn"}), true},
			{"another is created", create("Writer", "w", fields{"city": "Ulm"}), false},
			{"an object comes into the inner query", update("Writer", "w", fields{"city": "Ulm"}, fields{"city": "Bonn"}), true},
			{"an object goes out of it", update("Writer", "w", fields{"city": "Bonn"}, fields{"city": "Ulm"}), true},
			{"an inner image is missing", update("Writer", "w", nil, fields{"city": "Ulm"}), true},
			{"an object with a pointer is created", create("Post", "p", fields{"author": pointer("Writer", "w")}), true},
		}},
		{"$notInQuery within $or", find(t, "Post", `{"$or":[{"a":1},{"author":{"$notInQuery":{"className":"Writer","where":{"city":"Bonn"}}}}]}`), nil, []row{
			{"a match of the inner query is created", create("Writer", "w", fields{"city": "Bonn"}), true},
			{"another is created", create("Writer", "w", fields{"city": "Ulm"}), false},
		}},
		{"$select", find(t, "Person", `{"hometown":{"$select":{"query":{"className":"Team","where":{"wins":{"$gt":5}}},"key":"city"}}}`), nil, []row{
			{"the inner query's key changes", update("Team", "t", fields{"wins": 9.0, "city": "Bonn"}, fields{"wins": 9.0, "city": "Ulm"}), true},
			{"an inner object that doesn't match", update("Team", "t", fields{"wins": 1.0, "city": "Bonn"}, fields{"wins": 1.0, "city": "Ulm"}), false},
		}},
		{"sub-query within sub-query", find(t, "Post", `{"author":{"$inQuery":{"className":"Writer","where":{"town":{"$inQuery":{"className":"Town","where":{"n":1}}}}}}}`), nil, []row{
			{"the innermost matches", create("Town", "t", fields{"n": 1.0}), true},
			{"the innermost doesn't", create("Town", "t", fields{"n": 2.0}), false},
			{"the middle can't be told", create("Writer", "w", fields{"town": pointer("Town", "t")}), true},
		}},
		{"$relatedTo", find(t, "Post", `{"$relatedTo":{"object":{"__type":"Pointer","className":"_User","objectId":"u1"},"key":"likes"}}`), []string{"Post:p1"}, []row{
			{"a member comes", join(change.Create, "_Join:likes:_User", "u1", "p9"), true},
			{"a member goes", join(change.Delete, "_Join:likes:_User", "u1", "p1"), true},
			{"another owner's member comes", join(change.Create, "_Join:likes:_User", "u2", "p9"), false},
			{"a row that says nothing", change.Change{Class: "_Join:likes:_User", Kind: change.Create}, true},
			{"another relation", join(change.Create, "_Join:owns:_User", "u1", "p9"), false},
			{"the owner changes", update("_User", "u1", fields{}, fields{"x": 1.0}), false},
			{"the owner is hidden", update("_User", "u1", fields{}, fields{"_rperm": []any{"u2"}}), true},
			{"the owner may be hidden, by a field that a permission points to", update("_User", "u1", fields{}, fields{"x": query.Pointer{ClassName: "_User", ObjectID: "u2"}}), true},
			{"the owner is deleted", remove("_User", "u1", fields{}), true},
			{"a member changes", update("Post", "p1", fields{}, fields{"x": 1.0}), true},
			{"the join table is purged", change.Change{Class: "_Join:likes:_User", Kind: change.Purge}, true},
		}},
		{"a relation's field is asked for a member", find(t, "Role", `{"users":{"__type":"Pointer","className":"_User","objectId":"u1"},"name":"admin"}`), nil, []row{
			{"the member comes", join(change.Create, "_Join:users:Role", "r", "u1"), true},
			{"another member comes", join(change.Create, "_Join:users:Role", "r", "u2"), false},
			{"an object that may have it is created", relation, true},
		}},
		{"a relation's field is asked for members", find(t, "Role", `{"users":{"$in":[{"__type":"Pointer","className":"_User","objectId":"u1"},{"__type":"Pointer","className":"_User","objectId":"u2"}]}}`), nil, []row{
			{"one comes", join(change.Create, "_Join:users:Role", "r", "u2"), true},
			{"one goes", join(change.Delete, "_Join:users:Role", "r", "u1"), true},
			{"another comes", join(change.Create, "_Join:users:Role", "r", "u3"), false},
		}},
		{"a session at the level ttl", Reading{Class: "Game", Query: &query.Query{Class: "Game", Where: where(t, `{"a":1}`)}, Token: true, Level: TTL}, nil, []row{
			{"users", change.Change{Class: "_User", Kind: change.Purge}, true},
			{"sessions", change.Change{Class: "_Session", Kind: change.Purge}, true},
			{"roles", create("_Role", "r", fields{}), true},
			{"role members", join(change.Create, "_Join:users:_Role", "r", "u"), true},
			{"roles of roles", join(change.Create, "_Join:roles:_Role", "r", "u"), true},
			{"another class", change.Change{Class: "Post", Kind: change.Purge}, false},
		}},
		{"a session at the level exact", Reading{Class: "Game", Query: &query.Query{Class: "Game", Where: where(t, `{"a":1}`)}, Level: Exact}, []string{"_User:u1"}, []row{
			{"another user", update("_User", "u2", fields{}, fields{}), false},
			{"the user", update("_User", "u1", fields{}, fields{}), true},
		}},
	} {
		for _, r := range tc.rows {
			t.Run(tc.name+"/"+r.name, func(t *testing.T) {
				c := New(Options{})
				put(t, c, "bystander", find(t, "Other", `{"a":1}`), "Other:o1")
				put(t, c, "entry", tc.reading, tc.depends...)
				finish := c.Prepare([]change.Change{r.change})
				if got := !has(c, "entry"); got != r.drop {
					t.Errorf("dropped: %v, want %v", got, r.drop)
				}
				if want := r.change.Class != ""; has(c, "bystander") != want {
					t.Errorf("the unrelated entry is there: %v, want %v", !want, want)
				}
				// A fill of the same question is stored just then when the entry stayed; but what only the answer
				// told is only known to Store.
				f, leader := c.Begin(key("entry2"), tc.reading)
				if !leader {
					t.Fatal("not the leader")
				}
				if stored := f.Store(entry("entry2"), dependsOn(t, tc.depends...)); stored == r.drop {
					t.Errorf("a fill beside the open change is stored: %v, want %v", stored, !r.drop)
				}
				finish()
				put(t, c, "entry3", tc.reading, tc.depends...)
				c.Purge("", "")
				checkEmpty(t, c)
			})
		}
	}
}

// A write to one object leaves the other cached answers of its class alone.
func TestAWriteLeavesUnrelatedEntries(t *testing.T) {
	c := New(Options{})
	const n = 500
	for i := range n {
		put(t, c, fmt.Sprint("find", i), find(t, "Game", fmt.Sprintf(`{"level":%d}`, i)), fmt.Sprint("Game:g", i))
		put(t, c, fmt.Sprint("get", i), get("Game", fmt.Sprint("g", i)))
	}
	apply(c, update("Game", "g7", fields{"level": 7.0}, fields{"level": 8.0}))
	for i := range n {
		if want := i != 7 && i != 8; has(c, fmt.Sprint("find", i)) != want {
			t.Errorf("find %d is there: %v", i, !want)
		}
		if want := i != 7; has(c, fmt.Sprint("get", i)) != want {
			t.Errorf("get %d is there: %v", i, !want)
		}
	}
	if s := c.Stats(); s.Invalidations != 3 || s.Entries != 2*n-3 {
		t.Errorf("stats %+v", s)
	}
}

// These questions depend on what can't be told.
func TestUnstorableReadings(t *testing.T) {
	many := ""
	for i := range maxAsks + 1 {
		many += fmt.Sprintf(`,{"p":{"$inQuery":{"className":"C%d","where":{}}}}`, i)
	}
	for name, r := range map[string]Reading{
		"no class":             {Query: &query.Query{}},
		"a redirect":           {Class: "Game", Query: &query.Query{Class: "Game", Redirect: "players"}},
		"time":                 find(t, "Game", `{"createdAt":{"$gt":{"$relativeTime":"1 day ago"}}}`),
		"too many sub-queries": find(t, "Game", `{"$or":[`+many[1:]+`]}`),
	} {
		t.Run(name, func(t *testing.T) {
			c := New(Options{})
			f, leader := c.Begin(key("k"), r)
			if _, again := c.Begin(key("k"), r); !leader || !again {
				t.Error("the fill is shared")
			}
			if f.Store(entry("k"), Dependencies{}) {
				t.Error("stored")
			}
			checkEmpty(t, c)
		})
	}
}

func TestPurge(t *testing.T) {
	c := New(Options{})
	fill := func() {
		c.Purge("", "")
		put(t, c, "find", find(t, "Game", `{"a":1}`), "Game:g1")
		put(t, c, "get", get("Game", "g2"))
		put(t, c, "post", find(t, "Post", `{"a":1}`), "Game:g2")
		put(t, c, "other", find(t, "Other", ``))
	}
	for _, tc := range []struct {
		class, id string
		dropped   int
		stay      []string
	}{
		{"", "", 4, nil},
		{"Game", "", 3, []string{"other"}},
		{"Game", "g2", 3, []string{"other"}}, // the find may show it now
		{"Post", "p1", 1, []string{"find", "get", "other"}},
		{"Nothing", "", 0, []string{"find", "get", "post", "other"}},
	} {
		fill()
		f, _ := c.Begin(key("filling"), find(t, "Game", `{"a":1}`))
		if n := c.Purge(tc.class, tc.id); n != tc.dropped {
			t.Errorf("purge %q %q dropped %d, want %d", tc.class, tc.id, n, tc.dropped)
		}
		for _, name := range tc.stay {
			if !has(c, name) {
				t.Errorf("purge %q %q dropped %s", tc.class, tc.id, name)
			}
		}
		if stored := f.Store(entry("filling"), Dependencies{}); stored != (tc.class == "Post" || tc.class == "Nothing") {
			t.Errorf("purge %q %q: a fill under way was stored: %v", tc.class, tc.id, stored)
		}
	}
	c.Purge("", "")
	checkEmpty(t, c)
}
