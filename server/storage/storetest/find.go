package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// Library stores the objects the operator tables ask about.
func Library(t testing.TB, s storage.Store) {
	t.Helper()
	PutClass(t, s, "Author", "name String", "fans Relation Author")
	q := PutClass(t, s, "Q", "nm String", "i Number", "b Boolean", "d Date", "o Object", "ar Array", "p Pointer Author", "f File", "g GeoPoint")
	Insert(t, s, Class(t, s, "Author"), `{"objectId":"a1","name":"x"}`, `{"objectId":"a2","name":"y"}`, `{"objectId":"a3","name":"z","_rperm":[]}`, `{"objectId":"a4"}`)
	Insert(t, s, q,
		`{"objectId":"0","nm":"a","i":0,"b":true,"d":{"__type":"Date","iso":"2020-01-01T00:00:00.000Z"},"o":{"x":0,"t":"t0","deep":{"l":[1,2]}},"ar":[1],"p":{"__type":"Pointer","className":"Author","objectId":"a1"},"f":{"__type":"File","name":"n.txt"},"g":{"__type":"GeoPoint","latitude":1,"longitude":2}}`,
		`{"objectId":"1","nm":"b","i":1,"b":false,"d":{"__type":"Date","iso":"2021-01-01T00:00:00.000Z"},"o":{"x":1,"t":"t1","n":null,"y":true},"ar":[1,2],"p":{"__type":"Pointer","className":"Author","objectId":"a2"}}`,
		`{"objectId":"2","nm":"Ab c","i":2.5,"o":{"x":2,"s":"2"},"ar":[1,2,3,"x",true,null,{"k":"v"},{"__type":"Pointer","className":"Author","objectId":"a1"}],"p":{"__type":"Pointer","className":"Author","objectId":"a3"}}`,
		`{"objectId":"3","i":-1}`)
}

func library(t testing.TB, d Database) storage.Store {
	s := d.open(t)
	Library(t, s)
	return s
}

func operators(t *testing.T, d Database) {
	s := library(t, d)
	for _, tt := range []struct{ name, where, want string }{
		{"everything", `{}`, "0 1 2 3"},
		{"equal", `{"nm":"a"}`, "0"},
		{"equal number", `{"i":2.5}`, "2"},
		{"equal boolean", `{"b":false}`, "1"},
		{"equal date", `{"d":{"__type":"Date","iso":"2021-01-01T00:00:00.000Z"}}`, "1"},
		{"equal pointer", `{"p":{"__type":"Pointer","className":"Author","objectId":"a2"}}`, "1"},
		{"pointer by its id", `{"p":"a2"}`, "1"},
		{"file by its name", `{"f":"n.txt"}`, "0"},
		{"equal geopoint", `{"g":{"__type":"GeoPoint","latitude":1,"longitude":2}}`, "0"},
		{"date by its text", `{"d":"2021-01-01T00:00:00Z"}`, "1"},
		{"null", `{"nm":null}`, "3"},
		{"not null", `{"nm":{"$ne":null}}`, "0 1 2"},
		{"ne counts the missing in", `{"nm":{"$ne":"a"}}`, "1 2 3"},
		{"exists", `{"nm":{"$exists":true}}`, "0 1 2"},
		{"doesn't exist", `{"nm":{"$exists":false}}`, "3"},
		{"in", `{"nm":{"$in":["a","b"]}}`, "0 1"},
		{"in with null", `{"nm":{"$in":["a",null]}}`, "0"},
		{"in of one", `{"i":{"$in":[1]}}`, "1"},
		{"in of many", `{"nm":{"$in":["a","b","c","d","e","f","g","h","i","j"]}}`, "0 1"},
		{"in of many numbers", `{"i":{"$in":[0,1,2,3,4,5,6,7,8,9]}}`, "0 1"},
		{"in of many dates", `{"d":{"$in":[{"__type":"Date","iso":"2021-01-01T00:00:00.000Z"},{"__type":"Date","iso":"2021-01-02T00:00:00.000Z"}]}}`, "1"},
		{"empty in", `{"nm":{"$in":[]}}`, "3"},
		{"in of another type", `{"i":{"$in":["a"]}}`, ""},
		{"in of another type among numbers", `{"i":{"$in":["a",0]}}`, "0"},
		{"nin leaves the missing out", `{"nm":{"$nin":["a"]}}`, "1 2"},
		{"empty nin", `{"nm":{"$nin":[]}}`, "0 1 2 3"},
		{"greater", `{"i":{"$gt":1}}`, "2"},
		{"range", `{"i":{"$gte":0,"$lt":2.5}}`, "0 1"},
		{"less or equal", `{"i":{"$lte":0}}`, "0 3"},
		{"strings bytewise", `{"nm":{"$lt":"a"}}`, "2"},
		{"dates in order", `{"d":{"$lt":{"__type":"Date","iso":"2020-06-01T00:00:00.000Z"}}}`, "0"},
		{"another type", `{"i":"x"}`, ""},
		{"boolean on a number", `{"i":true}`, ""},
		{"different from another type", `{"i":{"$ne":"x"}}`, "0 1 2 3"},
		{"order between types", `{"i":{"$gt":"x"}}`, ""},
		{"or", `{"$or":[{"i":0},{"nm":"b"}]}`, "0 1"},
		{"and", `{"$and":[{"i":{"$gt":-1}},{"i":{"$lt":2}}]}`, "0 1"},
		{"nor", `{"$nor":[{"i":0},{"i":1}]}`, "2 3"},
		{"nor of the missing is null", `{"$nor":[{"nm":"a"}]}`, "1 2"},
		{"unknown field", `{"nosuch":1}`, ""},
		{"unknown field null", `{"nosuch":null}`, ""},
		{"unknown field in or", `{"$or":[{"nosuch":1},{"i":0}]}`, ""},
		{"unknown field doesn't exist", `{"nosuch":{"$exists":false},"i":0}`, "0"},
		{"array contains number", `{"ar":2}`, "1 2"},
		{"array contains text", `{"ar":"x"}`, "2"},
		{"array: a text isn't a number", `{"ar":"1"}`, ""},
		{"array contains boolean", `{"ar":true}`, "2"},
		{"array: true isn't 1", `{"ar":{"$in":[true]}}`, "2"},
		{"array contains object", `{"ar":{"$eq":{"k":"v"}}}`, "2"},
		{"array contains pointer", `{"ar":{"__type":"Pointer","className":"Author","objectId":"a1"}}`, "2"},
		{"array contains pointer of another class", `{"ar":{"__type":"Pointer","className":"B","objectId":"a1"}}`, ""},
		{"array ne", `{"ar":{"$ne":2}}`, "0"},
		{"array in", `{"ar":{"$in":[3,"zz"]}}`, "2"},
		{"array nin", `{"ar":{"$nin":[3]}}`, "0 1"},
		{"array all", `{"ar":{"$all":[1,2]}}`, "1 2"},
		{"array all as text", `{"ar":{"$all":["1"]}}`, "0 1 2"},
		{"array all of nothing", `{"ar":{"$all":[]}}`, ""},
		{"array all prefixes", `{"ar":{"$all":[{"$regex":"^\\Qx\\E"}]}}`, "2"},
		{"contained by", `{"ar":{"$containedBy":[1,2]}}`, "0 1"},
		{"contained by composites", `{"ar":{"$containedBy":[1,2,3,"x",true,null,{"k":"v","more":1},{"__type":"Pointer","className":"Author","objectId":"a1"}]}}`, "0 1 2"},
		{"path number", `{"o.x":2}`, "2"},
		{"path text", `{"o.t":"t1"}`, "1"},
		{"path text of a number", `{"o.x":"2"}`, "2"},
		{"path boolean", `{"o.y":true}`, "1"},
		{"path greater", `{"o.x":{"$gt":0}}`, "1 2"},
		{"path ne", `{"o.x":{"$ne":1}}`, "0 2 3"},
		{"path exists", `{"o.t":{"$exists":true}}`, "0 1"},
		{"path null", `{"o.t":null}`, "2 3"},
		{"path of JSON null", `{"o.n":null}`, "0 1 2 3"},
		{"path into array", `{"o.deep.l.1":2}`, "0"},
		{"path holds", `{"o.deep.l":{"$in":[2,1]}}`, "0"},
		{"path holds not", `{"o.deep.l":{"$in":[3,1]}}`, ""},
		{"path regex", `{"o.t":{"$regex":"1$"}}`, "1"},
		{"path with a quote", `{"o.a_b":"x\" OR 1"}`, ""},
		{"regex", `{"nm":{"$regex":"^[ab]"}}`, "0 1"},
		{"regex without case", `{"nm":{"$regex":"^A","$options":"i"}}`, "0 2"},
		{"regex extended", `{"nm":{"$regex":" ^ b # comment","$options":"x"}}`, "1"},
		{"regex quoted", `{"nm":{"$regex":"^\\QAb c\\E$"}}`, "2"},
		{"regex with look-ahead", `{"nm":{"$regex":"^(?=A)(?!Ac)"}}`, "2"},
		{"regex on a number", `{"i":{"$regex":"1"}}`, ""},
		{"inQuery", `{"p":{"$inQuery":{"className":"Author","where":{"name":"x"}}}}`, "0"},
		{"inQuery of nothing asks for the missing", `{"p":{"$inQuery":{"className":"Author","where":{"name":"none"}}}}`, "3"},
		{"inQuery of an unknown class", `{"p":{"$inQuery":{"className":"None","where":{}}}}`, "3"},
		{"inQuery with an unknown field", `{"p":{"$inQuery":{"className":"Author","where":{"nosuch":1}}}}`, "3"},
		{"inQuery on an array", `{"ar":{"$inQuery":{"className":"Author","where":{"name":"x"}}}}`, "2"},
		{"notInQuery", `{"p":{"$notInQuery":{"className":"Author","where":{"name":"x"}}}}`, "1 2"},
		{"notInQuery of nothing", `{"p":{"$notInQuery":{"className":"Author","where":{"name":"none"}}}}`, "0 1 2 3"},
		{"notInQuery on an array", `{"ar":{"$notInQuery":{"className":"Author","where":{"name":"x"}}}}`, "0 1"},
		{"nested inQuery", `{"p":{"$inQuery":{"className":"Author","where":{"objectId":{"$inQuery":{"className":"Author","where":{"name":"y"}}}}}}}`, "1"},
		{"select", `{"p":{"$select":{"query":{"className":"Author","where":{"name":"x"}},"key":"objectId"}}}`, "0"},
		{"dontSelect", `{"p":{"$dontSelect":{"query":{"className":"Author","where":{"name":"x"}},"key":"objectId"}}}`, "1 2"},
		{"select leaves nulls out", `{"nm":{"$dontSelect":{"query":{"className":"Author","where":{}},"key":"name"}}}`, "0 1 2"},
		{"path of a text", `{"nm.x":{"$exists":true}}`, ""},
		{"path of a text doesn't exist", `{"nm.x":{"$exists":false}}`, "0 1 2 3"},
		{"path equals an object", `{"o.deep":{"l":[1,2]}}`, "0"},
		{"path equals an array", `{"o.deep.l":[1,2]}`, "0"},
		{"path equals another array", `{"o.deep.l":[2,1]}`, ""},
		{"path in nothing", `{"o.x":{"$in":[]}}`, ""},
		{"all on a path", `{"o.x":{"$all":[1]}}`, ""},
		{"all on a number", `{"i":{"$all":[1]}}`, ""},
		{"prefix on a text", `{"nm":{"$all":[{"$regex":"^\\Qa\\E"}]}}`, ""},
		{"number by its text", `{"i":"2.50"}`, "2"},
		{"greater than a number's text", `{"i":{"$gt":" 1 "}}`, "2"},
		{"after a day", `{"d":{"$gt":"2020-12-31"}}`, "1"},
		{"select of what is inside", `{"nm":{"$select":{"query":{"className":"Q","where":{"i":2.5}},"key":"o.s"}}}`, ""},
		{"select of a number inside", `{"i":{"$select":{"query":{"className":"Q","where":{"nm":{"$in":["a","b"]}}},"key":"o.x"}}}`, "0 1"},
		{"select of nothing inside", `{"i":{"$select":{"query":{"className":"Q","where":{"nosuch":1}},"key":"o.x"}}}`, ""},
		{"select of an unknown key", `{"nm":{"$select":{"query":{"className":"Author","where":{}},"key":"nosuch"}}}`, "3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := IDs(s, storage.Find{Class: &schema.Class{Name: "Q"}, Where: Where(t, tt.where), Limit: -1})
			if err != nil || got != tt.want {
				t.Errorf("%s: %q, %v; want %q", tt.where, got, err, tt.want)
			}
		})
	}
}

func readers(t *testing.T, d Database) {
	s := library(t, d)
	author := &schema.Class{Name: "Author"}
	for _, tt := range []struct {
		name    string
		class   string
		where   string
		readers []string
		want    string
	}{
		{"master", "Author", `{}`, nil, "a1 a2 a3 a4"},
		{"public", "Author", `{}`, []string{"*"}, "a1 a2 a4"},
		{"within a sub-query", "Q", `{"p":{"$inQuery":{"className":"Author","where":{}}}}`, []string{"*"}, "0 1"},
		{"sub-query of the master", "Q", `{"p":{"$inQuery":{"className":"Author","where":{}}}}`, nil, "0 1 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := IDs(s, storage.Find{Class: &schema.Class{Name: tt.class}, Where: Where(t, tt.where), Readers: tt.readers, Limit: -1})
			if err != nil || got != tt.want {
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
	Insert(t, s, Class(t, s, "Author"), `{"objectId":"a5","_rperm":["u1","role:\"x"]}`)
	for readers, want := range map[string]string{"* u1": "a1 a2 a4 a5", "* role:\"x": "a1 a2 a4 a5", "* u2": "a1 a2 a4", "": "a1 a2 a4",
		"* a b c d e f g h i j u1": "a1 a2 a4 a5"} {
		got, err := IDs(s, storage.Find{Class: author, Readers: append([]string{}, strings.Fields(readers)...), Limit: -1})
		if err != nil || got != want {
			t.Errorf("readers %s: %q, %v; want %q", readers, got, err, want)
		}
	}
}

func orderLimitCount(t *testing.T, d Database) {
	s := library(t, d)
	q := &schema.Class{Name: "Q"}
	for _, tt := range []struct {
		order       string
		limit, skip int
		want        string
	}{
		{"", -1, 0, "0 1 2 3"},
		{"nm", -1, 0, "2 0 1 3"},
		{"-nm", -1, 0, "3 1 0 2"},
		{"-i", -1, 0, "2 1 0 3"},
		{"i", 2, 1, "0 1"},
		{"i", -1, 3, "2"},
		{"objectId", 0, 0, ""},
		{"b,-objectId", -1, 0, "1 0 3 2"},
		{"o.x", -1, 0, "0 1 2 3"},
		{"-o.x", -1, 0, "3 2 1 0"},
		{"ar", -1, 0, "0 1 2 3"},
		{"nosuch,-objectId", -1, 0, "3 2 1 0"},
		{"g,-objectId", -1, 0, "3 2 1 0"},
	} {
		f := storage.Find{Class: q, Limit: tt.limit, Skip: tt.skip}
		for term := range strings.SplitSeq(tt.order, ",") {
			if term != "" {
				f.Order = append(f.Order, query.Sort{Path: query.Path(strings.TrimPrefix(term, "-")), Desc: term[0] == '-'})
			}
		}
		if got, err := IDs(s, f); err != nil || got != tt.want {
			t.Errorf("order %q limit %d skip %d: %q, %v; want %q", tt.order, tt.limit, tt.skip, got, err, tt.want)
		}
	}
	for text, want := range map[string]int64{`{}`: 4, `{"i":{"$gt":0}}`: 2, `{"nosuch":1}`: 0, `{"i":"x"}`: 0} {
		err := s.Read(ctx, func(sn storage.Snapshot) error {
			sc, _ := sn.Schema(ctx)
			n, err := sn.Count(ctx, &storage.Find{Schema: sc, Class: sc.Class("Q"), Where: Where(t, text), Limit: 1, Skip: 9})
			if n != want {
				t.Errorf("count of %s: %d, want %d", text, n, want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func refusedQueries(t *testing.T, d Database) {
	s := library(t, d)
	for _, tt := range []struct {
		name    string
		where   query.Expr
		code    int
		message string
	}{
		{"unknown operator", Where(t, `{"nm":{"$foo":1}}`), 119, `Postgres doesn't support this query type yet {"$foo":1}`},
		{"a whole array", Where(t, `{"ar":[1]}`), 119, `Postgres doesn't support this query type yet [1]`},
		{"$all without a list", Where(t, `{"ar":{"$all":1}}`), 119, `Postgres doesn't support this query type yet {"$all":1}`},
		{"a number in a list of texts", Where(t, `{"nm":{"$in":["a",1]}}`), 102, `$in element type mismatch: expected string for field "nm"`},
		{"an object in a list of unwanted texts", Where(t, `{"nm":{"$nin":[{"k":1}]}}`), 102, `$nin element type mismatch: expected string for field "nm"`},
		{"relative time on a number", Where(t, `{"i":{"$lt":{"$relativeTime":"now"}}}`), 107, "$relativeTime can only be used with Date field"},
		{"bad regex", &query.Regex{Path: "nm", Pattern: "["}, 102, "Bad $regex value for query: it is not a regular expression"},
		{"bad path", &query.Compare{Path: `o.a"b`, Value: "x"}, 105, `Invalid key name: o.a"b`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := IDs(s, storage.Find{Class: &schema.Class{Name: "Q"}, Where: tt.where, Limit: -1})
			var unsupported *storage.Unsupported
			if !errors.As(err, &unsupported) || unsupported.Code != tt.code || unsupported.Message != tt.message {
				t.Errorf("%#v", err)
			}
		})
	}
}

// noTable: a class without a table has no objects, but what nobody can ask is refused there too.
func noTable(t *testing.T, d Database) {
	s := library(t, d)
	absent := &schema.Class{Name: "Absent"}
	err := s.Read(t.Context(), func(snapshot storage.Snapshot) error {
		sch, err := snapshot.Schema(t.Context())
		if err != nil {
			return err
		}
		for text, refused := range map[string]bool{
			`{}`: false, `{"n":{"$gt":1}}`: false, `{"$or":[{"a.b":1},{"p":{"$inQuery":{"className":"Q","where":{}}}}]}`: false,
			`{"n":{"$foo":1}}`: true, `{"$nor":[{"n":[1]}]}`: true, `{"p":{"$inQuery":{"className":"Absent","where":{"n":{"$foo":1}}}}}`: true,
		} {
			f := &storage.Find{Schema: sch, Class: absent, Where: Where(t, text), Limit: -1}
			found := snapshot.Find(t.Context(), f, func(storage.Row) error { return errors.New("an object") })
			n, counted := snapshot.Count(t.Context(), f)
			var unsupported *storage.Unsupported
			for _, err := range []error{found, counted} {
				if errors.As(err, &unsupported) != refused || !refused && err != nil || n != 0 {
					t.Errorf("%s: %d objects, %v", text, n, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// largeQueries: what the parser lets through, the database takes or refuses as a query, never as a failure.
func largeQueries(t *testing.T, d Database) {
	s := library(t, d)
	for name, one := range map[string]string{"numbers": `{"i":{"$in":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]}}`, "compared": `{"nm":"a"}`, "arrays": `{"ar":{"$all":["a","b"]}}`, "paths": `{"o.x":{"$gt":1}}`} {
		t.Run(name, func(t *testing.T) {
			text := `{"$or":[` + strings.Repeat(one+",", 1300) + one + `]}`
			_, err := IDs(s, storage.Find{Class: &schema.Class{Name: "Q"}, Where: Where(t, text), Limit: -1})
			var refused *storage.Unsupported
			if err != nil && !errors.As(err, &refused) {
				t.Error(err)
			}
		})
	}
}

// characterClasses: \w and \s know more than ASCII.
func characterClasses(t *testing.T, d Database) {
	s := d.open(t)
	c := PutClass(t, s, "W", "s String")
	texts := []string{"a", "_", "ä", "ж", "٣", "Ⅷ", "½", "€", "e\u0301", " ", "\u2003", "\u3000", "\u00a0", "\u200b", "\t"}
	for i, text := range texts {
		Put(t, s, func(tx storage.Tx) error {
			return tx.Insert(ctx, c, storage.Object{"objectId": fmt.Sprint(10 + i), "s": text})
		})
	}
	for pattern, want := range map[string]string{
		`^\w$`:       "10 11 12 13 14 15",
		`^\W$`:       "16 17 19 20 21 22 23 24",
		`^[\w€]$`:    "10 11 12 13 14 15 17",
		`^[^\w]$`:    "16 17 19 20 21 22 23 24",
		`^\s$`:       "19 20 21 24",
		`^[\s\w]+$`:  "10 11 12 13 14 15 19 20 21 24",
		`^\S$`:       "10 11 12 13 14 15 16 17 22 23",
		`^[]\w]$`:    "10 11 12 13 14 15",
		`^\d$`:       "",
		`^(?=.)\w+$`: "10 11 12 13 14 15",
	} {
		f := storage.Find{Class: c, Where: &query.Regex{Path: "s", Pattern: pattern}, Limit: -1, Order: []query.Sort{{Path: "objectId"}}}
		if got, err := IDs(s, f); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", pattern, got, err, want)
		}
	}
}
