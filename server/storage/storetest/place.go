package storetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/storage"
)

// What PostgreSQL with PostGIS answers, as parse-server asks it.
func placesAndTexts(t *testing.T, d Database) {
	s := d.open(t)
	c := PutClass(t, s, "L", "g GeoPoint", "y Polygon", "s String", "a Array", "n Number")
	Insert(t, s, c,
		`{"objectId":"0","n":0,"g":{"__type":"GeoPoint","latitude":0,"longitude":0},"y":{"__type":"Polygon","coordinates":[[0,0],[0,1],[1,1],[0,0]]},"s":"The quick brown fox","a":["red fox","dog"]}`,
		`{"objectId":"1","n":1,"g":{"__type":"GeoPoint","latitude":1,"longitude":1},"y":{"__type":"Polygon","coordinates":[[0,0],[0,2],[2,2],[0,0]]},"s":"foxes and more foxes"}`,
		`{"objectId":"2","n":2,"g":{"__type":"GeoPoint","latitude":2,"longitude":2},"s":"lazy dogs","a":["fox"]}`,
		`{"objectId":"3","n":3,"g":{"__type":"GeoPoint","latitude":3,"longitude":3}}`,
		`{"objectId":"4","n":4}`)
	point := func(lat, long string) string {
		return `{"__type":"GeoPoint","latitude":` + lat + `,"longitude":` + long + `}`
	}
	for _, tt := range []struct {
		name, where string
		order       string
		want        string
	}{
		{"near, sorted by distance", `{"g":{"$nearSphere":` + point("3", "3") + `}}`, "", "3 2 1 0"},
		{"near, whatever the order", `{"g":{"$nearSphere":` + point("3", "3") + `}}`, "n", "3 2 1 0"},
		{"near within $or, in order", `{"$or":[{"g":{"$nearSphere":` + point("3", "3") + `}}]}`, "n", "0 1 2 3"},
		{"near and another condition", `{"n":{"$gt":0},"g":{"$nearSphere":` + point("1.1", "1") + `}}`, "", "1 2 3"},
		{"not too far", `{"g":{"$nearSphere":` + point("3", "3") + `,"$maxDistance":0.03}}`, "", "3 2"},
		{"kilometres", `{"g":{"$nearSphere":` + point("0", "0") + `,"$maxDistanceInKilometers":158}}`, "", "0 1"},
		{"beyond the pole", `{"g":{"$nearSphere":` + point("100", "3") + `}}`, "", "3 2 1 0"},
		{"near nothing", `{"g":{"$nearSphere":[3,3]}}`, "", ""},
		{"centre sphere", `{"g":{"$geoWithin":{"$centerSphere":[[0,0],0.03]}}}`, "n", "0 1"},
		{"centre sphere isn't sorted", `{"g":{"$geoWithin":{"$centerSphere":[[0,0],1]}}}`, "-n", "3 2 1 0"},
		{"box", `{"g":{"$within":{"$box":[` + point("0.5", "0.5") + `,` + point("2", "2") + `]}}}`, "n", "1 2"},
		{"box from the other corner", `{"g":{"$within":{"$box":[` + point("2", "2") + `,` + point("0.5", "0.5") + `]}}}`, "n", "1 2"},
		{"polygon of points", `{"g":{"$geoWithin":{"$polygon":[` + point("-1", "-1") + `,` + point("-1", "2") + `,` + point("2", "2") + `]}}}`, "n", "0 1 2"},
		{"polygon of pairs", `{"g":{"$geoWithin":{"$polygon":[[0,0],[2,0],[2,1.5]]}}}`, "n", "0"},
		{"Polygon, taken for pairs", `{"g":{"$geoWithin":{"$polygon":{"__type":"Polygon","coordinates":[[0,0],[2,0],[2,1.5]]}}}}`, "n", "0"},
		{"polygon over a point", `{"y":{"$geoIntersects":{"$point":` + point("0.5", "1.5") + `}}}`, "n", "1"},
		{"polygons over a corner", `{"y":{"$geoIntersects":{"$point":` + point("0", "0") + `}}}`, "n", "0 1"},
		{"equal within the tolerance", `{"g":` + point("1.0000005", "1") + `}`, "", "1"},
		{"not equal", `{"g":{"$ne":` + point("1.0000005", "1") + `}}`, "n", "0 2 3 4"},
		{"equal polygon, begun elsewhere", `{"y":{"__type":"Polygon","coordinates":[[0,1],[1,1],[0,0],[0,1]]}}`, "", ""},
		{"equal polygon, the other way round", `{"y":{"__type":"Polygon","coordinates":[[0,0],[1,1],[0,1]]}}`, "", "0"},
		{"no place", `{"s":{"$within":{"$box":[` + point("2", "2") + `,` + point("0.5", "0.5") + `]}}}`, "", ""},
		{"unknown field", `{"nosuch":{"$nearSphere":` + point("2", "2") + `}}`, "", ""},
		{"text", `{"s":{"$text":{"$search":{"$term":"fox"}}}}`, "n", "0 1"},
		{"text, both words", `{"s":{"$text":{"$search":{"$term":"Quick & foxes"}}}}`, "n", "0"},
		{"text, one of two", `{"s":{"$text":{"$search":{"$term":"dog | brown"}}}}`, "n", "0 2"},
		{"text, a stop word", `{"s":{"$text":{"$search":{"$term":"the"}}}}`, "n", ""},
		{"text, simple", `{"s":{"$text":{"$search":{"$term":"the","$language":"simple"}}}}`, "n", "0"},
		{"text in an array", `{"a":{"$text":{"$search":{"$term":"fox"}}}}`, "n", "0 2"},
		{"text, no phrase over elements", `{"a":{"$text":{"$search":{"$term":"fox <-> dog"}}}}`, "n", ""},
		{"text on a number", `{"n":{"$text":{"$search":{"$term":"fox"}}}}`, "n", ""},
		{"negated text leaves the missing out", `{"$nor":[{"s":{"$text":{"$search":{"$term":"fox"}}}}]}`, "n", "2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := storage.Find{Class: c, Where: Where(t, tt.where), Limit: -1}
			if tt.order != "" {
				q, err := query.ParseParams("L", query.Params{"order": {Text: tt.order}}, query.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				f.Order = q.Order
			}
			got, err := found(s, f)
			if err != nil || strings.Join(got, " ") != tt.want {
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
	for text, want := range map[string]string{
		`{"s":{"$text":{"$search":{"$term":"a b"}}}}`:                     `bad $text: syntax error in the search term "a b"`,
		`{"s":{"$text":{"$search":{"$term":"a","$language":"klingon"}}}}`: `bad $text: unknown text search configuration "klingon"`,
	} {
		e, err := query.ParseWhere([]byte(text), query.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = IDs(s, storage.Find{Class: c, Where: e, Limit: -1})
		var refused *storage.Unsupported
		if !errors.As(err, &refused) || refused.Message != want {
			t.Errorf("%s: %v; want %s", text, err, want)
		}
	}
}

func score(t *testing.T, d Database) {
	s := d.open(t)
	c := PutClass(t, s, "L", "s String")
	Insert(t, s, c, `{"objectId":"0","s":"brown dog and then a fox"}`, `{"objectId":"1","s":"brown fox brown fox"}`, `{"objectId":"2","s":"x"}`)
	text := Where(t, `{"s":{"$text":{"$search":{"$term":"brown & fox"}}}}`)
	order := []query.Sort{{Path: "$score"}}
	got := ""
	err := s.Read(ctx, func(sn storage.Snapshot) error {
		got = ""
		sc, err := sn.Schema(ctx)
		if err != nil {
			return err
		}
		f := storage.Find{Schema: sc, Class: sc.Class("L"), Where: text, Limit: -1, Order: order, Score: true, Columns: []string{"objectId"}}
		return sn.Find(ctx, &f, func(r storage.Row) error {
			got += string(r.AppendJSON(nil, nil))
			return nil
		})
	})
	if want := `{"objectId":"1","score":0.23076923}{"objectId":"0","score":0.019607844}`; err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	if got, err := IDs(s, storage.Find{Class: c, Where: text, Limit: -1, Order: order}); got != "" || err != nil {
		t.Errorf("an order by a score that isn't asked for: %q, %v", got, err)
	}
	_, err = IDs(s, storage.Find{Class: c, Limit: -1, Score: true})
	var refused *storage.Unsupported
	if !errors.As(err, &refused) {
		t.Errorf("a score of nothing: %v", err)
	}
}
