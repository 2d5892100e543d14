package query

import (
	"math"
	"testing"
)

// What ST_DistanceSphere of PostGIS 3.3 answered.
func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b GeoPoint
		want float64
	}{
		{GeoPoint{0, 0}, GeoPoint{1, 1}, 157249.59776851},
		{GeoPoint{91, 0}, GeoPoint{1, 190}, 10005868.21602177},
		{GeoPoint{95, 0}, GeoPoint{90, 0}, 555975.39867316},
		{GeoPoint{0, 180}, GeoPoint{0, -180}, 0},
		{GeoPoint{0, 1e-9}, GeoPoint{0, 0}, 0.0001112},
	} {
		if got := Distance(tt.a, tt.b); math.Abs(got-tt.want) > 1e-6 {
			t.Errorf("%v to %v: %v; want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

// What <@ of PostgreSQL's points and polygons answers.
func TestInPolygon(t *testing.T) {
	square := Polygon{[][2]float64{{0, 0}, {0, 2}, {2, 2}, {2, 0}}}
	bowtie := Polygon{[][2]float64{{0, 0}, {2, 2}, {2, 0}, {0, 2}}}
	for _, tt := range []struct {
		name string
		p    GeoPoint
		in   Polygon
		want bool
	}{
		{"inside", GeoPoint{1, 1}, square, true},
		{"outside", GeoPoint{3, 1}, square, false},
		{"beside", GeoPoint{1, -1}, square, false},
		{"an edge", GeoPoint{0, 1}, square, true},
		{"a corner", GeoPoint{2, 2}, square, true},
		{"a hair outside", GeoPoint{-5e-7, 1}, square, true},
		{"two hairs outside", GeoPoint{-2e-6, 1}, square, false},
		{"level with an edge", GeoPoint{0, 3}, square, false},
		{"one half of a bow tie", GeoPoint{1, 0.5}, bowtie, false},
		{"other half of a bow tie", GeoPoint{0.2, 1}, bowtie, true},
		{"nothing", GeoPoint{0, 0}, Polygon{}, false},
	} {
		if got := InPolygon(tt.p, tt.in); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestSamePolygon(t *testing.T) {
	a := Polygon{[][2]float64{{0, 0}, {0, 2}, {2, 2}}}
	for _, tt := range []struct {
		b    Polygon
		want bool
	}{
		{a, true},
		{Polygon{[][2]float64{{0, 2}, {2, 2}, {0, 0}}}, true},
		{Polygon{[][2]float64{{2, 2}, {0, 2}, {0, 0}}}, true},
		{Polygon{[][2]float64{{0, 0}, {0, 2}, {2, 2 + 5e-7}}}, true},
		{Polygon{[][2]float64{{0, 0}, {0, 2}, {2, 3}}}, false},
		{Polygon{[][2]float64{{0, 0}, {0, 2}, {2, 2}, {0, 0}}}, false},
		{Polygon{}, false},
	} {
		if got := SamePolygon(a, tt.b); got != tt.want {
			t.Errorf("%v: %v", tt.b, got)
		}
	}
}
