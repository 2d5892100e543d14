package classes_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/classes"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/users/apptest"
)

func define(fields, permissions, indexes string) classes.Definition {
	raw := func(s string) []byte {
		if s == "" {
			return nil
		}
		return []byte(s)
	}
	return classes.Definition{Fields: raw(fields), Permissions: raw(permissions), Indexes: raw(indexes)}
}

// announced lists what was announced since the last call: "Class/kind".
func announced(a *apptest.App) string {
	var out []string
	for _, c := range a.Changes.Take() {
		kind := map[change.Kind]string{change.Schema: "schema", change.Purge: "purge", change.Create: "create", change.Update: "update", change.Delete: "delete"}[c.Kind]
		out = append(out, c.Class+"/"+kind)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// TestWhatIsDroppedIsGone: fields go with their data, and come back empty; relations go with their members.
func TestWhatIsDroppedIsGone(t *testing.T) {
	a := apptest.New(t, nil)
	p := classes.New(a.Store, classes.Options{})
	ctx := t.Context()
	if _, err := p.Create(ctx, "Shop", define(`{"a":{"type":"String"},"n":{"type":"Number"},"r":{"type":"Relation","targetClass":"_User"}}`, "", `{"byA":{"a":1,"n":1}}`), ""); err != nil {
		t.Fatal(err)
	}
	if got := announced(a); got != "Shop/schema" {
		t.Errorf("a new class announces %s", got)
	}
	a.Play(t, []apptest.Step{
		{Who: "master", Do: "POST /classes/Shop", Body: `{"a":"x","n":1,"r":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"_User","objectId":"u1"}]}}`, Want: `{"objectId":"<s>","createdAt":"<ts>"}`},
	})
	announced(a)
	class, err := p.Update(ctx, "Shop", define(`{"a":{"__op":"Delete"},"r":{"__op":"Delete"},"z":{"type":"Boolean","defaultValue":true}}`, "", ""), "")
	if err != nil {
		t.Fatal(err)
	}
	if got := announced(a); got != "Shop/schema _Join:r:Shop/purge" {
		t.Errorf("a change announces %s", got)
	}
	if _, there := class.Indexes["byA"]; there {
		t.Errorf("an index of a field that is gone is listed: %v", class.Indexes)
	}
	a.Play(t, []apptest.Step{
		{Who: "master", Do: "GET /classes/Shop/<s>", Want: `{"objectId":"<s>","createdAt":"<ts>","updatedAt":"<ts>","n":1}`},
		{Who: "master", Do: "POST /classes/Shop", Body: `{}`, Want: `{"objectId":"<s2>","createdAt":"<ts>","z":true}`},
		{Who: "master", Do: "PUT /classes/Shop/<s>", Body: `{"a":5}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "master", Do: `GET /classes/Shop?where={"a":5}&keys=a`, Want: `{"results":[{"objectId":"<s>","createdAt":"<ts>","updatedAt":"<ts>","a":5}]}`},
		{Who: "master", Do: "PUT /classes/Shop/<s>", Body: `{"r":{"__op":"AddRelation","objects":[{"__type":"Pointer","className":"_User","objectId":"u2"}]}}`, Want: `{"updatedAt":"<ts>"}`},
		{Who: "master", Do: `GET /classes/Shop?where={"r":{"__type":"Pointer","className":"_User","objectId":"u1"}}`, Want: `{"results":[]}`},
	})
	if err := p.Drop(ctx, "Shop", ""); err == nil || parseerror.From(err).Message != "Class Shop is not empty, contains 2 objects, cannot drop schema." {
		t.Errorf("dropping a class with objects: %v", err)
	}
	announced(a)
	if err := p.Purge(ctx, "Shop", ""); err != nil {
		t.Fatal(err)
	}
	if got := announced(a); got != "Shop/purge" {
		t.Errorf("a purge announces %s", got)
	}
	if err := p.Drop(ctx, "Shop", ""); err != nil {
		t.Fatal(err)
	}
	if got := announced(a); got != "Shop/schema _Join:r:Shop/purge" {
		t.Errorf("a drop announces %s", got)
	}
	a.Play(t, []apptest.Step{
		{Who: "master", Do: "POST /classes/Shop", Body: `{"n":"now a text"}`, Want: `{"objectId":"<s3>","createdAt":"<ts>"}`},
	})
}

// TestSystemClassesStay: without its users and roles no server runs; dropped, they are as in a new database.
func TestSystemClassesStay(t *testing.T) {
	a := apptest.New(t, nil)
	p := classes.New(a.Store, classes.Options{})
	if _, err := p.Update(t.Context(), "_User", define(`{"phone":{"type":"String"}}`, `{"find":{}}`, ""), ""); err != nil {
		t.Fatal(err)
	}
	if err := p.Drop(t.Context(), "_User", ""); err != nil {
		t.Fatal(err)
	}
	a.Play(t, []apptest.Step{
		{Do: "POST /users", Body: `{"username":"ann","password":"pw","phone":5}`, Want: `{"objectId":"<ann>","createdAt":"<ts>","sessionToken":"<tok>"}`},
		{Do: "POST /users", Body: `{"username":"ann","password":"pw"}`, Status: 400, Want: `{"code":202,"error":"Account already exists for this username."}`},
	})
}

// TestIndexesOfOthersStay: the names of indexes are those of the whole database, so that a class could name another's.
func TestIndexesOfOthersStay(t *testing.T) {
	a := apptest.New(t, nil)
	p := classes.New(a.Store, classes.Options{})
	ctx := t.Context()
	for _, index := range []string{"_User_unique_username", "case_insensitive_username"} {
		name := "C" + strings.ReplaceAll(index, "_", "")
		if _, err := p.Create(ctx, name, define(`{"username":{"type":"String"}}`, "", fmt.Sprintf(`{%q:{"username":1}}`, index)), ""); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Update(ctx, name, define("", "", fmt.Sprintf(`{%q:{"__op":"Delete"}}`, index)), ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Update(ctx, "_User", define("", "", `{"_User_unique_username":{"username":1}}`), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Update(ctx, "_User", define("", "", `{"_User_unique_username":{"__op":"Delete"}}`), ""); err != nil {
		t.Fatal(err)
	}
	// Two users whose names differ from each other's check by nothing but the unique index.
	var wg sync.WaitGroup
	made := make([]int, 8)
	for i := range made {
		wg.Go(func() {
			if a.Do("", "POST /users", `{"username":"ann","password":"pw"}`).Status == 201 {
				made[i]++
			}
		})
	}
	wg.Wait()
	n := 0
	for _, m := range made {
		n += m
	}
	if n != 1 {
		t.Errorf("%d users have one name", n)
	}
}

// TestNamesOfIndexes: whatever an index is called, it gets in the way of no class and of no other index.
func TestNamesOfIndexes(t *testing.T) {
	a := apptest.New(t, nil)
	p := classes.New(a.Store, classes.Options{})
	for _, tt := range []struct{ class, index string }{
		{"Un", "un"}, {"First", "Second"}, {"Second", "First"}, {"Same", "First"}, {"Sql", "sqlite_x"}, {"Quote", "a\"b'c"}, {"Case", "X"},
	} {
		index, _ := json.Marshal(tt.index)
		class, err := p.Create(t.Context(), tt.class, define(`{"a":{"type":"String"}}`, "", fmt.Sprintf(`{%s:{"a":1}}`, index)), "")
		if err != nil || class.Indexes[tt.index] == nil {
			t.Errorf("class %s, index %s: %v", tt.class, tt.index, err)
			continue
		}
		if class, err = p.Update(t.Context(), tt.class, define("", "", fmt.Sprintf(`{%s:{"__op":"Delete"}}`, index)), ""); err != nil || class.Indexes[tt.index] != nil {
			t.Errorf("class %s, index %s isn't dropped: %v", tt.class, tt.index, err)
		}
	}
}

// TestRepeatedWriteIDs: a write that is sent again by a gateway isn't done again, and gets an answer.
func TestRepeatedWriteIDs(t *testing.T) {
	a := apptest.New(t, nil)
	p := classes.New(a.Store, classes.Options{})
	for range 2 {
		class, err := p.Create(t.Context(), "Once", define(`{"a":{"type":"String"}}`, "", ""), "id-1")
		if err != nil || class.Fields["a"].Type != "String" {
			t.Fatalf("%v, %v", class, err)
		}
	}
	for range 2 {
		class, err := p.Update(t.Context(), "Once", define(`{"a":{"__op":"Delete"}}`, "", ""), "id-2")
		if err != nil || class.Fields["a"].Type != "" {
			t.Fatalf("%v, %v", class, err)
		}
	}
}

// TestDropOfAClassInUse: an object that is being made while its class is dropped either keeps the class or isn't made.
func TestDropOfAClassInUse(t *testing.T) {
	a := apptest.New(t, nil)
	p := classes.New(a.Store, classes.Options{})
	for _, name := range []string{"Used", "_Role"} {
		if name == "Used" {
			if _, err := p.Create(t.Context(), name, define("", "", ""), ""); err != nil {
				t.Fatal(err)
			}
		}
		made, goOn := make(chan struct{}), make(chan struct{})
		var created error
		var wg sync.WaitGroup
		wg.Go(func() {
			announce := sync.OnceFunc(func() { close(made) })
			_, _, created = a.Store.Write(t.Context(), "", func(tx storage.Tx) ([]byte, error) {
				s, err := tx.Schema(t.Context())
				if err != nil {
					return nil, err
				}
				if err := tx.Insert(t.Context(), s.Class(name), storage.Object{"objectId": "1"}); err != nil {
					return nil, err
				}
				announce()
				<-goOn
				return nil, nil
			})
		})
		<-made
		var dropped error
		wg.Go(func() { dropped = p.Drop(t.Context(), name, "") })
		time.Sleep(100 * time.Millisecond) // it should be waiting by now
		close(goOn)
		wg.Wait()
		if e := parseerror.From(dropped); created != nil || e == nil || e.Code != parseerror.InvalidSchemaOperation {
			t.Errorf("%s: it was created with %v, and the class dropped with %v", name, created, dropped)
		}
		if got := a.Do("master", "GET /classes/"+name+"?count=1&limit=0", ""); got.Body != `{"results":[],"count":1}` {
			t.Errorf("%s: there are %s", name, got.Body)
		}
	}
}

func FuzzDefinition(f *testing.F) {
	f.Add([]byte(`{"a":{"type":"Pointer","targetClass":"_User","defaultValue":{"__type":"Pointer","className":"_User","objectId":"x"}}}`),
		[]byte(`{"find":{"pointerFields":["a"]},"protectedFields":{"userField:a":[]},"ACL":{"*":{"read":true}}}`), []byte(`{"i":{"a":1}}`))
	f.Add([]byte(`{"a":{"__op":"Delete"}}`), []byte(`null`), []byte(`{"i":{"__op":"Delete"}}`))
	a := apptest.New(f, nil)
	p := classes.New(a.Store, classes.Options{})
	f.Fuzz(func(t *testing.T, fields, permissions, indexes []byte) {
		d := classes.Definition{Fields: fields, Permissions: permissions, Indexes: indexes}
		for _, try := range []func() error{
			func() error { _, err := p.Create(t.Context(), "Fuzz", d, ""); return err },
			func() error { _, err := p.Update(t.Context(), "Fuzz", d, ""); return err },
			func() error { return p.Drop(t.Context(), "Fuzz", "") },
		} {
			if err := try(); err != nil {
				if e := parseerror.From(err); e == nil || e.Internal() {
					t.Errorf("fields %q, permissions %q, indexes %q: %v", fields, permissions, indexes, err)
				}
			}
		}
	})
}
