package query

import "math"

// A where that asks for a place has as its access predicate the cells of a grid that cover the area. A cell of level n
// is 360/2^n degrees wide and high; the level is chosen so that an area lies in at most four.

const maxLevel = 24

// slack, in degrees, is more than the tolerance with which places are compared.
const slack = 1e-4

// rectangle is an area in degrees.
type rectangle struct{ south, west, north, east float64 }

// areaOf gives the field and the rectangle that a condition's places lie in. Those around a pole, or across the date
// line, have none.
func areaOf(e Expr) (path Path, r rectangle, ok bool) {
	switch e := e.(type) {
	case *Near:
		r, ok = around(e.Point, e.Metres+certainty)
		return e.Path, r, ok
	case *Box:
		r = rectangle{
			math.Min(e.Corner.Latitude, e.Other.Latitude), math.Min(e.Corner.Longitude, e.Other.Longitude),
			math.Max(e.Corner.Latitude, e.Other.Latitude), math.Max(e.Corner.Longitude, e.Other.Longitude),
		}
		return e.Path, r, r.onGlobe()
	case *Inside:
		if len(e.Polygon.Coordinates) == 0 {
			return "", r, false
		}
		first := e.Polygon.Coordinates[0]
		r = rectangle{first[0], first[1], first[0], first[1]}
		for _, c := range e.Polygon.Coordinates {
			r = rectangle{math.Min(r.south, c[0]), math.Min(r.west, c[1]), math.Max(r.north, c[0]), math.Max(r.east, c[1])}
		}
		return e.Path, r, r.onGlobe()
	}
	return "", r, false
}

// around is the rectangle that a circle lies in.
func around(p GeoPoint, metres float64) (rectangle, bool) {
	angle := metres / earthRadius
	if !(angle < math.Pi/2) || !onGlobe(p) {
		return rectangle{}, false
	}
	high := angle * 180 / math.Pi
	if math.Abs(p.Latitude)+high >= 90 {
		return rectangle{}, false
	}
	wide := math.Asin(math.Sin(angle)/math.Cos(p.Latitude*math.Pi/180)) * 180 / math.Pi
	r := rectangle{p.Latitude - high, p.Longitude - wide, p.Latitude + high, p.Longitude + wide}
	return r, r.west > -180 && r.east < 180
}

func onGlobe(p GeoPoint) bool {
	return math.Abs(p.Latitude) <= 90 && math.Abs(p.Longitude) <= 180
}

func (r rectangle) onGlobe() bool {
	return onGlobe(GeoPoint{r.south, r.west}) && onGlobe(GeoPoint{r.north, r.east})
}

// cells are the keys of the cells that the rectangle touches.
func (r rectangle) cells() []key {
	r = rectangle{r.south - slack, r.west - slack, r.north + slack, r.east + slack}
	level := 0
	for level < maxLevel && math.Max(r.north-r.south, r.east-r.west) <= cellSize(level+1) {
		level++
	}
	x1, y1 := cellAt(level, r.south, r.west)
	x2, y2 := cellAt(level, r.north, r.east)
	var out []key
	for x := x1; x <= x2; x++ {
		for y := y1; y <= y2; y++ {
			out = append(out, cellKey(level, x, y))
		}
	}
	return out
}

func cellSize(level int) float64 { return 360 / float64(uint64(1)<<level) }

// cellAt gives the column and row of a place. The places a bit beyond the globe's edges, which slack makes, have some too.
func cellAt(level int, latitude, longitude float64) (x, y int64) {
	size := cellSize(level)
	return int64(math.Floor((longitude + 181) / size)), int64(math.Floor((latitude + 181) / size))
}

func cellKey(level int, x, y int64) key {
	return key{kind: areaKey, bits: uint64(level)<<56 | uint64(x)<<28 | uint64(y)} //nolint:gosec // both are positive, and below 2^25
}

// areaPredicate is the predicate that a place is in one of the cells.
func areaPredicate(e Expr) (predicate, bool) {
	path, r, ok := areaOf(e)
	if !ok || path.Root() != string(path) {
		return predicate{}, false
	}
	return predicate{field: string(path), keys: r.cells(), rank: byRange}, true
}
