package query

import "math"

// nearSphere parses {"$nearSphere": point, "$maxDistance": radians}. As parse-server does it asks of the point for its
// coordinates alone, and takes a distance that is no number for none. The distances in other units are heeded too.
func (p *whereParser) nearSphere(path Path, v any, all map[string]any) (Expr, error) {
	m, _ := v.(map[string]any)
	lat, long := m["latitude"], m["longitude"]
	if lat == nil || long == nil {
		return Or(nil), nil // no point, and nothing is near it
	}
	e := &Near{Path: path, Metres: math.Inf(1), Sort: p.depth == 0}
	var isLat, isLong bool
	e.Point.Latitude, isLat = lat.(float64)
	e.Point.Longitude, isLong = long.(float64)
	if !isLat || !isLong {
		return nil, fail(codeInvalidJSON, "bad $nearSphere value; latitude and longitude should be numbers")
	}
	for name, unit := range maxDistances {
		limit, there := all[name]
		if !there {
			continue
		}
		if limit == nil {
			limit = 0.0
		}
		if d, ok := jsNumber(limit); ok {
			e.Metres = min(e.Metres, d/unit*metresPerRadian)
		}
	}
	return e, nil
}

// maxDistances are what bounds a $nearSphere, and how many of each make a radian.
var maxDistances = map[string]float64{
	"$maxDistance": 1, "$maxDistanceInRadians": 1, "$maxDistanceInMiles": 3959, "$maxDistanceInKilometers": 6371,
}

// region parses $within, $geoWithin and $geoIntersects; nil if the operand is none that they know.
func (p *whereParser) region(path Path, name string, v any) (Expr, error) {
	m, _ := v.(map[string]any)
	switch {
	case name == "$within" && Truthy(m["$box"]):
		return box(path, m["$box"])
	case name == "$geoWithin" && Truthy(m["$centerSphere"]):
		e, err := centerSphere(path, m["$centerSphere"])
		if err != nil || !Truthy(m["$polygon"]) {
			return e, err
		}
		inside, err := p.polygon(path, m["$polygon"])
		return And{e, inside}, err
	case name == "$geoWithin" && Truthy(m["$polygon"]):
		return p.polygon(path, m["$polygon"])
	case name == "$geoIntersects" && Truthy(m["$point"]):
		point, ok, err := geoPoint(m["$point"])
		if err == nil && !ok {
			err = fail(codeInvalidJSON, "bad $geoIntersect value; $point should be GeoPoint")
		}
		return &Covers{Path: path, Point: point}, err
	}
	return nil, nil
}

func box(path Path, v any) (Expr, error) {
	corners, ok := v.([]any)
	if !ok || len(corners) < 2 {
		return nil, fail(codeInvalidJSON, "malformatted $within arg")
	}
	var points [2]GeoPoint
	for i := range points {
		m, _ := corners[i].(map[string]any)
		lat, isLat := m["latitude"].(float64)
		long, isLong := m["longitude"].(float64)
		if !isLat || !isLong {
			return nil, fail(codeInvalidJSON, "malformatted $within arg")
		}
		points[i] = GeoPoint{Latitude: lat, Longitude: long}
	}
	return &Box{Path: path, Corner: points[0], Other: points[1]}, nil
}

func centerSphere(path Path, v any) (Expr, error) {
	list, ok := v.([]any)
	if !ok || len(list) < 2 {
		return nil, fail(codeInvalidJSON, "bad $geoWithin value; $centerSphere should be an array of Parse.GeoPoint and distance")
	}
	point, ok, err := pointOrPair(list[0])
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fail(codeInvalidJSON, "bad $geoWithin value; $centerSphere geo point invalid")
	}
	if list[1] == nil {
		list[1] = 0.0
	}
	distance, ok := jsNumber(list[1])
	if !ok || distance < 0 {
		return nil, fail(codeInvalidJSON, "bad $geoWithin value; $centerSphere distance invalid")
	}
	return &Near{Path: path, Point: point, Metres: distance * metresPerRadian}, nil
}

// polygon parses the operand of $polygon: GeoPoints and pairs of longitude and latitude, or a Polygon, which
// parse-server takes here for such pairs too.
func (p *whereParser) polygon(path Path, v any) (Expr, error) {
	list, ok := v.([]any)
	few := "bad $geoWithin value; $polygon should contain at least 3 GeoPoints"
	if m, isMap := v.(map[string]any); isMap && m["__type"] == "Polygon" {
		list, _ = m["coordinates"].([]any)
		ok, few = true, "bad $geoWithin value; Polygon.coordinates should contain at least 3 lon/lat pairs"
	}
	switch {
	case !ok:
		return nil, fail(codeInvalidJSON, "bad $geoWithin value; $polygon should be Polygon object or Array of Parse.GeoPoint's")
	case len(list) < 3:
		return nil, fail(codeInvalidJSON, "%s", few)
	case len(list) > p.limits.Vertices:
		return nil, fail(codeInvalidQuery, "Number of vertices of a polygon exceeds maximum allowed of %d", p.limits.Vertices)
	}
	ring := make([][2]float64, len(list))
	for i, item := range list {
		point, ok, err := pointOrPair(item)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fail(codeInvalidJSON, "bad $geoWithin value")
		}
		ring[i] = [2]float64{point.Latitude, point.Longitude}
	}
	return &Inside{Path: path, Polygon: Polygon{Coordinates: ring}}, nil
}

// pointOrPair reads a GeoPoint, or a pair of longitude and latitude.
func pointOrPair(v any) (p GeoPoint, ok bool, err error) {
	if pair, isList := v.([]any); isList && len(pair) == 2 {
		p, err = checked(pair[1], pair[0])
		return p, true, err
	}
	return geoPoint(v)
}

// geoPoint reads a GeoPoint; ok is false if it is something else.
func geoPoint(v any) (p GeoPoint, ok bool, err error) {
	m, _ := v.(map[string]any)
	if m["__type"] != "GeoPoint" {
		return p, false, nil
	}
	p, err = checked(m["latitude"], m["longitude"])
	return p, true, err
}

// checked makes a GeoPoint of coordinates that must be in range, with the words of Parse's SDK.
func checked(latitude, longitude any) (GeoPoint, error) {
	lat, isLat := latitude.(float64)
	long, isLong := longitude.(float64)
	switch {
	case !isLat || !isLong:
		return GeoPoint{}, fail(codeInvalidJSON, "GeoPoint latitude and longitude must be valid numbers")
	case lat < -90:
		return GeoPoint{}, fail(codeInvalidJSON, "GeoPoint latitude out of bounds: %s < -90.0.", jsString(lat))
	case lat > 90:
		return GeoPoint{}, fail(codeInvalidJSON, "GeoPoint latitude out of bounds: %s > 90.0.", jsString(lat))
	case long < -180:
		return GeoPoint{}, fail(codeInvalidJSON, "GeoPoint longitude out of bounds: %s < -180.0.", jsString(long))
	case long > 180:
		return GeoPoint{}, fail(codeInvalidJSON, "GeoPoint longitude out of bounds: %s > 180.0.", jsString(long))
	}
	return GeoPoint{Latitude: lat, Longitude: long}, nil
}

// text parses {"$search": {"$term": "…"}}.
func (p *whereParser) text(path Path, v any) (Expr, error) {
	m, _ := v.(map[string]any)
	search, ok := m["$search"].(map[string]any)
	if !ok {
		return nil, fail(codeInvalidJSON, "bad $text: $search, should be object")
	}
	term, _ := search["$term"].(string)
	language, isText := search["$language"].(string)
	_, caseIsFlag := search["$caseSensitive"].(bool)
	_, signIsFlag := search["$diacriticSensitive"].(bool)
	switch {
	case term == "":
		return nil, fail(codeInvalidJSON, "bad $text: $term, should be string")
	case !isText && Truthy(search["$language"]):
		return nil, fail(codeInvalidJSON, "bad $text: $language, should be string")
	case !caseIsFlag && Truthy(search["$caseSensitive"]):
		return nil, fail(codeInvalidJSON, "bad $text: $caseSensitive, should be boolean")
	case Truthy(search["$caseSensitive"]):
		return nil, fail(codeInvalidJSON, "bad $text: $caseSensitive not supported, please use $regex or create a separate lower case column.")
	case !signIsFlag && Truthy(search["$diacriticSensitive"]):
		return nil, fail(codeInvalidJSON, "bad $text: $diacriticSensitive, should be boolean")
	case search["$diacriticSensitive"] == false:
		return nil, fail(codeInvalidJSON, "bad $text: $diacriticSensitive - false not supported, install Postgres Unaccent Extension")
	case len(term) > p.limits.Pattern:
		return nil, fail(codeInvalidQuery, "$term exceeds the maximum allowed size of %d bytes", p.limits.Pattern)
	}
	if language == "" {
		language = "english"
	}
	return &Text{Path: path, Term: term, Language: language}, nil
}
