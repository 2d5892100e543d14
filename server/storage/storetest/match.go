package storetest

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/storage"
	"pgregory.net/rapid"
)

// matchAgreesWithSQL: for random objects and random wheres, the matcher says what the database says, or Unknown.
func matchAgreesWithSQL(t *testing.T, d Database) {
	s := d.open(t)
	c := PutClass(t, s, "M", "s String", "n Number", "b Boolean", "d Date", "o Object", "a Array", "p Pointer M", "f File", "g GeoPoint", "y Polygon")
	stored, decided, yes := 0, 0, 0
	rapid.Check(t, func(r *rapid.T) {
		docs := rapid.SliceOfN(document(d.NUL), 1, 4).Draw(r, "objects")
		err := Try(s, func(tx storage.Tx) error {
			for i := range stored {
				if err := tx.Delete(ctx, c, fmt.Sprint("id", i)); err != nil {
					return err
				}
			}
			for i, doc := range docs {
				doc["objectId"] = fmt.Sprint("id", i)
				if err := tx.Insert(ctx, c, doc); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			r.Fatal(err)
		}
		stored = len(docs)
		for range 8 {
			text := query.AppendJSON(nil, whereOf(r, 0))
			e, err := query.ParseWhere(text, query.Limits{})
			if err != nil {
				continue // what parse-server refuses
			}
			found := map[string]bool{}
			got, err := IDs(s, storage.Find{Class: c, Where: e, Limit: -1})
			if err != nil {
				if _, refused := err.(*storage.Unsupported); refused {
					continue
				}
				r.Fatalf("%s: %v", text, err)
			}
			for _, id := range splitWords(got) {
				found[id] = true
			}
			for _, d := range docs {
				id := d["objectId"].(string)
				truth := query.Match(e, query.Fields(d))
				if truth != query.Unknown {
					decided++
				}
				if truth == query.Yes {
					yes++
				}
				// A missing Array is neither equal nor different for SQL, and different for the matcher.
				if truth == query.No && found[id] || truth == query.Yes && !found[id] && d["a"] != nil {
					r.Fatalf("%s\n%s\nthe matcher says %v, the database %v", text, query.AppendJSON(nil, map[string]any(d)), truth, found[id])
				}
			}
		}
	})
	if decided < 100 || yes < 10 {
		t.Errorf("the matcher decided %d, said yes %d times: the test says nothing", decided, yes)
	}
}

func splitWords(s string) (out []string) {
	start := 0
	for i := 0; i <= len(s); i++ {
		if i == len(s) || s[i] == ' ' {
			if i > start {
				out = append(out, s[start:i])
			}
			start = i + 1
		}
	}
	return out
}

var (
	someTexts   = rapid.SampledFrom([]string{"", "a", "b", "A", "ab", "a b", "1", "2.5", "true", "é", "x\x00y", "id0", `{"k":1}`, "\U0001F600"})
	someNumbers = rapid.SampledFrom([]float64{-1, 0, 1, 2, 2.5, 0.1, 0.1 + 0.2, 1e21, 1e-7, 123456789012345680, -0.5})
	someDates   = rapid.Map(rapid.SampledFrom([]string{"1969-12-31T23:59:59.999Z", "2020-01-01T00:00:00.000Z", "2020-01-01T00:00:00.001Z", "2099-06-01T12:00:00.000Z"}),
		func(iso string) any { return map[string]any{"__type": "Date", "iso": iso} })
	somePointers = rapid.Map(rapid.SampledFrom([]string{"id0", "id1", "a"}),
		func(id string) any { return map[string]any{"__type": "Pointer", "className": "M", "objectId": id} })
	someFiles  = rapid.Map(someTexts, func(name string) any { return map[string]any{"__type": "File", "name": "n" + name} })
	somePoints = rapid.Map(somePlaces, func(p [2]float64) any {
		return map[string]any{"__type": "GeoPoint", "latitude": p[0], "longitude": p[1]}
	})
	someAreas = rapid.Map(rapid.SliceOfN(somePlaces, 3, 5), func(ring [][2]float64) any {
		list := make([]any, len(ring))
		for i, p := range ring {
			list[i] = []any{p[0], p[1]}
		}
		return map[string]any{"__type": "Polygon", "coordinates": list}
	})
	somePlaces = rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]float64{-1, 0, 0.5, 1, 1 + 5e-7, 2, 90}), 2, 2), func(p []float64) [2]float64 { return [2]float64(p) })
	someScalar = rapid.OneOf(rapid.Map(someTexts, toAny), rapid.Map(someNumbers, toAny), rapid.Map(rapid.Bool(), toAny))
)

func toAny[T any](v T) any { return v }

// anyValue is a plain JSON value, of some depth.
func anyValue(depth int) *rapid.Generator[any] {
	leaves := []*rapid.Generator[any]{someScalar, someScalar, someDates, somePointers, someFiles, rapid.Just[any](nil)}
	if depth > 0 {
		leaves = append(leaves,
			rapid.Map(rapid.SliceOfN(rapid.Deferred(func() *rapid.Generator[any] { return anyValue(depth - 1) }), 0, 3), toAny),
			rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"k", "l", "m_1"}), rapid.Deferred(func() *rapid.Generator[any] { return anyValue(depth - 1) }), 0, 3), toAny))
	}
	return rapid.OneOf(leaves...)
}

// typed decodes plain values, so that they are what a request's body would give.
func typed(v any) any {
	out, err := query.Decode(query.AppendJSON(nil, v))
	if err != nil {
		panic(err)
	}
	return out
}

// document is an object of the class, each of its fields perhaps missing.
func document(nul bool) *rapid.Generator[storage.Object] {
	return rapid.Custom(func(r *rapid.T) storage.Object {
		o := storage.Object{}
		for _, f := range []struct {
			name string
			g    *rapid.Generator[any]
		}{
			{"s", rapid.Map(someTexts, toAny)}, {"n", rapid.Map(someNumbers, toAny)}, {"b", rapid.Map(rapid.Bool(), toAny)},
			{"d", someDates}, {"p", somePointers}, {"f", someFiles}, {"g", somePoints}, {"y", someAreas},
			{"o", rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"k", "l", "m_1"}), anyValue(2), 0, 3), toAny)},
			{"a", rapid.Map(rapid.SliceOfN(anyValue(1), 0, 4), toAny)},
		} {
			if v := rapid.OneOf(f.g, f.g, f.g, rapid.Just[any](nil)).Draw(r, f.name); v != nil {
				if text := query.AppendJSON(nil, v); !nul && bytes.Contains(text, []byte(`\u0000`)) {
					continue
				}
				o[f.name] = typed(v)
			}
		}
		return o
	})
}

var somePaths = rapid.SampledFrom([]string{"s", "n", "b", "d", "o", "a", "p", "f", "g", "y", "g", "y", "objectId", "o.k", "o.l", "o.k.l", "o.k.0", "a.0", "a.1.k"})

// whereOf is a where as JSON.
func whereOf(r *rapid.T, depth int) map[string]any {
	out := map[string]any{}
	for range rapid.IntRange(1, 2).Draw(r, "conditions") {
		if depth < 2 && rapid.IntRange(0, 3).Draw(r, "logical") == 0 {
			terms := make([]any, rapid.IntRange(1, 3).Draw(r, "terms"))
			for i := range terms {
				terms[i] = whereOf(r, depth+1)
			}
			out[rapid.SampledFrom([]string{"$or", "$and", "$nor"}).Draw(r, "operator")] = terms
			continue
		}
		path := somePaths.Draw(r, "path")
		value := operand(path).Draw(r, "value")
		switch op := rapid.SampledFrom([]string{"", "$eq", "$ne", "$lt", "$lte", "$gt", "$gte", "$in", "$nin", "$all", "$containedBy", "$exists", "$regex", "place", "$text"}).Draw(r, "operator"); op {
		case "place":
			out[path] = place(r)
		case "$text":
			out[path] = map[string]any{op: map[string]any{"$search": map[string]any{"$term": rapid.SampledFrom([]string{"ab", "!k", "b | 1", "x & y"}).Draw(r, "term"), "$language": "simple"}}}
		case "":
			out[path] = value
		case "$in", "$nin", "$all", "$containedBy":
			out[path] = map[string]any{op: rapid.SliceOfN(operand(path), 0, 10).Draw(r, "values")}
		case "$exists":
			out[path] = map[string]any{op: rapid.Bool().Draw(r, "exists")}
		case "$regex":
			m := map[string]any{op: rapid.SampledFrom([]string{"a", "^a", "b$", "^(a|b)+$", "[a-c]", ".", "^.*$", "\\d", "\\Qa b\\E", "^\\Qa\\E", "1|2", "A.?"}).Draw(r, "pattern")}
			if rapid.Bool().Draw(r, "fold") {
				m["$options"] = "i"
			}
			out[path] = m
		default:
			out[path] = map[string]any{op: value}
		}
	}
	return out
}

// place is a condition of geometry.
func place(r *rapid.T) map[string]any {
	radians := rapid.SampledFrom([]any{0, 0.01, 0.02, 0.5, 3, nil})
	switch rapid.IntRange(0, 4).Draw(r, "place") {
	case 0:
		m := map[string]any{"$nearSphere": somePoints.Draw(r, "point")}
		if d := radians.Draw(r, "distance"); d != nil {
			m["$maxDistance"] = d
		}
		return m
	case 1:
		return map[string]any{"$geoWithin": map[string]any{"$centerSphere": []any{somePoints.Draw(r, "point"), radians.Draw(r, "distance")}}}
	case 2:
		return map[string]any{"$within": map[string]any{"$box": []any{somePoints.Draw(r, "corner"), somePoints.Draw(r, "other")}}}
	case 3:
		return map[string]any{"$geoWithin": map[string]any{"$polygon": rapid.SliceOfN(somePoints, 3, 5).Draw(r, "polygon")}}
	}
	return map[string]any{"$geoIntersects": map[string]any{"$point": somePoints.Draw(r, "point")}}
}

// operand is mostly a value of the path's own type.
func operand(path string) *rapid.Generator[any] {
	own := map[string]*rapid.Generator[any]{"s": rapid.Map(someTexts, toAny), "objectId": rapid.Map(someTexts, toAny), "n": rapid.Map(someNumbers, toAny),
		"b": rapid.Map(rapid.Bool(), toAny), "d": someDates, "p": somePointers, "f": someFiles, "g": somePoints, "y": someAreas}[path]
	if own == nil {
		own = someScalar
	}
	return rapid.OneOf(own, own, own, anyValue(1))
}
