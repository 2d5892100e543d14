package query

import (
	"math"
	"strconv"
	"strings"
)

// Conversions that JavaScript does by itself and that parse-server's reading of parameters therefore leans on. They are
// for decoded values of plain JSON.

// Truthy is JavaScript's Boolean(v), which many of parse-server's checks lean on.
func Truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case float64:
		return v != 0
	case string:
		return v != ""
	}
	return true
}

// JSString is JavaScript's String(v), in which parse-server's messages show values.
func JSString(v any) string { return jsString(v) }

// jsString is String(v).
func jsString(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		return "[object Object]"
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			if e != nil {
				parts[i] = jsString(e)
			}
		}
		return strings.Join(parts, ",")
	}
	return string(AppendJSON(nil, v))
}

// jsNumber is Number(v), for what is finite.
func jsNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case float64:
		return v, true
	case string:
		s := strings.TrimSpace(v)
		if s == "" {
			return 0, true
		}
		if strings.ContainsAny(s, "_xXpPnN") {
			return 0, false
		}
		f, err := strconv.ParseFloat(s, 64)
		return f, err == nil && !math.IsInf(f, 0)
	}
	return 0, false
}
