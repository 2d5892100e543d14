package sqlite

import (
	"errors"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
	"github.com/parsescale/parsescale/server/storage/storetest"
)

func mustClass(t testing.TB, s *Store, name string) *schema.Class {
	t.Helper()
	c := s.catalog.Load().schema.Class(name)
	if c == nil {
		t.Fatalf("no class %s", name)
	}
	return c
}

// TestEndlessRegex: a pattern that only backtracking can match is given up in time.
func TestEndlessRegex(t *testing.T) {
	s := newStore(t)
	insert(t, s, class(t, s, "Q", "long String"), `{"objectId":"9","long":"`+strings.Repeat("a", 40)+`!"}`)
	_, err := ids(s, storage.Find{Class: &schema.Class{Name: "Q"}, Where: &query.Regex{Path: "long", Pattern: `^(?=(a+)+$)`}, Limit: -1})
	var refused *storage.Unsupported
	if !errors.As(err, &refused) || refused.Code != 102 || refused.Message != "$regex takes too long to match" {
		t.Errorf("%#v", err)
	}
}

// TestNames: what SQLite's names can't tell apart, or reserve, parse's can.
func TestNames(t *testing.T) {
	s := newStore(t)
	names := []string{"Thing", "thing", "THING", "sqlite_master", "Select"}
	for i, name := range names {
		c := class(t, s, name, "a Number", "A Number", "value Array", "json Array", "type String", "rowid Number")
		insert(t, s, c, `{"objectId":"`+strings.Repeat("x", i+1)+`","a":1,"A":2,"value":["v"],"json":["j"],"type":"t","rowid":5}`)
	}
	class(t, s, "Thing", "B Number", "b Number")
	reopened := open(t, s.location.path)
	for i, name := range names {
		for _, s := range []*Store{s, reopened} {
			got, err := ids(s, storage.Find{Class: &schema.Class{Name: name}, Where: where(t, `{"a":1,"A":2,"value":"v","json":{"$in":["j","k"]},"type":"t","rowid":5}`), Limit: -1})
			if want := strings.Repeat("x", i+1); got != want || err != nil {
				t.Errorf("%s: %q, %v; want %q", name, got, err, want)
			}
		}
	}
}

// TestEveryValueIsBound: no text of a query is part of the SQL.
func TestEveryValueIsBound(t *testing.T) {
	s := newStore(t)
	storetest.Library(t, s)
	const mark = `MARK'"x`
	quoted := json(mark)
	cat := s.catalog.Load()
	for _, op := range []string{`{"$eq":V}`, `{"$ne":V}`, `{"$lt":V}`, `{"$in":[V]}`, `{"$in":[V,V,1,V,V,V,V,V,V,V,V]}`, `{"$nin":[V,V]}`, `{"$all":[V]}`, `{"$containedBy":[V,{"k":V}]}`, `{"$regex":V}`,
		`{"$eq":{"k":V}}`, `{"$inQuery":{"className":"Author","where":{"name":V}}}`, `{"$select":{"query":{"className":"Author","where":{"name":V}},"key":"name"}}`,
		`{"__type":"Pointer","className":V,"objectId":V}`} {
		for _, field := range []string{"nm", "ar", "o", "o.x", "p", "f"} {
			for _, form := range []string{`{"F":O}`, `{"$nor":[{"F":O}]}`} {
				text := strings.NewReplacer("F", field, "O", strings.ReplaceAll(op, "V", quoted)).Replace(form)
				e, err := query.ParseWhere([]byte(text), query.Limits{})
				if err != nil {
					continue
				}
				var b sqlbuild.Builder
				f := &storage.Find{Schema: cat.schema, Class: cat.schema.Class("Q"), Where: e, Readers: []string{mark}, Limit: 7}
				var refused *storage.Unsupported
				if err := b.Find(dialect{cat}, f, []string{"objectId"}); err != nil && !errors.As(err, &refused) {
					t.Errorf("%s: %v", text, err)
				}
				if strings.Contains(string(b.SQL), "MARK") {
					t.Errorf("%s became %s", text, b.SQL)
				}
			}
		}
	}
}
