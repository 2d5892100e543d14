package postgres

import (
	"errors"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
	"github.com/parsescale/parsescale/server/storage/storetest"
	"github.com/parsescale/parsescale/server/testservices"
)

// TestEveryValueIsBound: no text of a query is part of the SQL.
func TestEveryValueIsBound(t *testing.T) {
	author := schema.New("Author", map[string]schema.Field{"name": {Type: schema.String}})
	q := schema.New("Q", map[string]schema.Field{"nm": {Type: schema.String}, "ar": {Type: schema.Array}, "o": {Type: schema.Object},
		"p": {Type: schema.Pointer, TargetClass: "Author"}, "f": {Type: schema.File}})
	author.Columns, q.Columns = author.Stored(nil), q.Stored(nil)
	sch := &schema.Schema{Classes: map[string]*schema.Class{"Author": author, "Q": q}}
	const mark = `MARK'"x`
	quoted := string(query.AppendJSON(nil, mark))
	built := 0
	for _, op := range []string{`{"$eq":V}`, `{"$ne":V}`, `{"$lt":V}`, `{"$in":[V]}`, `{"$in":[V,V]}`, `{"$nin":[V,V]}`, `{"$all":[V]}`, `{"$containedBy":[V,{"k":V}]}`, `{"$regex":V}`,
		`{"$eq":{"k":V}}`, `{"$inQuery":{"className":"Author","where":{"name":V}}}`, `{"$select":{"query":{"className":"Author","where":{"name":V}},"key":"name"}}`,
		`{"__type":"Pointer","className":V,"objectId":V}`, `{"$text":{"$search":{"$term":V,"$language":V}}}`} {
		for _, field := range []string{"nm", "ar", "o", "o.x", "p", "f"} {
			for _, form := range []string{`{"F":O}`, `{"$nor":[{"F":O}]}`} {
				text := strings.NewReplacer("F", field, "O", strings.ReplaceAll(op, "V", quoted)).Replace(form)
				e, err := query.ParseWhere([]byte(text), query.Limits{})
				if err != nil {
					continue
				}
				var b sqlbuild.Builder
				var refused *storage.Unsupported
				if err := b.Find(dialect{}, &storage.Find{Schema: sch, Class: q, Where: e, Readers: []string{mark}, Limit: 7}, []string{"objectId"}); err != nil && !errors.As(err, &refused) {
					t.Errorf("%s: %v", text, err)
				}
				if strings.Contains(string(b.SQL), "MARK") {
					t.Errorf("%s became %s", text, b.SQL)
				}
				built++
			}
		}
	}
	if built < 100 {
		t.Errorf("only %d queries were built", built)
	}
}

// TestRights: a role that may not create what the store needs is told what to do; once it is there, the role needs no more
// than its own tables.
func TestRights(t *testing.T) {
	p, uri := testservices.SharedDatabase(t)
	name := uri[strings.LastIndexByte(uri, '/')+1:]
	role := "poor_" + name
	if err := p.SQL(name, `CREATE ROLE "`+role+`" LOGIN`); err != nil {
		t.Fatal(err)
	}
	poor := strings.Replace(uri, "postgres@", role+"@", 1)
	if _, err := Open(t.Context(), Options{URI: poor}); err == nil || !strings.Contains(err.Error(), "GRANT CREATE ON DATABASE") {
		t.Errorf("without rights: %v", err)
	}
	if err := p.SQL(name, `GRANT CREATE ON DATABASE "`+name+`" TO "`+role+`"; GRANT ALL ON SCHEMA public TO "`+role+`"`); err != nil {
		t.Fatal(err)
	}
	s := open(t, poor)
	c := storetest.PutClass(t, s, "A", "n Number")
	storetest.Insert(t, s, c, `{"objectId":"1"}`)
	if err := p.SQL(name, `REVOKE CREATE ON DATABASE "`+name+`" FROM "`+role+`"`); err != nil {
		t.Fatal(err)
	}
	if got := storetest.All(t, open(t, poor), "A"); got != "1" {
		t.Errorf("later: %q", got)
	}
}

// TestNUL: what PostgreSQL can't hold is refused as the client's mistake, and is found nowhere.
func TestNUL(t *testing.T) {
	s := open(t, database(t))
	c := storetest.PutClass(t, s, "A", "s String", "o Object", "a Array")
	for _, o := range []storage.Object{{"s": "x\x00"}, {"o": map[string]any{"k": "x\x00"}}, {"o": map[string]any{"x\x00": 1.0}}, {"a": []any{"\x00"}}} {
		o["objectId"] = "1"
		var refused *storage.Unsupported
		if err := storetest.Try(s, func(tx storage.Tx) error { return tx.Insert(ctx, c, o) }); !errors.As(err, &refused) || refused.Code != codeInvalidJSON {
			t.Errorf("%v: %v", o, err)
		}
	}
	storetest.Insert(t, s, c, `{"objectId":"1","s":"\\u0000","o":{"k":"\\u0000"},"a":["\\u0000"]}`)
	if o := storetest.Get(t, s, "A", "1"); o["s"] != `\u0000` {
		t.Errorf("a text that reads like NUL's escape: %v", o)
	}
	if o := storetest.Get(t, s, "A", "1\x00"); o != nil {
		t.Errorf("found %v", o)
	}
}

// TestNumbersOfEightDigits: as text they are as long as others are in binary form.
func TestNumbersOfEightDigits(t *testing.T) {
	for text, want := range map[string]int64{"7": 7, "12345678": 12345678, "123456789": 123456789, "-1234567": -1234567} {
		if got := bigint([]byte(text)); got != want {
			t.Errorf("%s: %d", text, got)
		}
	}
	s := open(t, database(t))
	c := storetest.PutClass(t, s, "A")
	p, name := server(t), s.primary.location.config.Database
	if err := p.SQL(name, `UPDATE parsescale._schema_version SET version = 12345678`); err != nil {
		t.Fatal(err)
	}
	hasty := storetest.Hasty(s)
	storetest.Insert(t, hasty, c, `{"objectId":"1"}`)
	if got := storetest.All(t, s, "A"); got != "1" {
		t.Errorf("kept %q", got)
	}
}
