package query

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// fixed is the clock of the tests.
func fixed() time.Time { return time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) }

func TestParseWhere(t *testing.T) {
	p := Pointer{"A", "x"}
	const pointer = `{"__type":"Pointer","className":"A","objectId":"x"}`
	tests := []struct {
		where string
		want  Expr
	}{
		{`{}`, nil},
		{`null`, nil},
		{`{"s":"a"}`, &Compare{Path: "s", Value: "a"}},
		{`"{\"s\":\"a\"}"`, &Compare{Path: "s", Value: "a"}},
		{`{"s":null}`, &Compare{Path: "s"}},
		{`{"s":{"$eq":null}}`, &Compare{Path: "s"}},
		{`{"b":false,"a.b.0":1}`, And{&Compare{Path: "a.b.0", Value: 1.0}, &Compare{Path: "b", Value: false}}},
		{`{"p":` + pointer + `}`, &Compare{Path: "p", Value: p}},
		{`{"p":{"$ne":` + pointer + `}}`, &Compare{Path: "p", Op: Ne, Value: p}},
		{`{"n":{"$lt":4,"$gte":1}}`, And{&Compare{Path: "n", Op: Gte, Value: 1.0}, &Compare{Path: "n", Op: Lt, Value: 4.0}}},
		{`{"n":{"$lte":4}}`, &Compare{Path: "n", Op: Lte, Value: 4.0}},
		{`{"n":{"$gt":null}}`, &Unsupported{Path: "n", Operator: "$gt"}},
		{`{"d":{"$gt":{"__type":"Date","iso":"2020-01-02"}}}`, &Compare{Path: "d", Op: Gt, Value: date(t, "2020-01-02")}},
		{`{"d":{"$lt":{"$relativeTime":"in 1 hour"}}}`,
			&Compare{Path: "d", Op: Lt, Value: Date{fixed().Add(time.Hour)}, Relative: true}},
		{`{"p":{"__type":"Pointer","className":"A","objectId":"x","$gt":"a"}}`,
			And{&Compare{Path: "p", Value: p}, &Compare{Path: "p", Op: Gt, Value: "a"}}},
		{`{"s":{"$in":["a",["b",["c"]],null]}}`, &In{Path: "s", Values: []any{"a", "b", []any{"c"}, nil}}},
		{`{"s":{"$nin":[]}}`, &In{Path: "s", Values: []any{}, Not: true}},
		{`{"s":{"$exists":true}}`, &Exists{Path: "s", Want: true}},
		{`{"s":{"$exists":0}}`, &Exists{Path: "s"}},
		{`{"s":{"$all":["a",` + pointer + `]}}`, &All{Path: "s", Values: []any{"a", p}}},
		{`{"s":{"$all":[]}}`, &All{Path: "s", Values: []any{}}},
		{`{"s":{"$all":[{"$regex":"^\\Qa.b\\E"},{"$regex":"^\\Qc\\E\\\\E\\Qd\\E"}]}}`,
			&All{Path: "s", Prefixes: []string{"a.b", `c\Ed`}}},
		{`{"s":{"$containedBy":[1]}}`, &ContainedBy{Path: "s", Values: []any{1.0}}},
		{`{"s":{"$regex":"^a","$options":"im"}}`, &Regex{Path: "s", Pattern: "^a", Options: "im"}},
		{`{"s":{"$regex":"^(?=a)\\y","$options":"i"}}`, &Regex{Path: "s", Pattern: `^(?=a)\y`, Options: "i"}},
		{`{"$relatedTo":{"object":` + pointer + `,"key":"k"}}`, &RelatedTo{Object: p, Key: "k"}},
		{`{"$or":[{"a":1},{"b":2,"c":3}]}`, Or{&Compare{Path: "a", Value: 1.0},
			And{&Compare{Path: "b", Value: 2.0}, &Compare{Path: "c", Value: 3.0}}}},
		{`{"$or":[{"a":1},{}]}`, Or{&Compare{Path: "a", Value: 1.0}}},
		{`{"$nor":[{"a":1}]}`, Nor{&Compare{Path: "a", Value: 1.0}}},
		{`{"$and":[{"a":1},{"a":2}],"b":3}`, And{And{&Compare{Path: "a", Value: 1.0}, &Compare{Path: "a", Value: 2.0}},
			&Compare{Path: "b", Value: 3.0}}},
		{`{"p":{"$inQuery":{"className":"B","where":{},"limit":5}}}`, &InQuery{Path: "p", Sub: &SubQuery{Class: "B"}}},
		{`{"p":{"$notInQuery":{"className":"B","where":{"a":1},"redirectClassNameForKey":"k"}}}`,
			&InQuery{Path: "p", Not: true, Sub: &SubQuery{Class: "B", Where: &Compare{Path: "a", Value: 1.0}, Redirect: "k"}}},
		{`{"p":{"$select":{"query":{"className":"B"},"key":"a.b"}}}`, &Select{Path: "p", Key: "a.b", Sub: &SubQuery{Class: "B"}}},
		{`{"p":{"$dontSelect":{"query":{"className":"B","where":{"a":1}},"key":"k"}}}`,
			&Select{Path: "p", Key: "k", Not: true, Sub: &SubQuery{Class: "B", Where: &Compare{Path: "a", Value: 1.0}}}},
		{`{"o":{"a":1}}`, &Unsupported{Path: "o", Value: map[string]any{"a": 1.0}}},
		{`{"o":[1]}`, &Unsupported{Path: "o", Value: []any{1.0}}},
		{`{"o.a":[1]}`, &Compare{Path: "o.a", Value: []any{1.0}}},
		{`{"g":{"__type":"GeoPoint","latitude":1,"longitude":2}}`, &Compare{Path: "g", Value: GeoPoint{1, 2}}},
		{`{"g":{"$nearSphere":{"__type":"GeoPoint","latitude":1,"longitude":2}}}`,
			&Near{Path: "g", Point: GeoPoint{1, 2}, Metres: math.Inf(1), Sort: true}},
		{`{"g":{"$nearSphere":{"latitude":1,"longitude":200},"$maxDistance":"0.5"}}`,
			&Near{Path: "g", Point: GeoPoint{1, 200}, Metres: 0.5 * 6371000, Sort: true}},
		{`{"g":{"$nearSphere":` + here + `,"$maxDistance":"far"}}`, &Near{Path: "g", Point: GeoPoint{1, 2}, Metres: math.Inf(1), Sort: true}},
		{`{"g":{"$nearSphere":` + here + `,"$maxDistance":null}}`, &Near{Path: "g", Point: GeoPoint{1, 2}, Sort: true}},
		{`{"g":{"$nearSphere":` + here + `,"$maxDistanceInKilometers":6371}}`, &Near{Path: "g", Point: GeoPoint{1, 2}, Metres: 6371000, Sort: true}},
		{`{"g":{"$nearSphere":` + here + `,"$maxDistanceInMiles":3959}}`, &Near{Path: "g", Point: GeoPoint{1, 2}, Metres: 6371000, Sort: true}},
		{`{"g":{"$nearSphere":[1,2]}}`, Or(nil)},
		{`{"$or":[{"g":{"$nearSphere":` + here + `}},{"a":1}]}`,
			Or{&Near{Path: "g", Point: GeoPoint{1, 2}, Metres: math.Inf(1)}, &Compare{Path: "a", Value: 1.0}}},
		{`{"g":{"$maxDistance":1}}`, &Unsupported{Path: "g", Operator: "$maxDistance", Value: 1.0}},
		{`{"g":{"$within":{"$box":[` + here + `,` + there + `]}}}`, &Box{Path: "g", Corner: GeoPoint{1, 2}, Other: GeoPoint{3, 4}}},
		{`{"g":{"$within":{"$foo":1}}}`, &Unsupported{Path: "g", Operator: "$within", Value: map[string]any{"$foo": 1.0}}},
		{`{"g":{"$geoWithin":{"$centerSphere":[[2,1],"1"]}}}`, &Near{Path: "g", Point: GeoPoint{1, 2}, Metres: 6371000}},
		{`{"g":{"$geoWithin":{"$centerSphere":[` + here + `,0]}}}`, &Near{Path: "g", Point: GeoPoint{1, 2}}},
		{`{"g":{"$geoWithin":{"$polygon":[` + here + `,[4,3],[0,0]]}}}`, &Inside{Path: "g", Polygon: Polygon{[][2]float64{{1, 2}, {3, 4}, {0, 0}}}}},
		{`{"g":{"$geoWithin":{"$polygon":{"__type":"Polygon","coordinates":[[0,0],[4,3],[1,1]]}}}}`,
			&Inside{Path: "g", Polygon: Polygon{[][2]float64{{0, 0}, {3, 4}, {1, 1}}}}},
		{`{"y":{"$geoIntersects":{"$point":` + here + `}}}`, &Covers{Path: "y", Point: GeoPoint{1, 2}}},
		{`{"s":{"$text":{"$search":{"$term":"a & b","$language":"simple","$caseSensitive":false,"$diacriticSensitive":true}}}}`,
			&Text{Path: "s", Term: "a & b", Language: "simple"}},
		{`{"s":{"$text":{"$search":{"$term":"a"}}}}`, &Text{Path: "s", Term: "a", Language: "english"}},
		{`{"s":{"$regex":""}}`, &Unsupported{Path: "s", Operator: "$regex", Value: ""}},
		{`{"s":{"$foo":1}}`, &Unsupported{Path: "s", Operator: "$foo", Value: 1.0}},
		{`{"s":{"$all":{}}}`, &Unsupported{Path: "s", Operator: "$all", Value: map[string]any{}}},
		{`{"s":{"$options":"i"}}`, &Unsupported{Path: "s", Operator: "$options", Value: "i"}},
		{`{"_rperm":"x","_wperm":{"$gt":1},"a":1}`, &Compare{Path: "a", Value: 1.0}},
	}
	for _, test := range tests {
		t.Run(test.where, func(t *testing.T) {
			got, err := ParseWhere([]byte(test.where), Limits{Now: fixed})
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %#v, %v; want %#v", got, err, test.want)
			}
		})
	}
}

func TestParseWhereErrors(t *testing.T) {
	deep := strings.Repeat(`{"$or":[`, 40) + `{"a":1}` + strings.Repeat(`]}`, 40)
	sub := strings.Repeat(`{"p":{"$inQuery":{"className":"A","where":`, 9) + `{}` + strings.Repeat(`}}}`, 9)
	tests := []struct {
		where string
		code  int
		text  string
	}{
		{`notjson`, 107, "where parameter is not valid JSON"},
		{``, 107, "where parameter is not valid JSON"},
		{`{"a":1e999}`, 107, "where parameter is not valid JSON"},
		{`"x"`, 107, "where parameter is not valid JSON"},
		{`5`, 102, "where parameter is not an object"},
		{`[]`, 102, "where parameter is not an object"},
		{`{"ACL":{}}`, 102, "Cannot query on ACL."},
		{`{"_hashed_password":"x"}`, 105, "Invalid key name: _hashed_password"},
		{`{"_session_token":"x"}`, 105, "Invalid key name: _session_token"},
		{`{"$or":[{"_rperm":"x"}]}`, 105, "Invalid key name: _rperm"},
		{`{"a b":1}`, 105, "Invalid key name: a b"},
		{`{"":1}`, 105, "Invalid key name: "},
		{`{"a'||b":1}`, 105, "Invalid key name: a'||b"},
		{`{"$where":"x"}`, 105, "Invalid key name: $where"},
		{`{"$or":{"i":0}}`, 102, "Bad $or format - use an array value."},
		{`{"$or":[]}`, 102, "Bad $or format - use an array of at least 1 value."},
		{`{"$or":[{}]}`, 102, "Bad $or format - use an array of at least 1 condition."},
		{`{"$or":[1]}`, 102, "Bad $or format - use an array of objects."},
		{`{"$or":null}`, 102, "Bad $or format - use an array value."},
		{`{"$and":5}`, 102, "Bad $and format - use an array value."},
		{`{"$nor":[]}`, 102, "Bad $nor format - use an array of at least 1 value."},
		{`{"$nor":{}}`, 102, "Bad $nor format - use an array of at least 1 value."},
		{`{"i":{"$in":5}}`, 107, "bad $in value"},
		{`{"i":{"$nin":null}}`, 107, "bad $nin value"},
		{`{"i":{"$all":[{"$regex":"^\\Qa\\E"},"b"]}}`, 107, "All $all values must be of regex type or none: [object Object],b"},
		{`{"i":{"$containedBy":1}}`, 107, "bad $containedBy: should be an array"},
		{`{"i":{"$regex":5}}`, 102, "$regex value must be a string"},
		{`{"i":{"$regex":"a","$options":5}}`, 102, "$options value must be a string"},
		{`{"i":{"$regex":"a","$options":"g"}}`, 102, "Bad $options value for query: g"},
		{`{"i":{"$regex":"a","$options":""}}`, 102, "Bad $options value for query: "},
		{`{"i":{"$regex":"["}}`, 102, "Bad $regex value for query: missing closing ]"},
		{`{"i":{"$regex":"*"}}`, 102, "Bad $regex value for query: missing argument to repetition operator"},
		{`{"i":{"$inQuery":{"className":"Q"}}}`, 102, "improper usage of $inQuery"},
		{`{"i":{"$inQuery":5}}`, 102, "improper usage of $inQuery"},
		{`{"i":{"$notInQuery":{"where":{}}}}`, 102, "improper usage of $notInQuery"},
		{`{"i":{"$select":{"query":{"className":"A"},"key":"k","x":1}}}`, 102, "improper usage of $select"},
		{`{"i":{"$dontSelect":{"query":{"className":"A","where":5},"key":"k"}}}`, 102, "improper usage of $dontSelect"},
		{`{"$relatedTo":{"object":{},"key":"k"}}`, 102, "improper usage of $relatedTo"},
		{`{"p":{"__type":"Pointer","className":"A"}}`, 102, "This is not a valid Pointer"},
		{`{"d":{"$gt":{"__type":"Date","iso":"garbage"}}}`, 102, "This is not a valid Date"},
		{`{"d":{"$eq":{"$relativeTime":"now"}}}`, 107, "$relativeTime can only be used with the $lt, $lte, $gt, and $gte operators"},
		{`{"d":{"$exists":{"$relativeTime":"now"}}}`, 107, "$relativeTime can only be used with the $lt, $lte, $gt, and $gte operators"},
		{`{"d":{"$lt":{"$relativeTime":"soon"}}}`, 107, "bad $relativeTime (soon) value. Time should either start with 'in' or end with 'ago'"},
		{`{"g":{"$nearSphere":{"latitude":"a","longitude":3}}}`, 107, "bad $nearSphere value; latitude and longitude should be numbers"},
		{`{"g":{"$within":{"$box":[` + here + `]}}}`, 107, "malformatted $within arg"},
		{`{"g":{"$within":{"$box":[[1,1],[2,2]]}}}`, 107, "malformatted $within arg"},
		{`{"g":{"$within":{"$box":5}}}`, 107, "malformatted $within arg"},
		{`{"g":{"$geoWithin":{"$centerSphere":[[0,0]]}}}`, 107, "bad $geoWithin value; $centerSphere should be an array of Parse.GeoPoint and distance"},
		{`{"g":{"$geoWithin":{"$centerSphere":["x",1]}}}`, 107, "bad $geoWithin value; $centerSphere geo point invalid"},
		{`{"g":{"$geoWithin":{"$centerSphere":[[0,0],-1]}}}`, 107, "bad $geoWithin value; $centerSphere distance invalid"},
		{`{"g":{"$geoWithin":{"$centerSphere":[[0,0],"x"]}}}`, 107, "bad $geoWithin value; $centerSphere distance invalid"},
		{`{"g":{"$geoWithin":{"$centerSphere":[[0,"x"],1]}}}`, 107, "GeoPoint latitude and longitude must be valid numbers"},
		{`{"g":{"$geoWithin":{"$polygon":[` + here + `]}}}`, 107, "bad $geoWithin value; $polygon should contain at least 3 GeoPoints"},
		{`{"g":{"$geoWithin":{"$polygon":{"__type":"Polygon","coordinates":[[0,0]]}}}}`, 107, "bad $geoWithin value; Polygon.coordinates should contain at least 3 lon/lat pairs"},
		{`{"g":{"$geoWithin":{"$polygon":"x"}}}`, 107, "bad $geoWithin value; $polygon should be Polygon object or Array of Parse.GeoPoint's"},
		{`{"g":{"$geoWithin":{"$polygon":[` + here + `,null,[0,0]]}}}`, 107, "bad $geoWithin value"},
		{`{"g":{"$geoWithin":{"$polygon":[[0,0],[0,100],[1,1]]}}}`, 107, "GeoPoint latitude out of bounds: 100 > 90.0."},
		{`{"g":{"$geoWithin":{"$polygon":[[0,0],[-200,0],[1,1]]}}}`, 107, "GeoPoint longitude out of bounds: -200 < -180.0."},
		{`{"g":{"$geoWithin":{"$polygon":[` + strings.Repeat("[0,0],", 1024) + `[1,1]]}}}`, 102, "Number of vertices of a polygon exceeds maximum allowed of 1024"},
		{`{"y":{"$geoIntersects":{"$point":[1,2]}}}`, 107, "bad $geoIntersect value; $point should be GeoPoint"},
		{`{"s":{"$text":"x"}}`, 107, "bad $text: $search, should be object"},
		{`{"s":{"$text":{"$search":{"$term":""}}}}`, 107, "bad $text: $term, should be string"},
		{`{"s":{"$text":{"$search":{"$term":"a","$language":5}}}}`, 107, "bad $text: $language, should be string"},
		{`{"s":{"$text":{"$search":{"$term":"a","$caseSensitive":1}}}}`, 107, "bad $text: $caseSensitive, should be boolean"},
		{`{"s":{"$text":{"$search":{"$term":"a","$caseSensitive":true}}}}`, 107, "bad $text: $caseSensitive not supported, please use $regex or create a separate lower case column."},
		{`{"s":{"$text":{"$search":{"$term":"a","$diacriticSensitive":1}}}}`, 107, "bad $text: $diacriticSensitive, should be boolean"},
		{`{"s":{"$text":{"$search":{"$term":"a","$diacriticSensitive":false}}}}`, 107, "bad $text: $diacriticSensitive - false not supported, install Postgres Unaccent Extension"},
		{`{"s":{"$text":{"$search":{"$term":"` + strings.Repeat("a", 5000) + `"}}}}`, 102, "$term exceeds the maximum allowed size of 4096 bytes"},
		{deep, 102, "Query condition nesting depth exceeds maximum allowed depth of 32"},
		{strings.Repeat(`{"$and":[`, 100_000), 102, "Query condition nesting depth exceeds maximum allowed depth of 100"},
		{sub, 102, "Subquery nesting depth exceeds maximum allowed depth of 8"},
		{`{"i":{"$in":[` + strings.Repeat("1,", 40000) + `1]}}`, 102, "Number of values in a query condition exceeds maximum allowed of 32768"},
		{`{"$or":[` + strings.Repeat(`{"a":1},`, 5000) + `{"a":1}]}`, 102, "Number of query conditions exceeds maximum allowed of 4096"},
		{`{"i":{"$regex":"` + strings.Repeat("a", 5000) + `"}}`, 102, "$regex value exceeds the maximum allowed size of 4096 bytes"},
		{`{"a":"` + strings.Repeat("a", 1<<20) + `"}`, 102, "The where parameter exceeds the maximum allowed size of 1048576 bytes"},
	}
	for _, test := range tests {
		t.Run(test.where[:min(len(test.where), 60)], func(t *testing.T) {
			e, err := ParseWhere([]byte(test.where), Limits{Now: fixed})
			var q *Error
			if !errors.As(err, &q) || q.Code != test.code || q.Message != test.text {
				t.Errorf("got %v, %v; want %d %s", e, err, test.code, test.text)
			}
		})
	}
}

func TestParseWherePrivileged(t *testing.T) {
	l := Limits{Privileged: true}
	for _, name := range []string{"_rperm", "_session_token", "_tombstone"} {
		if e, err := ParseWhere([]byte(`{"`+name+`":"x"}`), l); err != nil || e.(*Compare).Path != Path(name) {
			t.Errorf("%s: %v, %v", name, e, err)
		}
	}
	if _, err := ParseWhere([]byte(`{"_hashed_password":"x"}`), l); err == nil {
		t.Error("_hashed_password can be queried")
	}
}

func TestParseWhereWithoutRegex(t *testing.T) {
	for _, where := range []string{`{"s":{"$regex":"a"}}`, `{"s":{"$regex":5}}`, `{"$or":[{"p":{"$inQuery":{"className":"A","where":{"s":{"$regex":"a"}}}}}]}`} {
		if _, err := ParseWhere([]byte(where), Limits{NoRegex: true}); err == nil || err.Error() != "$regex operator is not allowed" {
			t.Errorf("%s: %v", where, err)
		}
	}
}

func TestParseWhereWithoutBounds(t *testing.T) {
	where := `{"i":{"$in":[` + strings.Repeat("1,", 40000) + `1]}}`
	if _, err := ParseWhere([]byte(where), Limits{Values: -1}); err != nil {
		t.Error(err)
	}
}

func TestRelativeTime(t *testing.T) {
	now := fixed()
	tests := []struct {
		text string
		want time.Duration
		info string
	}{
		{"now", 0, ""},
		{"NOW", 0, ""},
		{"in 5 minutes", 5 * time.Minute, ""},
		{"2 weeks 3 days ago", -17 * 24 * time.Hour, ""},
		{"in  1 yr 1 hr 1 sec", 365*24*time.Hour + time.Hour + time.Second, ""},
		{"in -1 day", -24 * time.Hour, ""},
		{"in 1 day ago", 0, "Time cannot have both 'in' and 'ago'"},
		{"1 day", 0, "Time should either start with 'in' or end with 'ago'"},
		{"in 1", 0, "Invalid time string. Dangling unit or number."},
		{"in x days", 0, "'x' is not an integer."},
		{"in 1.5 days", 0, "'1.5' is not an integer."},
		{"in nan days", 0, "'nan' is not an integer."},
		{"in 1 fortnight", 0, "Invalid interval: 'fortnight'"},
		{"in 9999 years", 0, "The time is out of range."},
		{"1e300 years ago", 0, "The time is out of range."},
	}
	for _, test := range tests {
		got, info := resolveRelativeTime(test.text, now)
		if info != test.info || info == "" && !got.Equal(now.Add(test.want)) {
			t.Errorf("%q: %v, %q; want %v, %q", test.text, got, info, now.Add(test.want), test.info)
		}
	}
}

func TestWalk(t *testing.T) {
	e, err := ParseWhere([]byte(`{"$or":[{"a":1},{"$nor":[{"p":{"$inQuery":{"className":"B","where":{"b":2}}}}]}],
		"s":{"$select":{"query":{"className":"C","where":{"c":3,"$and":[{"d":4}]}},"key":"k"}}}`), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	Walk(e, func(e Expr) {
		switch e := e.(type) {
		case *Compare:
			got = append(got, string(e.Path))
		default:
			got = append(got, strings.TrimPrefix(reflect.TypeOf(e).String(), "query."))
		}
	})
	if want := "And Or a Nor *query.InQuery b *query.Select And And d c"; strings.Join(got, " ") != want {
		t.Errorf("got %s; want %s", strings.Join(got, " "), want)
	}
}

// FuzzParseWhere: no input makes the parser panic, its errors are Parse errors, and its trees can be walked, matched and
// filed in an index, where the canonical form is stable under a repeated parse.
func FuzzParseWhere(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"b":{"$gt":2,"$lt":{"$relativeTime":"in 5 minutes"}},"$or":[{"c":null},{"d":{"$in":[1,[2]]}}]}`,
		`{"s":{"$regex":"^\\Qa\\E","$options":"i"},"$nor":[{"a.b.0":"x"}]}`,
		`{"s":{"$all":[{"$regex":"^\\Qa\\E"}]},"p":{"$inQuery":{"className":"A","where":{}}}}`,
		`{"p":{"__type":"Pointer","className":"A","objectId":"x","$gt":1}}`, `"{}"`, `{"$relatedTo":{}}`,
		`{"g":{"$nearSphere":{"latitude":1,"longitude":2},"$maxDistance":0.1},"$nor":[{"g":{"$within":{"$box":[{"latitude":1,"longitude":2},{"latitude":3,"longitude":4}]}}}]}`,
		`{"g":{"$geoWithin":{"$polygon":[[0,0],[4,0],[4,4]],"$centerSphere":[[1,2],0.5]}},"y":{"$geoIntersects":{"$point":{"__type":"GeoPoint","latitude":1,"longitude":2}}}}`,
		`{"s":{"$text":{"$search":{"$term":"a & b","$language":"simple"}}}}`,
	} {
		f.Add([]byte(seed))
	}
	d := Fields{"a": 1.0, "b": "x", "s": []any{"a", 1.0}, "p": Pointer{"A", "x"}, "o": map[string]any{"b": nil},
		"g": GeoPoint{1, 2}, "y": Polygon{[][2]float64{{0, 0}, {0, 4}, {4, 4}}}}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ParseWhere(data, Limits{Now: fixed})
		if err != nil {
			var q *Error
			if !errors.As(err, &q) || q.Code == 0 || q.Message == "" {
				t.Fatalf("not a Parse error: %v", err)
			}
			return
		}
		Walk(e, func(Expr) {})
		form := AppendCanonical(nil, e)
		again, err := ParseWhere(data, Limits{Now: fixed})
		if err != nil || string(AppendCanonical(nil, again)) != string(form) {
			t.Fatalf("parsed twice: %q and %q (%v)", form, AppendCanonical(nil, again), err)
		}
		var x Index[int]
		x.Add(e, 1)
		found := false
		x.Each(d, func(int) { found = true })
		if found != (Match(e, d) != No) {
			t.Fatalf("index says %v, Match %v", found, Match(e, d))
		}
		if x.Remove(again, 1); x.Len() != 0 || len(x.fields) != 0 || len(x.scan.items) != 0 {
			t.Fatalf("after Remove: %+v", x)
		}
	})
}
