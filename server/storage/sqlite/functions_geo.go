package sqlite

import (
	"database/sql/driver"
	"fmt"

	"github.com/parsescale/parsescale/server/query"
	driversqlite "modernc.org/sqlite"
)

// geoFunctions are the functions of geometry. Points and polygons are JSON as they are stored; NULL makes NULL.
func geoFunctions() map[string]*driversqlite.FunctionImpl {
	polygons := newMemo(func(text string) (query.Polygon, error) {
		return stored[query.Polygon](text)
	})
	return map[string]*driversqlite.FunctionImpl{
		// parse_distance(a, b): metres between two points.
		"parse_distance": scalar(2, func(args []string) (driver.Value, error) {
			a, b, err := points(args[0], args[1])
			return query.Distance(a, b), err
		}),
		// parse_in_box(p, corner, other): the point is in the box.
		"parse_in_box": scalar(3, func(args []string) (driver.Value, error) {
			corner, other, err := points(args[1], args[2])
			if err != nil {
				return nil, err
			}
			p, err := stored[query.GeoPoint](args[0])
			return boolean(query.InBox(p, corner, other), err)
		}),
		// parse_inside(p, polygon): the point is in the polygon.
		"parse_inside": scalar(2, func(args []string) (driver.Value, error) {
			p, err := stored[query.GeoPoint](args[0])
			if err != nil {
				return nil, err
			}
			polygon, err := polygons.get(args[1])
			return boolean(query.InPolygon(p, polygon), err)
		}),
		// parse_same(a, b): two points or two polygons are equal.
		"parse_same": scalar(2, func(args []string) (driver.Value, error) {
			a, err := query.Decode([]byte(args[0]))
			if err != nil {
				return nil, fmt.Errorf("cannot read stored JSON: %w", err)
			}
			b, err := query.Decode([]byte(args[1]))
			switch a := a.(type) {
			case query.GeoPoint:
				b, ok := b.(query.GeoPoint)
				return boolean(ok && query.SamePoint(a, b), err)
			case query.Polygon:
				b, ok := b.(query.Polygon)
				return boolean(ok && query.SamePolygon(a, b), err)
			}
			return boolean(false, err)
		}),
	}
}

// scalar is a function of texts that is NULL when one of them is.
func scalar(n int32, f func(args []string) (driver.Value, error)) *driversqlite.FunctionImpl {
	return &driversqlite.FunctionImpl{NArgs: n, Deterministic: true, Scalar: func(_ *driversqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		texts := make([]string, len(args))
		for i, a := range args {
			var ok bool
			if texts[i], ok = a.(string); !ok {
				return nil, nil
			}
		}
		return f(texts)
	}}
}

func points(a, b string) (p, q query.GeoPoint, err error) {
	if p, err = stored[query.GeoPoint](a); err == nil {
		q, err = stored[query.GeoPoint](b)
	}
	return p, q, err
}

// stored decodes a value of a type.
func stored[V any](text string) (V, error) {
	v, err := query.Decode([]byte(text))
	out, ok := v.(V)
	if err == nil && !ok {
		err = fmt.Errorf("it is no %T", out)
	}
	if err != nil {
		err = fmt.Errorf("cannot read stored JSON: %w", err)
	}
	return out, err
}
