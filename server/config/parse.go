//nolint:revive,staticcheck // the messages are parse-server's, word for word
package config

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// value turns what a source gave for an option into the JSON value it stands for, by parse-server's rules. given is a
// string from a flag or the environment, or any JSON value from a file. What parse-server takes for false without being
// it is worth a warning.
func (d definition) value(given any, w *warnings) (any, error) {
	switch d.kind {
	case boolean:
		switch v := given.(type) {
		case bool:
			return v, nil
		case float64:
			if v == 0 || v == 1 {
				return v == 1, nil
			}
		case string:
			if v == "true" || v == "1" {
				return true, nil
			}
			if v == "false" || v == "0" || v == "" {
				return false, nil
			}
		case nil:
			return nil, nil
		}
		w.add("option %s is neither true nor false, which counts as false", d.name)
		return false, nil
	case number:
		switch v := given.(type) {
		case float64:
			return math.Trunc(v), nil
		case string:
			if n, ok := leadingInt(v); ok {
				return n, nil
			}
		}
		return nil, fmt.Errorf("Key %s has invalid value %v", d.name, given)
	case array:
		switch v := given.(type) {
		case nil:
			return nil, nil
		case []any:
			return v, nil
		case string:
			if strings.HasPrefix(strings.TrimSpace(v), "[") {
				var list []any
				if err := json.Unmarshal([]byte(v), &list); err == nil {
					return list, nil
				}
			}
			var list []any
			for _, s := range strings.Split(v, ",") {
				list = append(list, s)
			}
			return list, nil
		}
		return nil, fmt.Errorf("%s: %v should be a comma separated string or an array", d.name, given)
	case object:
		s, ok := given.(string)
		if !ok {
			return given, nil
		}
		var v any
		if err := json.Unmarshal([]byte(s), &v); err != nil {
			return nil, fmt.Errorf("option %s is not valid JSON", d.name)
		}
		return v, nil
	case module, loose:
		if s, ok := given.(string); ok {
			var v any
			if json.Unmarshal([]byte(s), &v) == nil {
				return v, nil
			}
		}
		return given, nil
	default:
		switch v := given.(type) {
		case float64:
			return strconv.FormatFloat(v, 'f', -1, 64), nil
		case string, nil:
			return given, nil
		}
		return nil, fmt.Errorf("option %s must be a string", d.name)
	}
}

// leadingInt reads the integer a text starts with, as JavaScript's parseInt does.
func leadingInt(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	end := 0
	if end < len(s) && (s[end] == '-' || s[end] == '+') {
		end++
	}
	digits := end
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	if end == digits {
		return 0, false
	}
	n, err := strconv.ParseFloat(s[:end], 64)
	return n, err == nil
}
