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

func roundTrip(t *testing.T, d Database) {
	s := d.open(t)
	c := PutClass(t, s, "All", "s String", "n Number", "b Boolean", "d Date", "o Object", "a Array", "p Pointer All", "f File",
		"g GeoPoint", "poly Polygon", "by Bytes", "rel Relation All")
	Insert(t, s, c, `{"objectId":"x1","createdAt":{"__type":"Date","iso":"2020-01-02T03:04:05.678Z"},"updatedAt":{"__type":"Date","iso":"2020-01-02T03:04:05.678Z"},
		"s":"a\"<b>\u0001é","n":1.5,"b":true,"d":{"__type":"Date","iso":"1969-12-31T23:59:59.999Z"},
		"o":{"k":1,"aa":[true,null,"x"],"when":{"__type":"Date","iso":"2020-01-01T00:00:00.000Z"}},"a":[1,"1",true,{"__type":"Pointer","className":"All","objectId":"x1"}],
		"p":{"__type":"Pointer","className":"All","objectId":"x1"},"f":{"__type":"File","name":"n.txt","url":"http://x/n.txt"},
		"g":{"__type":"GeoPoint","latitude":10,"longitude":-20.5},"poly":{"__type":"Polygon","coordinates":[[0,0],[0,1],[1,1]]},
		"by":{"__type":"Bytes","base64":"aGk="},"_rperm":["*","u1"],"_wperm":["u1","role:Admin"]}`)
	want := `{"objectId":"x1","createdAt":"2020-01-02T03:04:05.678Z","updatedAt":"2020-01-02T03:04:05.678Z",` +
		`"a":[1,"1",true,{"__type":"Pointer","className":"All","objectId":"x1"}],"b":true,"by":{"__type":"Bytes","base64":"aGk="},` +
		`"d":{"__type":"Date","iso":"1969-12-31T23:59:59.999Z"},"f":{"__type":"File","name":"n.txt","url":"http://f/n.txt"},` +
		`"g":{"__type":"GeoPoint","latitude":10,"longitude":-20.5},"n":1.5,"o":{"k":1,"aa":[true,null,"x"],"when":{"__type":"Date","iso":"2020-01-01T00:00:00.000Z"}},` +
		`"p":{"objectId":"x1","__type":"Pointer","className":"All"},"poly":{"__type":"Polygon","coordinates":[[0,0],[0,1],[1,1],[0,0]]},` +
		`"s":"a\"<b>\u0001é","rel":{"__type":"Relation","className":"All"},"ACL":{"*":{"read":true},"u1":{"read":true,"write":true},"role:Admin":{"write":true}}}`
	shape := &storage.Shape{FileURL: func(dst []byte, name string) []byte { return append(append(dst, "http://f/"...), name...) }}
	// The members of what stands inside a value are in the order of the database.
	got := shown(t, s, c, nil, shape)
	gotValue, err := query.Decode([]byte(got))
	wantValue, err2 := query.Decode([]byte(want))
	if err != nil || err2 != nil || !query.Equal(gotValue, wantValue) || len(got) != len(want) {
		t.Errorf("shown:\n got %s\nwant %s", got, want)
	}
	shapes := []struct {
		name    string
		columns []string
		shape   storage.Shape
		want    string
	}{
		{"keep", nil, storage.Shape{Keep: map[string]bool{"n": true}}, `{"objectId":"x1","createdAt":"2020-01-02T03:04:05.678Z","updatedAt":"2020-01-02T03:04:05.678Z","n":1.5,"ACL":{"*":{"read":true},"u1":{"read":true,"write":true},"role:Admin":{"write":true}}}`},
		{"hide", []string{"n", "b"}, storage.Shape{Hide: map[string]bool{"n": true, "rel": true, "objectId": true}}, `{"b":true}`},
		{"columns in order", []string{"n", "nosuch", "objectId", "b"}, storage.Shape{Hide: map[string]bool{"rel": true}}, `{"n":1.5,"objectId":"x1","b":true}`},
		{"embedded", []string{}, storage.Shape{Embedded: true, Hide: map[string]bool{"rel": true}}, `{"objectId":"x1","__type":"Object","className":"All"}`},
		{"extra", []string{"ACL"}, storage.Shape{Hide: map[string]bool{"rel": true, "objectId": true, "ACL": true}, Extra: func(dst []byte) []byte { return append(dst, `,"x":1`...) }}, `{"x":1}`},
		{"pointer left out", []string{"p", "n"}, storage.Shape{Hide: map[string]bool{"rel": true}, Pointer: func(dst []byte, field string, p query.Pointer) ([]byte, bool) { return append(dst, "junk"...), false }}, `{"n":1.5,"objectId":"x1"}`},
		{"pointer replaced", []string{"p"}, storage.Shape{Hide: map[string]bool{"rel": true}, Pointer: func(dst []byte, field string, p query.Pointer) ([]byte, bool) {
			return append(dst, field+p.ClassName+p.ObjectID...), true
		}}, `{"p":pAllx1,"objectId":"x1"}`},
	}
	for _, tt := range shapes {
		t.Run(tt.name, func(t *testing.T) {
			if got := shown(t, s, c, tt.columns, &tt.shape); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	o := Get(t, s, "All", "x1")
	if o["s"] != "a\"<b>\x01é" || o["b"] != true || !query.Equal(o["p"], query.Pointer{ClassName: "All", ObjectID: "x1"}) ||
		!query.Equal(o["f"], query.File{Name: "n.txt"}) || !query.Equal(o["_wperm"], []any{"u1", "role:Admin"}) {
		t.Errorf("Get: %v", o)
	}
}

func shown(t *testing.T, s storage.Store, c *schema.Class, columns []string, shape *storage.Shape) string {
	t.Helper()
	var out []byte
	err := s.Read(ctx, func(sn storage.Snapshot) error {
		sc, _ := sn.Schema(ctx)
		f := &storage.Find{Schema: sc, Class: sc.Class(c.Name), Limit: -1, Columns: columns}
		return sn.Find(ctx, f, func(r storage.Row) error {
			out = r.AppendJSON(out, shape)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func writes(t *testing.T, d Database) { writesTo(t, d.open(t)) }

// hastyWrites are the same writes, each of which says that it is the last one; and several that all say so.
func hastyWrites(t *testing.T, d Database) {
	s := Hasty(d.open(t))
	writesTo(t, s)
	c := Class(t, s, "A")
	Put(t, s, func(tx storage.Tx) error {
		return errors.Join(tx.Insert(ctx, c, storage.Object{"objectId": "3", "n": 3.0}), tx.Insert(ctx, c, storage.Object{"objectId": "4"}),
			tx.Update(ctx, c, "3", storage.Object{"n": 4.0}), tx.Delete(ctx, c, "4"))
	})
	if got := All(t, s, "A"); got != "3" {
		t.Errorf("kept %q", got)
	}
	if o := Get(t, s, "A", "3"); o["n"] != 4.0 {
		t.Errorf("after several: %v", o)
	}
	no := errors.New("no")
	err := Try(s, func(tx storage.Tx) error { return errors.Join(tx.Insert(ctx, c, storage.Object{"objectId": "5"}), no) })
	if got := All(t, s, "A"); !errors.Is(err, no) || got != "3" {
		t.Errorf("a failed write: %v, kept %q", err, got)
	}
	// Another process adds a column, and takes it away: what is prepared and known fits no more.
	other := d.open(t)
	for i, fields := range []string{"n Number", "more String", "less String"} {
		wide := PutClass(t, other, "A", fields)
		Put(t, s, func(tx storage.Tx) error {
			sc, err := tx.Schema(ctx)
			if err != nil {
				return err
			}
			if len(sc.Class("A").Fields) != len(wide.Fields) {
				// It may be asked again with the right one.
				return tx.Insert(ctx, sc.Class("A"), storage.Object{"objectId": fmt.Sprint("old", i)})
			}
			return tx.Insert(ctx, sc.Class("A"), storage.Object{"objectId": fmt.Sprint("w", i)})
		})
	}
	if got := All(t, s, "A"); got != "3 w0 w1 w2" {
		t.Errorf("kept %q", got)
	}
	Put(t, other, func(tx storage.Tx) error {
		sc, err := tx.LockSchema(ctx)
		if err != nil {
			return err
		}
		_, err = tx.AlterClass(ctx, schema.New("A", sc.Class("A").Fields))
		return errors.Join(err, tx.DropClass(ctx, "A"))
	})
	err = Try(s, func(tx storage.Tx) error {
		sc, err := tx.Schema(ctx)
		if err != nil || sc.Class("A") == nil {
			return err
		}
		return tx.Insert(ctx, sc.Class("A"), storage.Object{"objectId": "late"})
	})
	if err != nil {
		t.Errorf("after the class was dropped: %v", err)
	}
}

func writesTo(t *testing.T, s storage.Store) {
	c := PutClass(t, s, "A", "n Number", "s String")
	Insert(t, s, c, `{"objectId":"1","n":1,"s":"x"}`)
	Put(t, s, func(tx storage.Tx) error { return tx.Update(ctx, c, "1", storage.Object{"n": 2.0, "s": nil}) })
	if o := Get(t, s, "A", "1"); o["n"] != 2.0 || o["s"] != nil {
		t.Errorf("after Update: %v", o)
	}
	var dup *storage.Duplicate
	if err := Try(s, func(tx storage.Tx) error { return tx.Insert(ctx, c, storage.Object{"objectId": "1"}) }); !errors.As(err, &dup) || dup.Field != "objectId" {
		t.Errorf("second Insert: %v", err)
	}
	if err := Try(s, func(tx storage.Tx) error { return tx.Insert(ctx, c, storage.Object{"objectId": "2", "n": "text"}) }); err == nil || !strings.Contains(err.Error(), "A.n") {
		t.Errorf("Insert of a wrong type: %v", err)
	}
	if err := Try(s, func(tx storage.Tx) error { return tx.Insert(ctx, c, storage.Object{"objectId": "2", "nosuch": 1.0}) }); err == nil {
		t.Error("Insert of an unknown column succeeded")
	}
	if err := Try(s, func(tx storage.Tx) error { return tx.Update(ctx, c, "9", storage.Object{"n": 1.0}) }); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Update of nothing: %v", err)
	}
	Put(t, s, func(tx storage.Tx) error { return tx.Delete(ctx, c, "1") })
	if err := Try(s, func(tx storage.Tx) error { return tx.Delete(ctx, c, "1") }); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Delete of nothing: %v", err)
	}
	if o := Get(t, s, "A", "1"); o != nil {
		t.Errorf("after Delete: %v", o)
	}
}

func uniqueFields(t *testing.T, d Database) {
	s := d.open(t)
	insertInto := func(class string, o storage.Object) error {
		return Try(s, func(tx storage.Tx) error {
			sc, err := tx.Schema(ctx)
			if err != nil {
				return err
			}
			return tx.Insert(ctx, sc.Class(class), o)
		})
	}
	auth := map[string]any{"anonymous": map[string]any{"id": "1"}}
	if err := errors.Join(insertInto("_User", storage.Object{"objectId": "u1", "username": "ann", "email": "a@x", "authData": auth}),
		insertInto("_User", storage.Object{"objectId": "u0"}), insertInto("_Role", storage.Object{"objectId": "r1", "name": "Admin"})); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		class string
		o     storage.Object
		field string
	}{
		{"_User", storage.Object{"objectId": "u2", "username": "ann"}, "username"},
		{"_User", storage.Object{"objectId": "u2", "email": "a@x"}, "email"},
		{"_User", storage.Object{"objectId": "u2", "authData": auth}, "_auth_data_anonymous"},
		{"_Role", storage.Object{"objectId": "r2", "name": "Admin"}, "name"},
	} {
		var dup *storage.Duplicate
		if err := insertInto(tt.class, tt.o); !errors.As(err, &dup) || dup.Field != tt.field || dup.Class != tt.class {
			t.Errorf("%s: %v, want a duplicate %s", tt.class, err, tt.field)
		}
	}
	f := storage.Find{Class: &schema.Class{Name: "_User"}, Where: Where(t, `{"username":"ANN"}`), Limit: -1, CaseInsensitive: true}
	if got, err := IDs(s, f); got != "u1" || err != nil {
		t.Errorf("case-insensitive find: %q, %v", got, err)
	}
}

func relations(t *testing.T, d Database) {
	s := d.open(t)
	a := PutClass(t, s, "A", "members Relation B")
	b := PutClass(t, s, "B", "n Number")
	Insert(t, s, a, `{"objectId":"a1"}`, `{"objectId":"a2"}`)
	Insert(t, s, b, `{"objectId":"b1"}`, `{"objectId":"b2"}`, `{"objectId":"b3"}`)
	Put(t, s, func(tx storage.Tx) error {
		got, err := tx.Link(ctx, "A", "members", "a1", []string{"b1", "b2", "b1"})
		if fmt.Sprint(got) != "[b1 b2]" {
			t.Errorf("Link: %v", got)
		}
		return err
	})
	Put(t, s, func(tx storage.Tx) error {
		got, err := tx.Link(ctx, "A", "members", "a1", []string{"b2", "b3"})
		if fmt.Sprint(got) != "[b3]" {
			t.Errorf("second Link: %v", got)
		}
		gone, err2 := tx.Unlink(ctx, "A", "members", "a1", []string{"b1", "zz"})
		if fmt.Sprint(gone) != "[b1]" {
			t.Errorf("Unlink: %v", gone)
		}
		return errors.Join(err, err2)
	})
	err := s.Read(ctx, func(sn storage.Snapshot) error {
		members, err := sn.Members(ctx, "A", "members", "a1")
		owners, err2 := sn.Owners(ctx, "A", "members", []string{"b3", "b9"})
		none, err3 := sn.Owners(ctx, "A", "nosuch", []string{"b3"})
		if fmt.Sprint(members, owners, none) != "[b2 b3] [a1] []" {
			t.Errorf("members %v, owners %v, none %v", members, owners, none)
		}
		return errors.Join(err, err2, err3)
	})
	if err != nil {
		t.Error(err)
	}
	for text, want := range map[string]string{
		`{"members":{"__type":"Pointer","className":"B","objectId":"b2"}}`:                                                                "a1",
		`{"members":{"$ne":{"__type":"Pointer","className":"B","objectId":"b2"}}}`:                                                        "a2",
		`{"members":{"$in":[{"__type":"Pointer","className":"B","objectId":"b1"},{"__type":"Pointer","className":"B","objectId":"b3"}]}}`: "a1",
		`{"members":{"$inQuery":{"className":"B","where":{"objectId":"b3"}}}}`:                                                            "a1",
		`{"members":5}`: "",
	} {
		if got, err := IDs(s, storage.Find{Class: a, Where: Where(t, text), Limit: -1}); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		`{"$relatedTo":{"object":{"__type":"Pointer","className":"A","objectId":"a1"},"key":"members"}}`: "b2 b3",
		`{"$relatedTo":{"object":{"__type":"Pointer","className":"A","objectId":"a1"},"key":"nosuch"}}`:  "",
	} {
		if got, err := IDs(s, storage.Find{Class: b, Where: Where(t, text), Limit: -1, Order: []query.Sort{{Path: "objectId"}}}); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
}

// snapshotStays: a snapshot shows one state of the database, whatever is written meanwhile; also when a question that was
// said to be the last one isn't.
func snapshotStays(t *testing.T, d Database) {
	s := d.open(t)
	c := PutClass(t, s, "A", "n Number")
	Insert(t, s, c, `{"objectId":"1","n":1}`)
	for i, lasts := range [][]bool{{false, false}, {true, false}, {false, true}, {true, true, true}} {
		before, calls := All(t, s, "A"), 0
		err := s.Read(ctx, func(sn storage.Snapshot) error {
			calls++
			sc, err := sn.Schema(ctx)
			if err != nil {
				return err
			}
			seen := make([]int, len(lasts))
			for j, last := range lasts {
				f := &storage.Find{Schema: sc, Class: sc.Class("A"), Limit: -1, Last: last}
				if err := sn.Find(ctx, f, func(storage.Row) error { seen[j]++; return nil }); err != nil {
					return err
				}
				Insert(t, s, c, fmt.Sprintf(`{"objectId":"%d-%d-%d"}`, i, calls, j))
			}
			for _, n := range seen {
				if n != seen[0] {
					t.Errorf("%v: seen %v", lasts, seen)
				}
			}
			return nil
		})
		if err != nil || calls > 2 {
			t.Errorf("%v: %v, called %d times", lasts, err, calls)
		}
		if after := All(t, s, "A"); len(after) <= len(before) {
			t.Errorf("%v: before %q, after %q", lasts, before, after)
		}
	}
}
