package query

import (
	"strings"
	"time"
)

// recognise turns an object with a known "__type" and a complete payload into the typed value. Members beyond the
// payload are dropped, as they are when a column is written.
func recognise(m map[string]any) any {
	kind, ok := m["__type"].(string)
	if !ok {
		return m
	}
	switch kind {
	case "Date":
		if iso, ok := m["iso"].(string); ok {
			if t, ok := parseTime(iso); ok {
				return Date{t}
			}
		}
	case "Pointer":
		class, _ := m["className"].(string)
		id, _ := m["objectId"].(string)
		if class != "" && id != "" {
			return Pointer{ClassName: class, ObjectID: id}
		}
	case "GeoPoint":
		lat, isLat := m["latitude"].(float64)
		long, isLong := m["longitude"].(float64)
		if isLat && isLong {
			return GeoPoint{Latitude: lat, Longitude: long}
		}
	case "Polygon":
		if ring, ok := coordinates(m["coordinates"]); ok {
			return Polygon{Coordinates: ring}
		}
	case "Bytes":
		if text, ok := m["base64"].(string); ok {
			return Bytes{Base64: text}
		}
	case "File":
		if name, ok := m["name"].(string); ok {
			url, _ := m["url"].(string)
			return File{Name: name, URL: url}
		}
	case "Relation":
		if class, ok := m["className"].(string); ok {
			return Relation{ClassName: class}
		}
	}
	return m
}

// knownType tells the types that recognise knows, so that an incomplete one can be told from a foreign one.
func knownType(name string) bool {
	switch name {
	case "Date", "Pointer", "GeoPoint", "Polygon", "Bytes", "File", "Relation":
		return true
	}
	return false
}

// recogniseAll is recognise for a plain tree, innermost objects first. The tree is changed in place.
func recogniseAll(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = recogniseAll(v[i])
		}
	case map[string]any:
		for name, member := range v {
			v[name] = recogniseAll(member)
		}
		return recognise(v)
	}
	return v
}

func coordinates(v any) ([][2]float64, bool) {
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	ring := make([][2]float64, len(list))
	for i, p := range list {
		pair, ok := p.([]any)
		if !ok || len(pair) != 2 {
			return nil, false
		}
		a, isA := pair[0].(float64)
		b, isB := pair[1].(float64)
		if !isA || !isB {
			return nil, false
		}
		ring[i] = [2]float64{a, b}
	}
	return ring, true
}

// dateForms are the forms of an ISO 8601 date that are read beside RFC 3339's own; without a zone they are UTC.
var dateForms = [...]string{
	"2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02", "2006-01-02T15:04:05Z0700",
}

// ParseDate reads a text as a date: ISO 8601, with or without a time and a zone.
func ParseDate(s string) (Date, bool) {
	t, ok := parseTime(s)
	return Date{t}, ok
}

// parseTime reads a date, to the millisecond: what is beyond is cut off.
func parseTime(s string) (time.Time, bool) {
	if len(s) < len("2006-01-02") || len(s) > 64 || strings.IndexByte(s, ',') >= 0 {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	for i := 0; err != nil && i < len(dateForms); i++ {
		t, err = time.Parse(dateForms[i], s)
	}
	if err != nil {
		return time.Time{}, false
	}
	return inRange(t)
}

// inRange brings an instant into the form every Date has, and refuses the years that ISO's four digits can't tell.
func inRange(t time.Time) (time.Time, bool) {
	t = time.UnixMilli(t.UnixMilli()).UTC()
	return t, t.Year() >= 0 && t.Year() <= 9999
}
