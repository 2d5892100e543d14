package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/parsescale/parsescale/policies/request"
)

// TestSpellings asks random questions in two spellings each, as SDKs and people differ. One question is one entry, so both
// have one key; and whatever questions have one key, a worker answers with the same bytes.
func TestSpellings(t *testing.T) {
	s := newOwnSite(t, tampering{}, nil)
	_, ann := s.signUp(t, "ann")
	fillSpelled(t, s)
	same, other, found, asked := 0, 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		q := drawSpelled(t)
		changed := q.changed(t)
		one, two, three := q.spell(t, ann), q.spell(t, ann), changed.spell(t, ann)
		k, l, m := classify(t, one), classify(t, two), classify(t, three)
		if k != l {
			t.Fatalf("two spellings have two keys:\n%s\n%s", one, two)
		}
		a, b := answerTo(s.worker, one), answerTo(s.worker, two)
		if a != b {
			t.Fatalf("one key, but two answers:\n%s: %s\n%s: %s", one, a, two, b)
		}
		if asked++; strings.Contains(a, "objectId") {
			found++
		}
		if m != k {
			other++
			return
		}
		same++
		if c := answerTo(s.worker, three); c != a {
			t.Fatalf("one key for two questions:\n%s: %s\n%s: %s", one, a, three, c)
		}
	})
	t.Logf("a change in a question gave another key %d times, the same %d times", other, same)
	if other+same > 50 && other < same {
		t.Error("questions that differ mostly share keys")
	}
	if asked > 50 && found*4 < asked {
		t.Errorf("only %d of %d questions found anything: that proves little", found, asked)
	}
}

func fillSpelled(t *testing.T, s *ownSite) {
	s.object(t, "Sub", `{"n":1,"b":"x"}`)
	s.must(t, byMaster, "POST", "/schemas/Spelled", `{"className":"Spelled","fields":{"a":{"type":"Number"},"b":{"type":"String"},"c":{"type":"Array"},"d":{"type":"Date"},"p":{"type":"Pointer","targetClass":"Sub"},"o":{"type":"Object"}}}`, nil)
	for i := range 12 {
		s.object(t, "Spelled", fmt.Sprintf(`{"a":%d,"b":%q,"c":[%d,"x"],"d":{"__type":"Date","iso":"202%d-01-02T00:00:00.000Z"},"p":{"__type":"Pointer","className":"Sub","objectId":"s%d"},"o":{"k":%d}}`,
			i%4-1, []string{"x", "y", "é\"", ""}[i%4], i%3, i%3, i%2, i%2))
	}
	for i := range 2 {
		s.object(t, "Sub", fmt.Sprintf(`{"objectId":"s%d","n":%d}`, i, i))
	}
}

func classify(t *rapid.T, in spelling) request.Key {
	r := request.Classify(request.Input{
		Method: in.method, Path: in.path, RawQuery: in.query, Header: in.header, Body: []byte(in.body), BodyComplete: true, Mount: "/parse", Seed: 1,
	})
	if !r.Cacheable {
		t.Fatalf("%s isn't cacheable: %s", in, r.Why)
	}
	return r.Key(r.Token())
}

func answerTo(h http.Handler, in spelling) string {
	target := "/parse" + in.path
	if in.query != "" {
		target += "?" + in.query
	}
	r := httptest.NewRequest(in.method, target, strings.NewReader(in.body))
	for name, v := range in.header {
		r.Header[name] = v
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return fmt.Sprint(rec.Code, " ", rec.Body)
}

// spelling is a request.
type spelling struct {
	method, path, query, body string
	header                    http.Header
}

func (s spelling) String() string {
	q, _ := url.QueryUnescape(s.query)
	return fmt.Sprintf("%s %s?%s %s %v", s.method, s.path, q, s.body, s.header)
}

// spelled is a question as it is meant.
type spelled struct {
	terms         []term
	any           bool // of the terms, not all
	order         string
	limit, skip   int // limit -1: none
	count, user   bool
	keys, include []string // keys nil: all
}

// term is a condition on a field: an operator, "" for equality, and a value.
type term struct{ field, op, value string }

var spelledTerms = []term{
	{"a", "", "1"}, {"a", "", "-1"}, {"a", "$gt", "0"}, {"a", "$lt", "2"}, {"a", "$ne", "1"}, {"a", "$in", "[1,2,0]"}, {"a", "$nin", "[1,2]"},
	{"b", "", `"x"`}, {"b", "", `"é\""`}, {"b", "$regex", `"^x"`}, {"b", "$exists", "true"}, {"b", "$in", `["x","y"]`}, {"b", "", `"1"`},
	{"c", "", "1"}, {"c", "", `"x"`}, {"c", "$all", `[1,"x"]`}, {"c", "$containedBy", `[0,1,"x"]`},
	{"d", "$gte", `{"__type":"Date","iso":"2021-01-02T00:00:00.000Z"}`}, {"d", "", `{"__type":"Date","iso":"2020-01-02T00:00:00.000Z"}`},
	{"p", "", `{"__type":"Pointer","className":"Sub","objectId":"s1"}`}, {"p", "$inQuery", `{"className":"Sub","where":{"n":{"$gt":0}}}`},
	{"o.k", "", "1"}, {"b", "$select", `{"query":{"className":"Sub","where":{"n":1}},"key":"b"}`},
}

func drawSpelled(t *rapid.T) spelled {
	q := spelled{
		any:   rapid.IntRange(0, 3).Draw(t, "any") == 0,
		order: rapid.SampledFrom([]string{"a,objectId", "-a,b,objectId", "createdAt", "objectId"}).Draw(t, "order"),
		limit: rapid.SampledFrom([]int{-1, 0, 1, 3}).Draw(t, "limit"), skip: rapid.SampledFrom([]int{0, 0, 2}).Draw(t, "skip"),
		count: rapid.Bool().Draw(t, "count"), user: rapid.Bool().Draw(t, "user"),
		include: rapid.SampledFrom([][]string{nil, {"p"}, {"c", "p"}}).Draw(t, "include"),
		keys:    rapid.SampledFrom([][]string{nil, nil, {"a"}, {"a", "b", "p"}, {"o", "p.n"}}).Draw(t, "keys"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "terms") {
		q.terms = append(q.terms, rapid.SampledFrom(spelledTerms).Draw(t, "term"))
	}
	return q
}

// changed is the question with one thing changed, perhaps in a way that doesn't matter.
func (q spelled) changed(t *rapid.T) spelled {
	switch rapid.IntRange(0, 8).Draw(t, "change") {
	case 0:
		q.order = rapid.SampledFrom([]string{"a,objectId", "-objectId", "b,a,objectId", "createdAt"}).Draw(t, "order")
	case 1:
		q.limit = rapid.IntRange(-1, 4).Draw(t, "limit")
	case 2:
		q.skip = rapid.IntRange(0, 2).Draw(t, "skip")
	case 3:
		q.count = !q.count
	case 4:
		q.any = !q.any
	case 5:
		q.keys = rapid.SampledFrom([][]string{nil, {"a"}, {"b"}, {"a", "objectId"}, {"objectId"}, {"p"}}).Draw(t, "keys")
	case 6:
		q.include = rapid.SampledFrom([][]string{nil, {"p"}, {"o"}}).Draw(t, "include")
	default:
		q.terms = append(slices.Clone(q.terms), rapid.SampledFrom(spelledTerms).Draw(t, "term"))
		if rapid.Bool().Draw(t, "drop") {
			q.terms = q.terms[1:]
		}
	}
	return q
}

// spell writes the question down in one of many ways.
func (q spelled) spell(t *rapid.T, ann asker) spelling {
	flip := func(label string) bool { return rapid.Bool().Draw(t, label) }
	members := map[string]string{} // JSON by name
	if where := q.where(t); where != "{}" || flip("empty where") {
		members["where"] = where
	}
	members["order"] = quoted(t, q.order)
	number := func(name string, n int) {
		members[name] = rapid.SampledFrom([]string{fmt.Sprint(n), fmt.Sprintf("%q", fmt.Sprint(n)), fmt.Sprintf("%d.0", n), fmt.Sprintf("%de0", n)}).Draw(t, name)
	}
	if q.limit >= 0 {
		number("limit", q.limit)
	}
	if q.skip > 0 || flip("skip 0") {
		number("skip", q.skip)
	}
	switch {
	case q.count:
		members["count"] = rapid.SampledFrom([]string{"1", "true", `"1"`}).Draw(t, "count")
	case flip("no count"):
		members["count"] = rapid.SampledFrom([]string{"0", "false"}).Draw(t, "no count")
	}
	list := func(name string, names []string, more ...string) {
		names = rapid.Permutation(names).Draw(t, name)
		if flip("repeat " + name) {
			names = append(names, names[0])
		}
		for _, one := range more {
			if flip(one) {
				names = append(names, one)
			}
		}
		members[name] = quoted(t, strings.Join(names, ","))
	}
	if q.keys != nil {
		list("keys", q.keys, "objectId", "createdAt", "ACL")
	}
	if q.include != nil {
		list("include", q.include)
	}
	if flip("comment") {
		members["comment"] = `"why"`
	}
	out := spelling{path: rapid.SampledFrom([]string{"/classes/Spelled", "/Classes/Spelled/", "//classes/Spelled", "/classes/Sp%65lled"}).Draw(t, "path"), header: http.Header{}}
	token := ann.header["X-Parse-Session-Token"]
	if flip("GET") {
		out.method = "GET"
		out.header.Set("X-Parse-Application-Id", ownApp)
		out.header.Set("X-Parse-Javascript-Key", ownJS)
		if q.user {
			out.header.Set("X-Parse-Session-Token", token)
		}
		if flip("client version") {
			out.header.Set("X-Parse-Client-Version", "i1.2.3")
		}
		out.query = inQueryString(t, members)
		return out
	}
	out.method = "POST"
	out.header.Set("Content-Type", rapid.SampledFrom([]string{"text/plain", "application/json", "application/json; charset=utf-8"}).Draw(t, "type"))
	members["_method"] = rapid.SampledFrom([]string{`"GET"`, `"get"`, `"\u0047ET"`}).Draw(t, "method")
	if flip("credentials in the body") {
		members["_ApplicationId"], members["_JavaScriptKey"] = quoted(t, ownApp), quoted(t, ownJS)
		members["_ClientVersion"], members["_InstallationId"] = `"js6.0.0"`, fmt.Sprintf(`"i%d"`, rapid.IntRange(0, 9).Draw(t, "installation"))
		if q.user {
			members["_SessionToken"] = quoted(t, token)
		}
	} else {
		out.header.Set("X-Parse-Application-Id", ownApp)
		out.header.Set("X-Parse-Javascript-Key", ownJS)
		if q.user {
			out.header.Set("X-Parse-Session-Token", token)
		}
	}
	out.body = object(t, members)
	return out
}

// where writes the conditions: in any order, merged or apart, wrapped or not.
func (q spelled) where(t *rapid.T) string {
	terms := rapid.Permutation(q.terms).Draw(t, "terms")
	var parts []map[string]string // each a condition of its own
	byField := map[string]string{}
	for _, w := range terms {
		value := w.respelled(t)
		switch {
		case w.op != "":
			value = object(t, map[string]string{w.op: value})
		case rapid.Bool().Draw(t, "$eq") && !strings.Contains(w.value, "__type"):
			value = object(t, map[string]string{"$eq": value})
		}
		if _, taken := byField[w.field]; taken || q.any || rapid.Bool().Draw(t, "apart") {
			parts = append(parts, map[string]string{w.field: value})
			continue
		}
		byField[w.field] = value
	}
	if q.any && len(parts) > 0 {
		return object(t, map[string]string{"$or": array(t, parts)})
	}
	if len(parts) > 0 || rapid.IntRange(0, 3).Draw(t, "wrap") == 0 && len(byField) > 0 {
		if len(parts) == 0 {
			parts, byField = []map[string]string{byField}, map[string]string{}
		}
		byField["$and"] = array(t, parts)
	}
	return object(t, byField)
}

// respelled is a term's value in other words.
func (w term) respelled(t *rapid.T) string {
	switch {
	case w.op == "$in" || w.op == "$nin" || w.op == "$containedBy" || w.op == "$all":
		values := rapid.Permutation(strings.Split(strings.Trim(w.value, "[]"), ",")).Draw(t, "values")
		if w.op != "$all" && rapid.Bool().Draw(t, "repeat") {
			values = append(values, values[0])
		}
		for i, v := range values {
			values[i] = scalar(t, v)
		}
		return "[" + strings.Join(values, space(t)+",") + "]"
	case strings.Contains(w.value, `"Date"`):
		iso := strings.TrimSuffix(strings.Split(w.value, `"iso":"`)[1], `"}`)
		return object(t, map[string]string{"__type": `"Date"`, "iso": quoted(t, iso)})
	case strings.Contains(w.value, `"Pointer"`):
		return object(t, map[string]string{"__type": `"Pointer"`, "className": quoted(t, "Sub"), "objectId": quoted(t, "s1")})
	case w.value[0] == '{':
		return w.value
	}
	return scalar(t, w.value)
}

func scalar(t *rapid.T, v string) string {
	if v == "0" {
		return rapid.SampledFrom([]string{"0", "0.0", "-0", "0e5"}).Draw(t, "zero")
	}
	if n := v[len(v)-1]; n >= '0' && n <= '9' {
		return rapid.SampledFrom([]string{v, v + ".0", v + "e0", v + "0e-1", v + ".00E+0"}).Draw(t, "number")
	}
	return v
}

// quoted is a JSON string with some letters escaped.
func quoted(t *rapid.T, s string) string {
	var out strings.Builder
	out.WriteByte('"')
	escape := rapid.IntRange(0, 3).Draw(t, "escape")
	for i, r := range s {
		if escape == 1 && i%3 == 0 && r < 0x10000 {
			fmt.Fprintf(&out, `\u%04x`, r)
			continue
		}
		out.WriteRune(r)
	}
	return out.String() + `"`
}

func space(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "", " ", "\n\t"}).Draw(t, "space")
}

func object(t *rapid.T, members map[string]string) string {
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	parts := []string{}
	for _, name := range rapid.Permutation(names).Draw(t, "members") {
		parts = append(parts, space(t)+fmt.Sprintf("%q", name)+space(t)+":"+space(t)+members[name])
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func array(t *rapid.T, parts []map[string]string) string {
	list := make([]string, len(parts))
	for i, p := range parts {
		list[i] = object(t, p)
	}
	return "[" + strings.Join(list, ",") + "]"
}

// inQueryString writes members as parameters: strings without their quotes, as people do, or with them.
func inQueryString(t *rapid.T, members map[string]string) string {
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	var parts []string
	for _, name := range rapid.Permutation(names).Draw(t, "parameters") {
		v := members[name]
		if v[0] == '"' && !strings.Contains(v, `\`) && rapid.Bool().Draw(t, "bare") {
			v = strings.Trim(v, `"`)
		}
		v = url.QueryEscape(v)
		if rapid.Bool().Draw(t, "%20") {
			v = strings.ReplaceAll(v, "+", "%20")
		}
		parts = append(parts, name+"="+v)
	}
	return strings.Join(parts, "&")
}
