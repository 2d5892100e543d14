package query

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

// fromQueryString and fromBody are the two forms of parameters.
func fromQueryString(pairs ...string) Params {
	p := Params{}
	for i := 0; i < len(pairs); i += 2 {
		p[pairs[i]] = Param{Text: pairs[i+1]}
	}
	return p
}

func fromBody(pairs ...string) Params {
	p := Params{}
	for i := 0; i < len(pairs); i += 2 {
		p[pairs[i]] = Param{JSON: []byte(pairs[i+1])}
	}
	return p
}

func TestParseParams(t *testing.T) {
	plain := func(change func(*Query)) *Query {
		q := &Query{Class: "A", Limit: -1}
		change(q)
		return q
	}
	tests := []struct {
		name   string
		params Params
		want   *Query
	}{
		{"none", nil, plain(func(q *Query) {})},
		{"where", fromQueryString("where", `{"a":1}`), plain(func(q *Query) { q.Where = &Compare{Path: "a", Value: 1.0} })},
		{"where as a string in a body", fromBody("where", `"{\"a\":1}"`), plain(func(q *Query) { q.Where = &Compare{Path: "a", Value: 1.0} })},
		{"limit", fromQueryString("limit", "5"), plain(func(q *Query) { q.Limit = 5 })},
		{"limit as a string", fromBody("limit", `"5"`), plain(func(q *Query) { q.Limit = 5 })},
		{"limit 0", fromQueryString("limit", "0"), plain(func(q *Query) { q.Limit = 0 })},
		{"limit empty", fromQueryString("limit", ""), plain(func(q *Query) {})},
		{"limit null", fromBody("limit", "null"), plain(func(q *Query) {})},
		{"limit rounded", fromQueryString("limit", "2.5"), plain(func(q *Query) { q.Limit = 3 })},
		{"limit huge", fromQueryString("limit", "1e300"), plain(func(q *Query) { q.Limit = 1<<31 - 1 })},
		{"skip", fromQueryString("skip", "7"), plain(func(q *Query) { q.Skip = 7 })},
		{"count", fromQueryString("count", "1"), plain(func(q *Query) { q.Count = true })},
		{"count 0", fromQueryString("count", "0"), plain(func(q *Query) {})},
		{"count as the string 0", fromBody("count", `"0"`), plain(func(q *Query) { q.Count = true })},
		{"order", fromQueryString("order", "-a, b.c,a,_created_at"), plain(func(q *Query) {
			q.Order = []Sort{{Path: "a"}, {Path: "b.c"}, {Path: "createdAt"}}
		})},
		{"order by score", fromQueryString("order", "-$score"), plain(func(q *Query) { q.Order = []Sort{{"$score", true}} })},
		{"keys", fromQueryString("keys", "b,a,,b"), plain(func(q *Query) { q.Keys = []string{"b", "a"} })},
		{"keys as an array", fromBody("keys", `["b","a"]`), plain(func(q *Query) { q.Keys = []string{"b", "a"} })},
		{"keys that are a number", fromQueryString("keys", "1"), plain(func(q *Query) { q.Keys = []string{"1"} })},
		{"keys empty", fromQueryString("keys", ""), plain(func(q *Query) { q.Keys = []string{} })},
		{"keys imply include", fromQueryString("keys", "a.b.c"), plain(func(q *Query) {
			q.Keys, q.Include = []string{"a.b.c"}, []Path{"a", "a.b"}
		})},
		{"excludeKeys", fromQueryString("excludeKeys", "z.y,objectId,b"), plain(func(q *Query) {
			q.ExcludeKeys, q.Include = []string{"b", "z.y"}, []Path{"z"}
		})},
		{"include", fromQueryString("include", "c.d.e,b,c"), plain(func(q *Query) { q.Include = []Path{"b", "c", "c.d", "c.d.e"} })},
		{"include all", fromQueryString("include", "b,*"), plain(func(q *Query) { q.IncludeAll = true })},
		{"includeAll", fromBody("includeAll", "true"), plain(func(q *Query) { q.IncludeAll = true })},
		{"redirect", fromQueryString("redirectClassNameForKey", "k"), plain(func(q *Query) { q.Redirect = "k" })},
		{"explain", fromQueryString("explain", "true"), plain(func(q *Query) { q.Explain = "true" })},
		{"hint", fromQueryString("hint", `{"a":1}`), plain(func(q *Query) { q.Hint = `{"a":1}` })},
		{"comment", fromQueryString("comment", "hi"), plain(func(q *Query) { q.Comment = "hi" })},
		{"comment that is no string", fromQueryString("comment", "1"), plain(func(q *Query) {})},
		{"preferences", fromQueryString("readPreference", "NEAREST", "includeReadPreference", "PRIMARY", "subqueryReadPreference", "SECONDARY"),
			plain(func(q *Query) {
				q.ReadPreference, q.IncludeReadPreference, q.SubqueryPreference = "NEAREST", "PRIMARY", "SECONDARY"
			})},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseParams("A", test.params, Limits{})
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, %v; want %+v", got, err, test.want)
			}
		})
	}
}

func TestParseParamsErrors(t *testing.T) {
	tests := []struct {
		params Params
		code   int
		text   string
	}{
		{fromQueryString("foo", "1", "limit", "x"), 102, "Invalid parameter for query: foo"},
		{fromQueryString("where", "notjson"), 107, "where parameter is not valid JSON"},
		{fromQueryString("where", ""), 107, "where parameter is not valid JSON"},
		{fromBody("where", "5"), 102, "where parameter is not an object"},
		{fromQueryString("limit", "-1"), 102, "Invalid value for limit: it must not be negative"},
		{fromQueryString("skip", "-1"), 102, "Invalid value for skip: it must not be negative"},
		{fromQueryString("limit", "abc"), 102, "Invalid value for limit: it must be a number"},
		{fromBody("skip", "{}"), 102, "Invalid value for skip: it must be a number"},
		{fromQueryString("order", "a b"), 105, "Invalid field name: a b."},
		{fromQueryString("order", "a,"), 105, "Invalid field name: ."},
		{fromQueryString("order", "a.b'"), 105, "Invalid field name: a.b'."},
		{fromQueryString("order", "authData.x.id"), 105, "Cannot sort by authData.x.id"},
		{fromBody("keys", `{"a"`), 107, "invalid JSON: cannot decode JSON: unexpected end"},
	}
	for _, test := range tests {
		q, err := ParseParams("A", test.params, Limits{})
		var e *Error
		if !errors.As(err, &e) || e.Code != test.code || e.Message != test.text {
			t.Errorf("%v: %+v, %v; want %d %s", test.params, q, err, test.code, test.text)
		}
	}
	if _, err := ParseParams("A", fromQueryString("keys", "a,b,c"), Limits{Fields: 2}); err == nil {
		t.Error("three keys pass a bound of two")
	}
}

func TestParseGetParams(t *testing.T) {
	q, err := ParseGetParams("A", fromQueryString("keys", "a.b", "include", "c"), Limits{})
	want := &Query{Class: "A", Limit: -1, Keys: []string{"a.b"}, Include: []Path{"a", "c"}}
	if err != nil || !reflect.DeepEqual(q, want) {
		t.Errorf("got %+v, %v", q, err)
	}
	for _, name := range []string{"where", "limit", "order", "foo"} {
		_, err := ParseGetParams("A", fromQueryString(name, "{}"), Limits{})
		if e, ok := err.(*Error); !ok || e.Code != 102 || e.Message != "Improper encode of parameter" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The same question in the query string and in a body, written differently, has the same canonical form.
func TestFormsAgree(t *testing.T) {
	tests := []struct {
		name      string
		get, post Params
	}{
		{"where", fromQueryString("where", ` {"b" : 1.0, "a":"\u00e9"}`), fromBody("where", `{"a":"é","b":1e0}`)},
		{"where in a string", fromQueryString("where", `{"a":1}`), fromBody("where", `"{\"a\":1}"`)},
		{"dates", fromQueryString("where", `{"d":{"__type":"Date","iso":"2020-01-02T03:04:05Z"}}`),
			fromBody("where", `{"d":{"iso":"2020-01-02T04:04:05.000+01:00","__type":"Date"}}`)},
		{"values of $in", fromQueryString("where", `{"a":{"$in":[3,1,2,1]}}`), fromBody("where", `{"a":{"$in":[1,[2,3]]}}`)},
		{"terms of $or", fromQueryString("where", `{"$or":[{"a":1},{"b":2},{"a":1}]}`), fromBody("where", `{"$or":[{"b":2},{"a":1}]}`)},
		{"terms of $and", fromQueryString("where", `{"$and":[{"a":1},{"b":{"$gt":0}}],"c":2}`),
			fromBody("where", `{"c":2,"b":{"$gt":0},"a":1}`)},
		{"options", fromQueryString("where", `{"a":{"$regex":"x","$options":"im"}}`), fromBody("where", `{"a":{"$regex":"x","$options":"mi"}}`)},
		{"numbers", fromQueryString("limit", "10", "skip", "0"), fromBody("limit", `"10"`)},
		{"lists", fromQueryString("keys", "a,b", "include", "x.y", "excludeKeys", "q,p"),
			fromBody("keys", `["a","b"]`, "include", `["x","x.y"]`, "excludeKeys", `"p,q"`)},
		{"count", fromQueryString("count", "1"), fromBody("count", "true")},
		{"sub-queries", fromQueryString("where", `{"p":{"$inQuery":{"className":"B","where":{"a":1,"b":-0}}}}`),
			fromBody("where", `{"p":{"$inQuery":{"where":{"b":0,"a":1},"className":"B"}}}`)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			get, err := ParseParams("A", test.get, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			post, err := ParseParams("A", test.post, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if a, b := get.AppendCanonical(nil), post.AppendCanonical(nil); !bytes.Equal(a, b) {
				t.Errorf("\n%q\n%q", a, b)
			}
		})
	}
}

func TestTimeDependent(t *testing.T) {
	for where, want := range map[string]bool{
		`{}`: false,
		`{"d":{"$lt":{"__type":"Date","iso":"2020-01-02"}}}`:                                           false,
		`{"d":{"$lt":{"$relativeTime":"now"}}}`:                                                        true,
		`{"p":{"$inQuery":{"className":"B","where":{"$or":[{"d":{"$lt":{"$relativeTime":"now"}}}]}}}}`: true,
	} {
		q, err := ParseParams("A", fromQueryString("where", where), Limits{})
		if err != nil || q.TimeDependent() != want {
			t.Errorf("%s: %v, %v", where, q, err)
		}
	}
}
