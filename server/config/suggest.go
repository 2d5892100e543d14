package config

import (
	"fmt"
	"strings"
)

// unknown is the error of a top-level option, or of a flag ("--name"), that nobody knows.
func unknown(given string) error {
	dashes := given[:len(given)-len(strings.TrimLeft(given, "-"))]
	text := given
	if dashes != "" {
		text = "'" + given + "'"
	}
	return fmt.Errorf("error: unknown option %s%s", text, suggestion(given[len(dashes):], dashes, definitions))
}

// unknownNested is the error of an option within another one. Where parse-server has one too, it starts with its words.
func unknownNested(path, name string) error {
	hint := suggestion(name, "", nestedOf(path))
	switch path {
	case "requestComplexity", "installation":
		return fmt.Errorf("%s contains unknown property '%s'.%s", path, name, hint) //nolint:staticcheck // parse-server's words
	case "rateLimit[]":
		return fmt.Errorf("Invalid rate limit option \"%s\"%s", name, hint) //nolint:staticcheck // parse-server's words
	}
	return fmt.Errorf("error: unknown option %s.%s%s", path, name, hint)
}

// suggestion names the known option that is nearest to an unknown one, unless none is near.
func suggestion(given, prefix string, known []definition) string {
	best, least := "", max(3, len(given)/2)
	lower := strings.ToLower(given)
	for _, d := range known {
		n := distance(lower, strings.ToLower(d.name))
		if len(lower) > 2 && strings.HasPrefix(strings.ToLower(d.name), lower) {
			n = 1
		}
		if n < least {
			best, least = d.name, n
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + prefix + best + "?"
}

// maxName bounds the names that are compared, in bytes.
const maxName = 100

// distance is how many bytes must be added, dropped or changed to make one text of the other (Levenshtein's distance).
func distance(a, b string) int {
	if len(a) > maxName || len(b) > maxName {
		return len(a) + len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			corner, row[j+1] = row[j+1], min(corner+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
