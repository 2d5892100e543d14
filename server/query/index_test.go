package query

import (
	"math"
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
	const cells = -1 // one to four
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
		{"range", &Compare{Path: "n", Op: Gt, Value: 1.0}, "n", 1},
		{"range with two ends", And{&Compare{Path: "n", Op: Gt, Value: 1.0}, &Compare{Path: "n", Op: Lte, Value: 2.0}}, "n", 1},
		{"two ends before one", And{
			&Compare{Path: "m", Op: Gt, Value: 1.0}, &Compare{Path: "n", Op: Gt, Value: "a"}, &Compare{Path: "n", Op: Lt, Value: "b"}}, "n", 1},
		{"range before readers", And{acl, &Compare{Path: "n", Op: Gt, Value: 1.0}}, "n", 1},
		{"value before range", And{&Compare{Path: "m", Op: Gt, Value: 1.0}, &Compare{Path: "n", Value: 1.0}}, "n", 1},
		{"range of booleans", &Compare{Path: "n", Op: Gt, Value: true}, "", 0},
		{"range without an end", &Compare{Path: "n", Op: Gt, Value: ""}, "", 0},
		{"prefix", &Regex{Path: "n", Pattern: "^ab"}, "n", 1},
		{"quoted prefix", &Regex{Path: "n", Pattern: `^\Qa.b\E`}, "n", 1},
		{"prefix without case", &Regex{Path: "n", Pattern: "^ab", Options: "i"}, "", 0},
		{"pattern without prefix", &Regex{Path: "n", Pattern: "^a*b"}, "", 0},
		{"one of two prefixes", &Regex{Path: "n", Pattern: "^ab|c"}, "", 0},
		{"box", &Box{Path: "n", Corner: GeoPoint{46.4, 7.1}, Other: GeoPoint{46.5, 7.2}}, "n", cells},
		{"circle", &Near{Path: "n", Point: GeoPoint{47, 8}, Metres: 5000}, "n", cells},
		{"circle around a pole", &Near{Path: "n", Point: GeoPoint{89.99, 8}, Metres: 5000}, "", 0},
		{"circle over the date line", &Near{Path: "n", Point: GeoPoint{0, 179.99}, Metres: 5000}, "", 0},
		{"everywhere", &Near{Path: "n", Point: GeoPoint{47, 8}, Metres: math.Inf(1)}, "", 0},
		{"polygon", &Inside{Path: "n", Polygon: Polygon{[][2]float64{{46.4, 7.1}, {46.5, 7.1}, {46.5, 7.2}}}}, "n", cells},
		{"dotted", &Compare{Path: "n.a", Value: 1.0}, "", 0},
		{"Object", &Compare{Path: "n", Value: map[string]any{}}, "", 0},
		{"$all", &All{Path: "n", Values: []any{"x", Pointer{"A", "y"}}}, "n", 3},
		{"$nor", Nor{&Compare{Path: "n", Value: 1.0}}, "", 0},
		{"objectId first", And{&Compare{Path: "n", Value: 1.0}, &Compare{Path: "objectId", Value: "x"}, acl}, "objectId", 1},
		{"pointer before value", And{&Compare{Path: "n", Value: 1.0}, &Compare{Path: "p", Value: Pointer{"A", "x"}}}, "p", 1},
		{"value before readers", And{acl, &Compare{Path: "n", Value: 1.0}}, "n", 1},
		{"value before boolean", And{&Compare{Path: "b", Value: true}, &Compare{Path: "n", Value: 1.0}}, "n", 1},
		{"readers alone", And{acl, &Compare{Path: "n", Op: Ne, Value: 1.0}}, "_rperm", 3},
		{"each term of $or", Or{&Compare{Path: "n", Value: 1.0}, &Compare{Path: "n", Value: 2.0}}, "n", 2},
		{"one term of $or without", Or{&Compare{Path: "n", Value: 1.0}, &Compare{Path: "n", Op: Ne, Value: 2.0}}, "", 0},
		{"a range in $or", Or{&Compare{Path: "n", Value: 1.0}, &Compare{Path: "n", Op: Gt, Value: 2.0}}, "n", 2},
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
			if f == nil || len(x.fields) != 1 || f.size != test.keys && (test.keys != cells || f.size > 4) {
				t.Errorf("fields %v, want %d keys under %s", x.fields, test.keys, test.field)
			}
		})
	}
}

// The tree finds the spans that hold a value, while spans come and go.
func TestSpanTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tree spanTree[int, int]
		kept, of := map[interval[int]]bool{}, map[*slots[int]]interval[int]{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			s := interval[int]{rapid.IntRange(0, 9).Draw(t, "low"), rapid.IntRange(0, 9).Draw(t, "high")}
			if kept[s] && rapid.Bool().Draw(t, "remove") {
				tree.remove(s)
				delete(kept, s)
				continue
			}
			list, fresh := tree.at(s)
			if fresh == kept[s] {
				t.Fatalf("%+v is new: %v", s, fresh)
			}
			if fresh {
				of[list] = s
			}
			kept[s] = true
		}
		var all []interval[int]
		tree.root.all(func(list *slots[int]) { all = append(all, of[list]) })
		if len(all) != len(kept) || !slices.IsSortedFunc(all, interval[int].compare) {
			t.Fatalf("%v, want %v", all, kept)
		}
		for v := range 10 {
			found := map[interval[int]]bool{}
			tree.root.stab(v, func(list *slots[int]) { found[of[list]] = true })
			for s := range kept {
				if in := s.low <= v && v <= s.high; found[s] != in {
					t.Fatalf("%d in %+v: %v", v, s, found[s])
				}
			}
		}
	})
}

// Places near and in all kinds of areas, over the whole globe: none is missed.
func TestIndexedAreas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		latitude, longitude := rapid.Float64Range(-90, 90), rapid.Float64Range(-180, 180)
		point := rapid.Custom(func(t *rapid.T) GeoPoint {
			if rapid.IntRange(0, 5).Draw(t, "edge") == 0 {
				return GeoPoint{rapid.SampledFrom([]float64{-90, 0, 90}).Draw(t, "latitude"), rapid.SampledFrom([]float64{-180, 0, 180}).Draw(t, "longitude")}
			}
			return GeoPoint{latitude.Draw(t, "latitude"), longitude.Draw(t, "longitude")}
		})
		var x Index[int]
		var wheres []Expr
		p := point.Draw(t, "middle")
		size := math.Pow(10, rapid.Float64Range(-6, 2).Draw(t, "size"))
		q := GeoPoint{p.Latitude + size, p.Longitude + size*rapid.Float64Range(-1, 1).Draw(t, "aside")}
		wheres = append(wheres,
			&Near{Path: "p", Point: p, Metres: size * 111_000},
			&Box{Path: "p", Corner: p, Other: q},
			&Inside{Path: "p", Polygon: Polygon{[][2]float64{{p.Latitude, p.Longitude}, {q.Latitude, q.Longitude}, {p.Latitude, q.Longitude}}}})
		for i, e := range wheres {
			x.Add(e, i)
		}
		for range 10 {
			part := rapid.Float64Range(-1.2, 1.2)
			v := GeoPoint{p.Latitude + size*part.Draw(t, "north"), p.Longitude + size*part.Draw(t, "east")}
			found := map[int]bool{}
			x.Each(Fields{"p": v}, func(i int) { found[i] = true })
			for i, e := range wheres {
				if found[i] != (Match(e, Fields{"p": v}) != No) {
					t.Fatalf("%v in %+v: found %v", v, e, found[i])
				}
			}
		}
	})
}
