package query

import "math"

// Geometry as PostgreSQL and PostGIS reckon it, so that what is found near a boundary doesn't depend on the database.

// earthRadius in metres is that of PostGIS's sphere: the mean of WGS 84's axes.
const earthRadius = (2*6378137.0 + 6356752.314245179) / 3

// metresPerRadian is what parse-server multiplies a $maxDistance by before it asks for a distance.
const metresPerRadian = 6371 * 1000

// Distance returns the length in metres of the way from a to b over a sphere, as ST_DistanceSphere does.
func Distance(a, b GeoPoint) float64 {
	latA, longA := onSphere(a)
	latB, longB := onSphere(b)
	dLong := longB - longA
	sinA, cosA := math.Sincos(latA)
	sinB, cosB := math.Sincos(latB)
	x := cosB * math.Sin(dLong)
	y := cosA*sinB - sinA*cosB*math.Cos(dLong)
	z := sinA*sinB + cosA*cosB*math.Cos(dLong)
	angle := math.Atan2(math.Sqrt(x*x+y*y), z)
	return math.Round(angle*earthRadius*1e8) / 1e8
}

// onSphere returns latitude and longitude in radians. Degrees that are out of range are brought back as PostGIS does,
// each for itself.
func onSphere(p GeoPoint) (lat, long float64) {
	return fold(p.Latitude) * math.Pi / 180, wrap(p.Longitude) * math.Pi / 180
}

// fold reflects degrees of latitude at the poles.
func fold(d float64) float64 {
	if math.Abs(d) > 360 {
		d = math.Remainder(d, 360)
	}
	for _, limit := range [...]float64{180, 90} {
		switch {
		case d > limit:
			d = 180 - d
		case d < -limit:
			d = -180 - d
		}
	}
	return d
}

// wrap goes on with degrees of longitude on the other side of the date line.
func wrap(d float64) float64 {
	if math.Abs(d) > 360 {
		d = math.Remainder(d, 360)
	}
	switch {
	case d > 180:
		d -= 360
	case d < -180:
		d += 360
	}
	return d
}

// InBox reports whether p is in the box of two corners, its edges included. Like PostgreSQL's boxes it doesn't cross
// the date line.
func InBox(p, a, b GeoPoint) bool {
	return p.Latitude >= math.Min(a.Latitude, b.Latitude) && p.Latitude <= math.Max(a.Latitude, b.Latitude) &&
		p.Longitude >= math.Min(a.Longitude, b.Longitude) && p.Longitude <= math.Max(a.Longitude, b.Longitude)
}

// tolerance is how far apart numbers may be that PostgreSQL's geometry takes for equal.
const tolerance = 1e-6

func isZero(a float64) bool { return math.Abs(a) <= tolerance }
func below(a float64) bool  { return a < -tolerance }
func above(a float64) bool  { return a > tolerance }

// SamePoint is PostgreSQL's ~= on points.
func SamePoint(a, b GeoPoint) bool {
	return isZero(a.Latitude-b.Latitude) && isZero(a.Longitude-b.Longitude)
}

// SamePolygon is PostgreSQL's ~= on polygons: the same vertices in a row, wherever the row begins and whichever way it
// runs.
func SamePolygon(a, b Polygon) bool {
	n := len(a.Coordinates)
	if n != len(b.Coordinates) || n == 0 {
		return false
	}
	same := func(i, j int) bool {
		p, q := a.Coordinates[i], b.Coordinates[j]
		return isZero(p[0]-q[0]) && isZero(p[1]-q[1])
	}
	for start := range n {
		if !same(0, start) {
			continue
		}
		forth, back := true, true
		for i := 1; i < n && (forth || back); i++ {
			forth = forth && same(i, (start+i)%n)
			back = back && same(i, (start-i+n)%n)
		}
		if forth || back {
			return true
		}
	}
	return false
}

// InPolygon reports whether p is inside the polygon or on its edge, on the plane of latitude and longitude. It counts,
// with PostgreSQL's tolerance, how often the polygon winds around p: every edge that crosses the ray from p along the
// axis of longitude counts two, an end of an edge on the ray one, upwards or downwards.
func InPolygon(p GeoPoint, polygon Polygon) bool {
	ring := polygon.Coordinates
	if len(ring) == 0 {
		return false
	}
	at := func(i int) (x, y float64) { return ring[i][1] - p.Longitude, ring[i][0] - p.Latitude }
	x0, y0 := at(0)
	fromX, fromY := x0, y0
	total := 0
	for i := 1; i <= len(ring); i++ {
		x, y := x0, y0
		if i < len(ring) {
			x, y = at(i)
		}
		n, on := crossing(x, y, fromX, fromY)
		if on {
			return true
		}
		total += n
		fromX, fromY = x, y
	}
	return total != 0
}

// crossing tells how the edge to (x, y) crosses the positive x axis, and whether it touches the origin.
func crossing(x, y, fromX, fromY float64) (n int, on bool) {
	if isZero(y) {
		switch {
		case isZero(x):
			return 0, true
		case isZero(fromY):
			// Along the axis: it touches the origin unless both ends are on one side of it.
			return 0, above(x) && !above(fromX) || !above(x) && !below(fromX)
		case !above(x):
			return 0, false
		case below(fromY):
			return 1, false
		}
		return -1, false
	}
	way := -1
	if above(y) {
		way = 1
	}
	switch {
	case isZero(fromY):
		if below(fromX) {
			return 0, false
		}
		return way, false
	case way < 0 && below(fromY), way > 0 && above(fromY):
		return 0, false
	case x >= -tolerance && above(fromX):
		return 2 * way, false
	case below(x) && fromX <= tolerance:
		return 0, false
	}
	side := (x-fromX)*y - (y-fromY)*x
	switch {
	case isZero(side):
		return 0, true
	case way < 0 && below(side), way > 0 && above(side):
		return 0, false
	}
	return 2 * way, false
}
