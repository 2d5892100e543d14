package query

import "math"

// inObject: these conditions are about columns; inside an Object field they aren't asked.
func inObject[E any](E, any, bool) outcome { return anything }

// certainty is how far, in metres, distances of the database may be from the matcher's.
const certainty = 1e-3

func nearField(e *Near, v any) outcome {
	switch v := v.(type) {
	case GeoPoint:
		d := Distance(v, e.Point)
		if math.Abs(d-e.Metres) < certainty {
			return anything
		}
		return holds(d <= e.Metres)
	case Polygon:
		return anything
	}
	return unlike
}

func boxField(e *Box, v any) outcome {
	switch v := v.(type) {
	case GeoPoint:
		return holds(InBox(v, e.Corner, e.Other))
	case Polygon:
		return anything
	}
	return unlike
}

func insideField(e *Inside, v any) outcome {
	switch v := v.(type) {
	case GeoPoint:
		return holds(InPolygon(v, e.Polygon))
	case Polygon:
		return anything
	}
	return unlike
}

func coversField(e *Covers, v any) outcome {
	if v, ok := v.(Polygon); ok {
		return holds(InPolygon(e.Point, v))
	}
	return unlike
}

// textField: whether words match depends on the database's dictionaries.
func textField(_ *Text, v any) outcome {
	if v == nil {
		return unlike
	}
	return anything
}
