package sqlite

import (
	"database/sql/driver"
	stdjson "encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	driversqlite "modernc.org/sqlite"
)

// registerFunctions adds the SQL functions that conditions lean on.
func registerFunctions(d *driversqlite.Driver) error {
	cache := newRegexCache()
	functions := map[string]*driversqlite.FunctionImpl{
		// parse_regex(pattern, options, text): text matches; NULL for a NULL text.
		"parse_regex": {NArgs: 3, Deterministic: true, VolatileArgs: true, Scalar: func(_ *driversqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			pattern, _ := args[0].(string)
			options, _ := args[1].(string)
			text, ok := args[2].(string)
			if !ok {
				return nil, nil
			}
			re, err := cache.get(pattern, options)
			if err != nil {
				return nil, err
			}
			return boolean(re.match(text))
		}},
		// parse_lower(text): text in lower case; NULL for a NULL text.
		"parse_lower": {NArgs: 1, Deterministic: true, Scalar: func(_ *driversqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			text, ok := args[0].(string)
			if !ok {
				return nil, nil
			}
			return strings.ToLower(text), nil
		}},
		// parse_date_part(part, milliseconds): EXTRACT(part FROM a date in UTC), rounded; NULL for a NULL date.
		"parse_date_part": {NArgs: 2, Deterministic: true, Scalar: func(_ *driversqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			part, _ := args[0].(string)
			ms, ok := args[1].(int64)
			if !ok {
				return nil, nil
			}
			return datePart(part, time.UnixMilli(ms).UTC())
		}},
		// parse_jsonb_contains(a, b): jsonb's a @> b; NULL when one of them is.
		"parse_jsonb_contains": {NArgs: 2, Deterministic: true, Scalar: func(_ *driversqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			a, okA := args[0].(string)
			b, okB := args[1].(string)
			if !okA || !okB {
				return nil, nil
			}
			var left, right any
			if err := stdjson.Unmarshal([]byte(a), &left); err != nil {
				return nil, fmt.Errorf("cannot read stored JSON: %w", err)
			}
			if err := stdjson.Unmarshal([]byte(b), &right); err != nil {
				return nil, fmt.Errorf("cannot read stored JSON: %w", err)
			}
			return boolean(holdsTop(left, right), nil)
		}},
	}
	maps.Copy(functions, geoFunctions())
	maps.Copy(functions, textFunctions())
	for name, f := range functions {
		if err := d.RegisterFunction(name, f); err != nil {
			return fmt.Errorf("cannot register the SQL function %s: %w", name, err)
		}
	}
	return nil
}

func boolean(b bool, err error) (driver.Value, error) {
	if b {
		return int64(1), err
	}
	return int64(0), err
}

// holdsTop is jsonb's a @> b. At the top an array also contains the bare scalars in it.
func holdsTop(a, b any) bool {
	if list, ok := a.([]any); ok {
		switch b.(type) {
		case []any, map[string]any:
		default:
			return anyHolds(list, b)
		}
	}
	return contains(a, b)
}

// contains is jsonb containment below the top: objects by member, arrays by element whatever their order, scalars by
// equality.
func contains(a, b any) bool {
	switch b := b.(type) {
	case map[string]any:
		a, ok := a.(map[string]any)
		if !ok {
			return false
		}
		for name, v := range b {
			if w, has := a[name]; !has || !contains(w, v) {
				return false
			}
		}
		return true
	case []any:
		a, ok := a.([]any)
		if !ok {
			return false
		}
		for _, v := range b {
			if !anyHolds(a, v) {
				return false
			}
		}
		return true
	}
	switch a.(type) {
	case map[string]any, []any:
		return false
	}
	return a == b
}

func anyHolds(list []any, v any) bool {
	for _, e := range list {
		if contains(e, v) {
			return true
		}
	}
	return false
}

// datePart is PostgreSQL's EXTRACT(part FROM t)::integer.
func datePart(part string, t time.Time) (driver.Value, error) {
	n := 0
	switch isoYear, week := t.ISOWeek(); part {
	case "YEAR":
		n = t.Year()
	case "MONTH":
		n = int(t.Month())
	case "DAY":
		n = t.Day()
	case "DOW":
		n = int(t.Weekday())
	case "ISODOW":
		n = (int(t.Weekday())+6)%7 + 1
	case "DOY":
		n = t.YearDay()
	case "ISOYEAR":
		n = isoYear
	case "WEEK":
		n = week
	case "HOUR":
		n = t.Hour()
	case "MINUTE":
		n = t.Minute()
	case "SECOND":
		n = t.Second() + (t.Nanosecond()+5e8)/1e9
	case "MILLISECONDS":
		n = t.Second()*1000 + t.Nanosecond()/1e6
	default:
		return nil, fmt.Errorf("cannot take the part %q of a date", part)
	}
	return int64(n), nil
}
