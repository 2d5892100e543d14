package query

import "time"

// A REST value, as decoded from JSON, is one of
//
//	nil, bool, float64, string,
//	Date, Pointer, GeoPoint, Polygon, Bytes, File, Relation,
//	[]any, map[string]any
//
// An object with a known "__type" and a complete payload becomes the typed value wherever it stands,
// nested or not; any other object stays a map. Numbers are IEEE doubles, as in JavaScript.

// Date is {"__type":"Date","iso":"…"}: an instant with millisecond precision, in UTC.
type Date struct{ time.Time }

// Pointer is {"__type":"Pointer","className":"…","objectId":"…"}.
type Pointer struct{ ClassName, ObjectID string }

// GeoPoint is {"__type":"GeoPoint","latitude":…,"longitude":…}, in degrees.
type GeoPoint struct{ Latitude, Longitude float64 }

// Polygon is {"__type":"Polygon","coordinates":[[latitude,longitude],…]}, in degrees.
type Polygon struct{ Coordinates [][2]float64 }

// Bytes is {"__type":"Bytes","base64":"…"}; the text is kept as it came.
type Bytes struct{ Base64 string }

// File is {"__type":"File","name":"…","url":"…"}. Only the name is stored; the URL is made anew on every read.
type File struct{ Name, URL string }

// Relation is {"__type":"Relation","className":"…"}: what a read shows of a relation field.
type Relation struct{ ClassName string }
