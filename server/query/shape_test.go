package query

import (
	"strings"
	"testing"
)

func TestShape(t *testing.T) {
	for where, want := range map[string]string{
		`{}`:                                "everything",
		`{"a":"SECRET"}`:                    "a ?",
		`{"a":{"$lt":5,"$gte":1},"b":null}`: "a $gte ?, a $lt ?, b ?",
		`{"a":{"$in":["SECRET"]},"b.c":{"$nin":[1,2]}}`:                                                "a $in [1 value], b.c $nin [2 values]",
		`{"$or":[{"a":1},{"b":{"$exists":true}}]}`:                                                     "$or(a ? | b $exists true)",
		`{"a":{"$regex":"^SECRET"}}`:                                                                   "a $regex ?",
		`{"a":{"$inQuery":{"className":"B","where":{"name":"SECRET"}}}}`:                               "a $inQuery (B: name ?)",
		`{"a":{"$dontSelect":{"key":"k","query":{"className":"B","where":{}}}}}`:                       "a $dontSelect (B: everything).k",
		`{"$relatedTo":{"object":{"__type":"Pointer","className":"C","objectId":"SECRET"},"key":"r"}}`: "$relatedTo C.r",
		`{"at":{"$nearSphere":{"__type":"GeoPoint","latitude":1,"longitude":2}}}`:                      "at $nearSphere ?",
		`{"a":{"$all":["SECRET","b"]}}`:                                                                "a $all [2 values]",
	} {
		q, err := ParseWhere([]byte(where), Limits{})
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		got := string(AppendShape(nil, q))
		if got != want {
			t.Errorf("%s: got %q, want %q", where, got, want)
		}
		if strings.Contains(got, "SECRET") {
			t.Errorf("%s: a value is in %q", where, got)
		}
	}
}
