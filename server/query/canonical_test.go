package query

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// slowForm is a canonical form as text, written for clarity: the tests compare AppendCanonical with it.
func slowForm(e Expr) string {
	switch e := e.(type) {
	case nil:
		return "and()"
	case And:
		return slowTerms("and", slowSplice(e, "and"))
	case Or:
		return slowTerms("or", slowSplice(e, "or"))
	case Nor:
		list := slowSplice(e, "or")
		slices.Sort(list)
		return "nor(" + strings.Join(slices.Compact(list), ",") + ")"
	case *Compare:
		return fmt.Sprintf("compare(%q,%d,%v,%s)", e.Path, e.Op, e.Relative, slowValue(e.Value))
	case *In:
		return fmt.Sprintf("in(%q,%v,%s)", e.Path, e.Not, slowSet(e.Values, true))
	case *All:
		prefixes := slices.Clone(e.Prefixes)
		slices.Sort(prefixes)
		return fmt.Sprintf("all(%q,%s,%q)", e.Path, slowSet(e.Values, false), prefixes)
	case *ContainedBy:
		return fmt.Sprintf("containedBy(%q,%s)", e.Path, slowSet(e.Values, true))
	case *Exists:
		return fmt.Sprintf("exists(%q,%v)", e.Path, e.Want)
	case *Regex:
		options := []byte(e.Options)
		slices.Sort(options)
		return fmt.Sprintf("regex(%q,%q,%q)", e.Path, e.Pattern, slices.Compact(options))
	case *InQuery:
		return fmt.Sprintf("inQuery(%q,%v,%q,%s)", e.Path, e.Not, e.Sub.Class, slowForm(e.Sub.Where))
	case *Select:
		return fmt.Sprintf("select(%q,%v,%q,%q,%s)", e.Path, e.Not, e.Key, e.Sub.Class, slowForm(e.Sub.Where))
	case *RelatedTo:
		return fmt.Sprintf("relatedTo(%q,%q)", e.Object, e.Key)
	case *Near:
		return fmt.Sprintf("near(%q,%v,%v,%v)", e.Path, e.Point, e.Metres, e.Sort)
	case *Box:
		return fmt.Sprintf("box(%q,%v,%v)", e.Path, e.Corner, e.Other)
	case *Inside:
		return fmt.Sprintf("inside(%q,%v)", e.Path, e.Polygon)
	case *Covers:
		return fmt.Sprintf("covers(%q,%v)", e.Path, e.Point)
	case *Text:
		return fmt.Sprintf("text(%q,%q,%q)", e.Path, e.Term, e.Language)
	case *Unsupported:
		return fmt.Sprintf("unsupported(%q,%q,%s)", e.Path, e.Operator, slowValue(e.Value))
	}
	panic("unknown node")
}

// slowSplice takes nested lists of the same kind apart, and lists of one term.
func slowSplice(terms []Expr, kind string) []string {
	var out []string
	for _, e := range terms {
		inner := slowForm(e)
		switch e := e.(type) {
		case And:
			if kind == "and" || len(e) == 1 {
				out = append(out, slowSplice(e, kind)...)
				continue
			}
		case Or:
			if kind == "or" || len(e) == 1 {
				out = append(out, slowSplice(e, kind)...)
				continue
			}
		}
		out = append(out, inner)
	}
	return out
}

func slowTerms(kind string, list []string) string {
	slices.Sort(list)
	if list = slices.Compact(list); len(list) == 1 {
		return list[0]
	}
	return kind + "(" + strings.Join(list, ",") + ")"
}

func slowSet(values []any, unique bool) string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = slowValue(v)
	}
	slices.Sort(list)
	if unique {
		list = slices.Compact(list)
	}
	return "{" + strings.Join(list, ",") + "}"
}

func slowValue(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case []any:
		list := make([]string, len(v))
		for i := range v {
			list[i] = slowValue(v[i])
		}
		return "[" + strings.Join(list, ",") + "]"
	case map[string]any:
		var list []string
		for name, member := range v {
			list = append(list, strconv.Quote(name)+":"+slowValue(member))
		}
		slices.Sort(list)
		return "map{" + strings.Join(list, ",") + "}"
	case float64:
		return strconv.FormatFloat(v+0, 'g', -1, 64)
	}
	return fmt.Sprintf("%T%+v", v, v)
}

// Two wheres have the same bytes exactly if the slow form takes them for the same. The second one is the first with
// its terms moved about, or with a small change.
func TestCanonicalAgainstReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawExpr(t, 3)
		b := a
		switch rapid.IntRange(0, 2).Draw(t, "other") {
		case 0:
			b = shuffled(t, a)
		case 1:
			b = And{shuffled(t, a), drawExpr(t, 1)}
		case 2:
			b = drawExpr(t, 3)
		}
		same := bytes.Equal(AppendCanonical(nil, a), AppendCanonical(nil, b))
		if reference := slowForm(a) == slowForm(b); same != reference {
			t.Fatalf("equal bytes: %v, equal slow forms: %v\n%s\n%s", same, reference, slowForm(a), slowForm(b))
		}
	})
}

// shuffled is e with its terms in another order, some of them twice, some wrapped.
func shuffled(t *rapid.T, e Expr) Expr {
	list := func(terms []Expr) []Expr {
		out := make([]Expr, len(terms))
		for i, term := range terms {
			out[i] = shuffled(t, term)
		}
		if len(out) > 0 && rapid.Bool().Draw(t, "repeat") {
			out = append(out, out[0])
		}
		return rapid.Permutation(out).Draw(t, "order")
	}
	switch n := e.(type) {
	case And:
		e = And(list(n))
	case Or:
		e = Or(list(n))
	case Nor:
		e = Nor(list(n))
	case *In:
		e = &In{Path: n.Path, Not: n.Not, Values: rapid.Permutation(append(slices.Clone(n.Values), n.Values...)).Draw(t, "values")}
	}
	switch rapid.IntRange(0, 5).Draw(t, "wrap") {
	case 0:
		return And{e}
	case 1:
		return Or{e}
	}
	return e
}

// Queries that differ in what doesn't count have one form.
func TestCanonicalSame(t *testing.T) {
	base := Query{Class: "A", Keys: []string{"a", "b"}}
	want := base.AppendCanonical(nil)
	for name, change := range map[string]func(*Query){
		"order of keys":      func(q *Query) { q.Keys = []string{"b", "a"} },
		"a key twice":        func(q *Query) { q.Keys = []string{"b", "a", "b"} },
		"keys always shown":  func(q *Query) { q.Keys = []string{"objectId", "a", "updatedAt", "b", "createdAt", "ACL"} },
		"a comment":          func(q *Query) { q.Comment = "c" },
		"an empty condition": func(q *Query) { q.Where = And{Or{And{}}} },
	} {
		q := base
		change(&q)
		if !bytes.Equal(q.AppendCanonical(nil), want) {
			t.Errorf("%s gives another form", name)
		}
	}
}

// The case of a preference doesn't count, as in parse-server.
func TestCanonicalPreference(t *testing.T) {
	small, large := Query{Class: "A", ReadPreference: "primary"}, Query{Class: "A", ReadPreference: "PRIMARY"}
	if !bytes.Equal(small.AppendCanonical(nil), large.AppendCanonical(nil)) {
		t.Error("primary and PRIMARY have different forms")
	}
}

// Queries that differ in one thing have different forms, and no form is the beginning of another.
func TestCanonicalDistinct(t *testing.T) {
	base := func() *Query {
		return &Query{Class: "A", Where: &Compare{Path: "a", Value: "x"}, Limit: 10, Keys: []string{"a"}}
	}
	changes := map[string]func(*Query){
		"":              func(q *Query) {},
		"class":         func(q *Query) { q.Class = "B" },
		"where":         func(q *Query) { q.Where = &Compare{Path: "a", Value: "y"} },
		"no where":      func(q *Query) { q.Where = nil },
		"operator":      func(q *Query) { q.Where = &Compare{Path: "a", Op: Ne, Value: "x"} },
		"path":          func(q *Query) { q.Where = &Compare{Path: "ax", Value: ""} },
		"nil":           func(q *Query) { q.Where = &Compare{Path: "a"} },
		"in":            func(q *Query) { q.Where = &In{Path: "a", Values: []any{"x"}} },
		"in with nil":   func(q *Query) { q.Where = &In{Path: "a", Values: []any{"x", nil}} },
		"not in":        func(q *Query) { q.Where = &In{Path: "a", Values: []any{"x"}, Not: true} },
		"all":           func(q *Query) { q.Where = &All{Path: "a", Values: []any{"x"}} },
		"all twice":     func(q *Query) { q.Where = &All{Path: "a", Values: []any{"x", "x"}} },
		"prefixes":      func(q *Query) { q.Where = &All{Path: "a", Prefixes: []string{"x"}} },
		"contained by":  func(q *Query) { q.Where = &ContainedBy{Path: "a", Values: []any{"x"}} },
		"array":         func(q *Query) { q.Where = &Compare{Path: "a", Value: []any{"x", "y"}} },
		"array, other":  func(q *Query) { q.Where = &Compare{Path: "a", Value: []any{"y", "x"}} },
		"map":           func(q *Query) { q.Where = &Compare{Path: "a", Value: map[string]any{"x": "y"}} },
		"bool":          func(q *Query) { q.Where = &Compare{Path: "a", Value: true} },
		"number":        func(q *Query) { q.Where = &Compare{Path: "a", Value: 1.0} },
		"exists":        func(q *Query) { q.Where = &Exists{Path: "a", Want: true} },
		"missing":       func(q *Query) { q.Where = &Exists{Path: "a"} },
		"nor":           func(q *Query) { q.Where = Nor{&Compare{Path: "a", Value: "x"}} },
		"never":         func(q *Query) { q.Where = Or{} },
		"regex":         func(q *Query) { q.Where = &Regex{Path: "a", Pattern: "x"} },
		"regex, option": func(q *Query) { q.Where = &Regex{Path: "a", Pattern: "x", Options: "i"} },
		"relative":      func(q *Query) { q.Where = &Compare{Path: "a", Value: "x", Relative: true} },
		"redirected":    func(q *Query) { q.Where = &InQuery{Path: "a", Sub: &SubQuery{Class: "B", Redirect: "k"}} },
		"sub-query":     func(q *Query) { q.Where = &InQuery{Path: "a", Sub: &SubQuery{Class: "B"}} },
		"order":         func(q *Query) { q.Order = []Sort{{Path: "a"}} },
		"descending":    func(q *Query) { q.Order = []Sort{{Path: "a", Desc: true}} },
		"limit":         func(q *Query) { q.Limit = 11 },
		"no limit":      func(q *Query) { q.Limit = -1 },
		"skip":          func(q *Query) { q.Skip = 1 },
		"count":         func(q *Query) { q.Count = true },
		"no keys":       func(q *Query) { q.Keys = nil },
		"empty keys":    func(q *Query) { q.Keys = []string{} },
		"exclude":       func(q *Query) { q.ExcludeKeys = []string{"b"} },
		"include":       func(q *Query) { q.Include = []Path{"b"} },
		"include all":   func(q *Query) { q.IncludeAll = true },
		"redirect":      func(q *Query) { q.Redirect = "b" },
		"explain":       func(q *Query) { q.Explain = "b" },
		"hint":          func(q *Query) { q.Hint = "b" },
		"other key":     func(q *Query) { q.Keys = []string{"a", "b"} },
		"preference":    func(q *Query) { q.ReadPreference = "b" },
		"primary":       func(q *Query) { q.ReadPreference = "PRIMARY" }, // a deployment may have another default
		"include pref":  func(q *Query) { q.IncludeReadPreference = "b" },
		"sub pref":      func(q *Query) { q.SubqueryPreference = "b" },
	}
	forms := map[string][]byte{}
	for name, change := range changes {
		q := base()
		change(q)
		forms[name] = q.AppendCanonical(nil)
	}
	for a, x := range forms {
		for b, y := range forms {
			if a != b && bytes.HasPrefix(x, y) {
				t.Errorf("the form of %q begins with that of %q", a, b)
			}
		}
	}
}
