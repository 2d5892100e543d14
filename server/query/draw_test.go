package query

import (
	"math"
	"time"

	"pgregory.net/rapid"
)

// Random wheres and documents over few names and values, so that they often meet.

var drawnPaths = []Path{"a", "b", "c", "objectId", "_rperm", "o.k", "o.k.0", "a.0"}

func drawScalar(t *rapid.T) any {
	return rapid.SampledFrom([]any{
		nil, "", "x", "y", "xy", "1", "2", "true", "[1]", "2020-01-02T00:00:00.000Z", 0.0, 1.0, 2.0, -1.5, true, false,
		Date{time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)}, Date{time.Date(2021, 1, 2, 0, 0, 0, 0, time.UTC)},
		Pointer{"A", "x"}, Pointer{"B", "x"}, Pointer{"A", "y"}, File{Name: "x"}, File{"x", "u"},
		GeoPoint{1, 2}, Polygon{[][2]float64{{0, 0}, {0, 2}, {2, 2}}}, Bytes{"x"}, Relation{"A"},
	}).Draw(t, "scalar")
}

func drawValue(t *rapid.T, depth int) any {
	switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
	case kind < 2 && depth > 0:
		return drawList(t, depth-1)
	case kind == 2 && depth > 0:
		m := map[string]any{}
		for _, name := range rapid.SliceOfN(rapid.SampledFrom([]string{"k", "l", "__type"}), 0, 2).Draw(t, "names") {
			m[name] = drawValue(t, depth-1)
		}
		return m
	}
	return drawScalar(t)
}

func drawList(t *rapid.T, depth int) []any {
	list := make([]any, rapid.IntRange(0, 3).Draw(t, "length"))
	for i := range list {
		list[i] = drawValue(t, depth)
	}
	return list
}

func drawExpr(t *rapid.T, depth int) Expr {
	path := rapid.SampledFrom(drawnPaths).Draw(t, "path")
	kind := rapid.IntRange(0, 16).Draw(t, "node")
	if kind < 5 && depth > 0 {
		terms := make([]Expr, rapid.IntRange(0, 3).Draw(t, "terms"))
		for i := range terms {
			terms[i] = drawExpr(t, depth-1)
		}
		switch kind {
		case 0, 1:
			return And(terms)
		case 2, 3:
			return Or(terms)
		}
		return Nor(terms)
	}
	switch kind {
	case 5:
		return &In{Path: path, Values: drawList(t, 1), Not: rapid.Bool().Draw(t, "not")}
	case 6:
		if rapid.Bool().Draw(t, "prefixes") {
			return &All{Path: path, Prefixes: rapid.SliceOfN(rapid.SampledFrom([]string{"", "x", "xy"}), 1, 2).Draw(t, "prefix")}
		}
		return &All{Path: path, Values: drawList(t, 1)}
	case 7:
		return &ContainedBy{Path: path, Values: drawList(t, 1)}
	case 8:
		return &Exists{Path: path, Want: rapid.Bool().Draw(t, "want")}
	case 9:
		return &Regex{
			Path:    path,
			Pattern: rapid.SampledFrom([]string{"x", "^x", "^xy", "^xy*", "^xy?", "^x|y", "^(x)", "^é*", `^\Qx\E`, `^\Qxy\E$`, "(?=x)", "[xy]$", "."}).Draw(t, "pattern"),
			Options: rapid.SampledFrom([]string{"", "i", "m"}).Draw(t, "options"),
		}
	case 10:
		return &Unsupported{Path: path, Operator: "$foo", Value: drawScalar(t)}
	case 11:
		return drawPlace(t, path)
	}
	return &Compare{Path: path, Op: Op(rapid.IntRange(0, int(Gte)).Draw(t, "op")), Value: drawValue(t, 2)}
}

func drawPoint(t *rapid.T) GeoPoint {
	degrees := rapid.SampledFrom([]float64{-2, 0, 1, 2, 90})
	return GeoPoint{degrees.Draw(t, "latitude"), degrees.Draw(t, "longitude")}
}

func drawPlace(t *rapid.T, path Path) Expr {
	switch rapid.IntRange(0, 4).Draw(t, "place") {
	case 0:
		return &Near{Path: path, Point: drawPoint(t), Metres: rapid.SampledFrom([]float64{0, 1e5, 1e9, math.Inf(1)}).Draw(t, "metres"), Sort: rapid.Bool().Draw(t, "sort")}
	case 1:
		return &Box{Path: path, Corner: drawPoint(t), Other: drawPoint(t)}
	case 2:
		return &Inside{Path: path, Polygon: Polygon{[][2]float64{{0, 0}, {0, 2}, {float64(rapid.IntRange(1, 3).Draw(t, "x")), 2}}}}
	case 3:
		return &Covers{Path: path, Point: drawPoint(t)}
	}
	return &Text{Path: path, Term: rapid.SampledFrom([]string{"x", "y & z"}).Draw(t, "term"), Language: rapid.SampledFrom([]string{"english", "simple"}).Draw(t, "language")}
}

// partial is a Document of which some fields are unknown.
type partial struct {
	Fields
	unknown map[string]bool
}

func (p partial) Field(name string) (any, bool) {
	if p.unknown[name] {
		return nil, false
	}
	return p.Fields.Field(name)
}

func drawDocument(t *rapid.T) partial {
	d := partial{Fields{}, map[string]bool{}}
	for _, name := range []string{"a", "b", "c", "o", "objectId", "_rperm"} {
		switch rapid.IntRange(0, 9).Draw(t, name) {
		case 0:
			d.unknown[name] = true
		case 1, 2:
		default:
			d.Fields[name] = drawValue(t, 2)
		}
	}
	return d
}
