package pipeline

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/query"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Pipeline
	}{
		{`[]`, Pipeline{Limit: -1}},
		{`5`, Pipeline{Limit: -1}},
		{`[{"$lookup":{}}]`, Pipeline{Limit: -1, All: true}},
		{`[{"$match":{"_id":"x"}}]`, Pipeline{Limit: -1, All: true, Match: &query.Compare{Path: "objectId", Value: "x"}}},
		{`[{"$match":{"i":{"$gt":0}}},{"$match":{"$or":[{"_created_at":null}]}}]`, Pipeline{Limit: -1, All: true, Match: query.And{
			&query.Compare{Path: "i", Op: query.Gt, Value: 0.0}, query.Or{&query.Compare{Path: "createdAt"}}}}},
		{`[{"$limit":"2"},{"$skip":1.5},{"$sort":{"b":-1,"_id":1.0,"_id.day":1}}]`, Pipeline{Limit: 2, Skip: 2, All: true,
			Sort: []Sort{{"b", true}, {"objectId", false}, {"day", false}}}},
		{`[{"$limit":0},{"$skip":null}]`, Pipeline{Limit: -1, All: true}},
		{`[{"$limit":1},{"$project":{"a":1,"b":true,"c":0,"d":"$x"}}]`, Pipeline{Limit: 1, Projected: true, Fields: []string{"a", "b"}}},
		{`[{"$project":{"a":1}},{"$limit":1}]`, Pipeline{Limit: 1, Projected: true, Fields: []string{"a"}, All: true}},
		{`{"$limit":1,"$project":{"a":1}}`, Pipeline{Limit: 1, Projected: true, Fields: []string{"a"}}},
		{`[{"$group":{"_id":"$nm","n":{"$sum":1},"s":{"$sum":"$i"},"m":{"$max":"$i","$avg":"$i"},"x":{"$last":"$i"},"y":5}}]`, Pipeline{Limit: -1, Group: &Group{
			Keys: []Key{{Name: "objectId", Field: "nm"}}, Single: true,
			Values: []Value{{"n", Count, ""}, {"s", Sum, "i"}, {"m", Avg, "i"}}}}},
		{`[{"$group":{"_id":{"m":{"$month":"$d"},"n":"$_updated_at"}}}]`, Pipeline{Limit: -1, Group: &Group{
			Keys: []Key{{Name: "m", Field: "d", Part: "MONTH"}, {Name: "n", Field: "updatedAt"}}}}},
		{`[{"$match":{}},{"$group":{"_id":null,"s":{"$sum":"$i"}}}]`, Pipeline{Limit: -1, All: true, Group: &Group{Values: []Value{{"s", Sum, "i"}}}}},
		{`[{"$project":{"nm":1}},{"$group":{"_id":"$nm"}},{"$project":{"_id":0}}]`, Pipeline{Limit: -1, Projected: true, Unkeyed: true, Group: &Group{
			Keys: []Key{{Name: "objectId", Field: "nm"}}, Single: true, Also: []string{"nm"}}}},
		{`[{"$group":{"_id":5}}]`, Pipeline{Limit: -1}},
	} {
		got, err := Parse([]byte(tt.text))
		if err != nil || !reflect.DeepEqual(*got, tt.want) {
			t.Errorf("%s: %+v, %v; want %+v", tt.text, got, err, tt.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		text string
		code int
		want string
	}{
		{`[{"$match":{},"$limit":1}]`, 102, "Pipeline stages should only have one key but found $match, $limit."},
		{`[{}]`, 102, "Pipeline stages should only have one key but found ."},
		{`[null]`, 102, "Pipeline stages should only have one key but found ."},
		{`[{"group":{}}]`, 102, "Invalid aggregate stage 'group'."},
		{`{"limit":1}`, 102, "Invalid aggregate stage 'limit'."},
		{`"x"`, 102, "Invalid aggregate stage '0'."},
		{`{"$limit"`, 102, "The pipeline is not valid JSON"},
		{`[{"$group":{"_id":{"a":"$x","b":null}}}]`, 102, "Invalid key of $group: null"},
		{`[{"$group":{"objectId":"$nm"}}]`, 102, "Cannot use 'objectId' in aggregation stage $group."},
		{`[{"$group":{"total":1}}]`, 102, "Invalid parameter for query: group. Missing key _id"},
		{`[{"$group":5}]`, 102, "Invalid parameter for query: group. Missing key _id"},
		{`[{"$group":{"_id":"nm"}}]`, 105, "Invalid field name: nm"},
		{`[{"$group":{"_id":"$a\" FROM x; --"}}]`, 105, `Invalid field name: a" FROM x; --`},
		{`[{"$group":{"_id":{"a":5}}}]`, 102, "Invalid key of $group: 5"},
		{`[{"$group":{"_id":{"a":{"$foo":"$d"}}}}]`, 102, "Invalid operator for a key of $group: $foo"},
		{`[{"$group":{"_id":{"a":{"$month":5}}}}]`, 105, "Invalid field name: 5"},
		{`[{"$group":{"_id":null,"x":{"$sum":"i"}}}]`, 105, "Invalid field name: i"},
		{`[{"$project":{"a b":1}}]`, 102, `column "a b" does not exist`},
		{`[{"$sort":{"a\"b":1}}]`, 102, `column "a\"b" does not exist`},
		{`[{"$limit":-1}]`, 102, "LIMIT must not be negative"},
		{`[{"$skip":-1}]`, 102, "OFFSET must not be negative"},
		{`[{"$limit":"x"}]`, 102, `invalid input syntax for type bigint: "x"`},
		{`[{"$match":{"$or":5}}]`, 102, "Bad $or format - use an array value."},
		{`[{"$match":{"_hashed_password":"x"}}]`, 105, "Invalid key name: _hashed_password"},
		{`[` + strings.Repeat(`{"$limit":1},`, 200) + `{"$limit":1}]`, 102, "Number of pipeline stages exceeds maximum allowed of 128"},
		{`[{"$sort":{` + strings.Repeat(`"a":1,`, 600) + `"a":1}}]`, 102, "Number of fields of $sort exceeds maximum allowed of 512"},
		{`"` + strings.Repeat("a", 1<<20) + `"`, 102, "The pipeline exceeds the maximum allowed size of 1048576 bytes"},
	} {
		_, err := Parse([]byte(tt.text))
		var refused *query.Error
		if !errors.As(err, &refused) || refused.Code != tt.code || refused.Message != tt.want {
			t.Errorf("%.80s: %v; want %d %s", tt.text, err, tt.code, tt.want)
		}
	}
}

// Whatever is sent, it is a pipeline whose fields are names, or refused with a code.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`[]`, `{"$limit":1}`, `[{"$group":{"_id":{"m":{"$month":"$d"}},"x":{"$max":"$i"}}},{"$sort":{"_id":-1}}]`,
		`[{"$match":{"$or":[{"_id":1}]}},{"$project":{"_id":1}}]`, `[[]]`, `"`, `[{"$group":{"_id":"$\u0000"}}]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse([]byte(text))
		var refused *query.Error
		if err != nil {
			if !errors.As(err, &refused) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		fields := append([]string{}, p.Fields...)
		for _, s := range p.Sort {
			fields = append(fields, s.Name)
		}
		if p.Group != nil {
			for _, k := range p.Group.Keys {
				fields = append(fields, k.Field)
			}
			for _, v := range p.Group.Values {
				if v.Func != Count {
					fields = append(fields, v.Field)
				}
			}
		}
		for _, name := range fields {
			if !IsName(name) {
				t.Errorf("%q names a field %q", text, name)
			}
		}
	})
}
