package bucket

import (
	"encoding/json"
	"strings"
)

// asText is how a value of metadata or a tag is kept where only text can be: text as it is, anything else as JSON.
func asText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	data, err := json.Marshal(v)
	if err != nil { // it came from JSON
		return ""
	}
	return string(data)
}

// portable turns metadata into what every store takes: names in lower case, of which one is kept. Names must not be empty.
func portable(values map[string]any) map[string]string {
	out := make(map[string]string, len(values))
	for name, v := range values {
		if name != "" {
			out[strings.ToLower(name)] = asText(v)
		}
	}
	return out
}
