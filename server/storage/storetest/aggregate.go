package storetest

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/storage"
)

// sales are the objects that the tests of aggregations ask about.
func sales(t *testing.T, d Database) storage.Store {
	s := d.open(t)
	c := PutClass(t, s, "S", "nm String", "i Number", "b Boolean", "d Date", "o Object", "a Array", "p Pointer S", "f File", "g GeoPoint", "y Polygon")
	Insert(t, s, c,
		`{"objectId":"0","nm":"x","i":1,"b":true,"d":{"__type":"Date","iso":"2020-03-01T03:04:05.678Z"},"o":{"k":1,"l":{"m":"z"}},"a":[1,"x",null],"p":{"__type":"Pointer","className":"S","objectId":"q"},"f":{"__type":"File","name":"n.txt"},"g":{"__type":"GeoPoint","latitude":1,"longitude":2}}`,
		`{"objectId":"1","nm":"x","i":2.5,"b":false,"d":{"__type":"Date","iso":"2020-03-01T03:04:05.678Z"},"o":{"k":1},"a":["x",{"k":1}]}`,
		`{"objectId":"2","nm":"y","i":4,"d":{"__type":"Date","iso":"2021-01-03T23:59:59.400Z"},"o":{"k":null}}`,
		`{"objectId":"3","_rperm":[]}`)
	return s
}

func distinct(t *testing.T, d Database) {
	s := sales(t, d)
	for _, tt := range []struct{ path, where, want string }{
		{"nm", `{}`, `"x" "y"`},
		{"nm", `{"i":{"$gt":3}}`, `"y"`},
		{"i", `{}`, `1 2.5 4`},
		{"b", `{}`, `false true`},
		{"d", `{}`, `{"__type":"Date","iso":"2020-03-01T03:04:05.678Z"} {"__type":"Date","iso":"2021-01-03T23:59:59.400Z"}`},
		{"p", `{}`, `{"__type":"Pointer","className":"S","objectId":"q"}`},
		{"f", `{}`, `{"__type":"File","name":"n.txt"}`},
		{"objectId", `{}`, `"0" "1" "2" "3"`},
		{"o", `{"i":{"$lt":2}}`, `{"k":1,"l":{"m":"z"}}`},
		{"o.k", `{}`, `1`},
		{"o.l.m", `{}`, `"z"`},
		{"a", `{}`, `"x" 1 {"k":1}`},
		{"nosuch", `{}`, ``},
		{"nm", `{"nosuch":1}`, ``},
	} {
		var got []string
		err := s.Read(ctx, func(sn storage.Snapshot) error {
			sc, err := sn.Schema(ctx)
			if err != nil {
				return err
			}
			f := &storage.Find{Schema: sc, Class: sc.Class("S"), Where: Where(t, tt.where)}
			return sn.Distinct(ctx, f, query.Path(tt.path), func(v any) error {
				got = append(got, string(query.AppendJSON(nil, v)))
				return nil
			})
		})
		if tt.path == "a" {
			slices.Sort(got) // elements of several types come in any order
		}
		if text := strings.Join(got, " "); err != nil || text != tt.want {
			t.Errorf("%s of %s: %s, %v; want %s", tt.path, tt.where, text, err, tt.want)
		}
	}
}

func aggregate(t *testing.T, d Database) {
	s := sales(t, d)
	part := func(p string) storage.Aggregated { return storage.Aggregated{Field: "d", Part: p} }
	for _, tt := range []struct {
		name string
		q    storage.Aggregate
		want string // rows of JSON, or the message of the error
	}{
		{"everything", storage.Aggregate{Columns: []storage.Aggregated{{Func: "count"}, {Func: "sum", Field: "i"}, {Func: "avg", Field: "i"}, {Func: "min", Field: "i"}, {Func: "max", Field: "nm"}}},
			`[4,7.5,2.5,1,"y"]`},
		{"nothing", storage.Aggregate{Where: Where(t, `{"i":9}`), Columns: []storage.Aggregated{{Func: "count"}, {Func: "sum", Field: "i"}}}, `[0,null]`},
		{"by name", storage.Aggregate{By: []string{"nm"}, Columns: []storage.Aggregated{{Field: "nm"}, {Func: "count"}, {Func: "max", Field: "d"}},
			Order: []storage.AggregateOrder{{Column: 0}}},
			`["x",2,{"__type":"Date","iso":"2020-03-01T03:04:05.678Z"}] ["y",1,{"__type":"Date","iso":"2021-01-03T23:59:59.400Z"}] [null,1,null]`},
		{"sorted, bounded", storage.Aggregate{By: []string{"nm"}, Columns: []storage.Aggregated{{Field: "nm"}, {Func: "sum", Field: "i"}},
			Order: []storage.AggregateOrder{{Column: 1, Desc: true}}, Limit: 1, Skip: 1}, `["y",4]`},
		{"by several", storage.Aggregate{By: []string{"nm", "b"}, Where: Where(t, `{"nm":"x"}`), Columns: []storage.Aggregated{{Field: "b"}, {Field: "nm"}},
			Order: []storage.AggregateOrder{{Column: 1}, {Column: 0}}}, `[false,"x"] [true,"x"]`},
		{"parts of dates", storage.Aggregate{By: []string{"d"}, Where: Where(t, `{"objectId":"2"}`), Columns: []storage.Aggregated{
			part("YEAR"), part("MONTH"), part("DAY"), part("HOUR"), part("MINUTE"), part("SECOND"), part("MILLISECONDS"),
			part("DOW"), part("ISODOW"), part("DOY"), part("WEEK"), part("ISOYEAR")}},
			`[2021,1,3,23,59,59,59400,0,7,3,53,2020]`},
		{"seconds are rounded", storage.Aggregate{By: []string{"d"}, Where: Where(t, `{"objectId":"0"}`), Columns: []storage.Aggregated{part("SECOND")}}, `[6]`},
		{"pointers and files", storage.Aggregate{By: []string{"p", "f"}, Where: Where(t, `{"objectId":"0"}`), Columns: []storage.Aggregated{{Field: "p"}, {Func: "min", Field: "f"}}},
			`[{"__type":"Pointer","className":"S","objectId":"q"},{"__type":"File","name":"n.txt"}]`},
		{"by objects", storage.Aggregate{By: []string{"o"}, Where: Where(t, `{"objectId":"1"}`), Columns: []storage.Aggregated{{Field: "o"}}}, `[{"k":1}]`},
		{"an unknown key", storage.Aggregate{By: []string{"nosuch"}, Columns: []storage.Aggregated{{Func: "count"}}}, `column "nosuch" does not exist`},
		{"an unknown value", storage.Aggregate{Columns: []storage.Aggregated{{Func: "sum", Field: "nosuch"}}}, `column "nosuch" does not exist`},
		{"a sum of texts", storage.Aggregate{Columns: []storage.Aggregated{{Func: "sum", Field: "nm"}}}, `function sum(text) does not exist`},
		{"the largest boolean", storage.Aggregate{Columns: []storage.Aggregated{{Func: "max", Field: "b"}}}, `function max(boolean) does not exist`},
		{"the largest array", storage.Aggregate{Columns: []storage.Aggregated{{Func: "max", Field: "a"}}}, `function max(jsonb) does not exist`},
		{"by points", storage.Aggregate{By: []string{"g"}, Columns: []storage.Aggregated{{Field: "g"}}}, `could not identify an equality operator for type point`},
		{"a part of a number", storage.Aggregate{By: []string{"i"}, Columns: []storage.Aggregated{{Field: "i", Part: "DAY"}}}, `$DAY can only be used with Date field`},
		{"an unknown field in the where", storage.Aggregate{Where: Where(t, `{"nosuch":1}`), Columns: []storage.Aggregated{{Func: "count"}}}, ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			err := s.Read(ctx, func(sn storage.Snapshot) error {
				sc, err := sn.Schema(ctx)
				if err != nil {
					return err
				}
				tt.q.Schema, tt.q.Class = sc, sc.Class("S")
				if tt.q.Limit == 0 {
					tt.q.Limit = -1
				}
				return sn.Aggregate(ctx, &tt.q, func(values []any) error {
					got = append(got, string(query.AppendJSON(nil, values)))
					return nil
				})
			})
			text := strings.Join(got, " ")
			var refused *storage.Unsupported
			if errors.As(err, &refused) {
				text, err = refused.Message, nil
			}
			if err != nil || text != tt.want {
				t.Errorf("%s, %v; want %s", text, err, tt.want)
			}
		})
	}
}

func explain(t *testing.T, d Database) {
	s := sales(t, d)
	for _, where := range []string{`{"nm":"x"}`, `{"nosuch":1}`} {
		err := s.Read(ctx, func(sn storage.Snapshot) error {
			sc, err := sn.Schema(ctx)
			if err != nil {
				return err
			}
			plan, err := sn.Explain(ctx, &storage.Find{Schema: sc, Class: sc.Class("S"), Where: Where(t, where), Readers: []string{"*"}, Limit: 5, Order: []query.Sort{{Path: "i"}}})
			if err != nil {
				return err
			}
			var list []struct{ Plan map[string]any }
			if err := json.Unmarshal(plan, &list); err != nil || len(list) != 1 || list[0].Plan["Node Type"] == nil {
				t.Errorf("%s: %s, %v", where, plan, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
