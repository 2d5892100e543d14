package query

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The index finds exactly the wheres that Match doesn't refuse, each once, while wheres come and go.
func TestIndexAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x Index[int]
		wheres := map[int]Expr{}
		for i := range rapid.IntRange(1, 12).Draw(t, "wheres") {
			wheres[i] = drawExpr(t, 3)
			x.Add(wheres[i], i)
		}
		for round := 0; round < 4; round++ {
			for i := range wheres {
				if rapid.IntRange(0, 3).Draw(t, "remove") == 0 {
					x.Remove(wheres[i], i)
					delete(wheres, i)
				}
			}
			if x.Len() != len(wheres) {
				t.Fatalf("Len() = %d, want %d", x.Len(), len(wheres))
			}
			d := drawDocument(t)
			var got, want []int
			x.Each(d, func(i int) { got = append(got, i) })
			for i, e := range wheres {
				if Match(e, d) != No {
					want = append(want, i)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				for _, i := range want {
					if !slices.Contains(got, i) {
						t.Logf("missed: %s", slowForm(wheres[i]))
					}
				}
				t.Fatalf("got %v, want %v for %+v", got, want, d)
			}
		}
		for i, e := range wheres {
			x.Remove(e, i)
		}
		if x.Len() != 0 || len(x.entries) != 0 || len(x.fields) != 0 || len(x.scan.items) != 0 {
			t.Fatalf("something is left: %+v", x)
		}
	})
}

func TestIndexHandles(t *testing.T) {
	a, b := &Compare{Path: "f", Value: "a"}, &Compare{Path: "f", Value: "b"}
	var x Index[string]
	found := func(v any) (n int) {
		x.Each(Fields{"f": v}, func(string) { n++ })
		return n
	}
	x.Add(a, "one")
	x.Add(b, "one")
	x.Add(a, "two")
	x.Add(a, "two")
	x.Remove(&Compare{Path: "f", Value: "c"}, "one")
	x.Remove(a, "three")
	if x.Len() != 4 || found("a") != 3 || found("b") != 1 || found("c") != 0 {
		t.Errorf("Len %d, a %d, b %d, c %d", x.Len(), found("a"), found("b"), found("c"))
	}
	x.Remove(&Compare{Path: "f", Value: "a"}, "two")
	x.Remove(a, "one")
	if x.Len() != 2 || found("a") != 1 || found("b") != 1 {
		t.Errorf("Len %d, a %d, b %d", x.Len(), found("a"), found("b"))
	}
}

// Which conditions become access predicates, seen by whether a document that fulfils none of them is looked at.
func TestIndexAccess(t *testing.T) {
	many := make([]any, maxKeys+1)
	for i := range many {
		many[i] = float64(i)
	}
	or := make(Or, maxPredicates+1)
	for i := range or {
		or[i] = &Compare{Path: "n", Value: float64(i)}
	}
	acl := Or{&In{Path: "_rperm", Values: []any{"*", "u"}}, &Exists{Path: "_rperm"}}
	tests := []struct {
		name  string
		where Expr
		field string // "" for none
		keys  int
	}{
		{"everything", nil, "", 0},
		{"equality", &Compare{Path: "n", Value: 1.0}, "n", 1},
		{"missing", &Compare{Path: "n"}, "n", 1},
		{"$in", &In{Path: "n", Values: []any{1.0, "x"}}, "n", 2},
		{"empty $in", &In{Path: "n"}, "n", 1},
		{"$in of many", &In{Path: "n", Values: many}, "", 0},
		{"$nin", &In{Path: "n", Values: []any{1.0}, Not: true}, "", 0},
		{"$ne", &Compare{Path: "n", Op: Ne, Value: 1.0}, "", 0},
		{"range", &Compare{Path: "n", Op: Gt, Value: 1.0}, "", 0},
		{"dotted", &Compare{Path: "n.a", Value: 1.0}, "", 0},
		{"Object", &Compare{Path: "n", Value: map[string]any{}}, "", 0},
		{"$all", &All{Path: "n", Values: []any{"x", Pointer{"A", "y"}}}, "n", 3},
		{"$nor", Nor{&Compare{Path: "n", Value: 1.0}}, "", 0},
		{"objectId first", And{&Compare{Path: "n", Value: 1.0}, &Compare{Path: "objectId", Value: "x"}, acl}, "objectId", 1},
		{"pointer before value", And{&Compare{Path: "n", Value: 1.0}, &Compare{Path: "p", Value: Pointer{"A", "x"}}}, "p", 1},
		{"value before readers", And{acl, &Compare{Path: "n", Value: 1.0}}, "n", 1},
		{"value before boolean", And{&Compare{Path: "b", Value: true}, &Compare{Path: "n", Value: 1.0}}, "n", 1},
		{"readers alone", And{acl, &Compare{Path: "n", Op: Gt, Value: 1.0}}, "_rperm", 3},
		{"each term of $or", Or{&Compare{Path: "n", Value: 1.0}, &Compare{Path: "n", Value: 2.0}}, "n", 2},
		{"one term of $or without", Or{&Compare{Path: "n", Value: 1.0}, &Compare{Path: "n", Op: Gt, Value: 2.0}}, "", 0},
		{"long $or", or, "", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var x Index[int]
			x.Add(test.where, 1)
			if test.field == "" {
				if len(x.scan.items) != 1 || len(x.fields) != 0 {
					t.Errorf("filed under %v", x.fields)
				}
				return
			}
			f := x.fields[test.field]
			if f == nil || len(x.fields) != 1 || f.size != test.keys {
				t.Errorf("fields %v, want %d keys under %s", x.fields, test.keys, test.field)
			}
		})
	}
}
