package postgres

import (
	"strconv"

	"github.com/parsescale/parsescale/server/query"
)

// appendCompact appends a jsonb, as PostgreSQL prints it, in the form of query.AppendJSON: without spaces, and with
// numbers as JavaScript writes them. The order of members and the escapes in strings are the same in both.
func appendCompact(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ' ':
			i++
		case c == '"':
			end := stringEnd(text, i)
			dst = append(dst, text[i:end]...)
			i = end
		case c == '-' || c >= '0' && c <= '9':
			end := i + 1
			for end < len(text) && isNumber(text[end]) {
				end++
			}
			dst = appendDecimal(dst, text[i:end])
			i = end
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst
}

// stringEnd is where the JSON string that starts at i ends.
func stringEnd(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

func isNumber(c byte) bool {
	return c >= '0' && c <= '9' || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-'
}

// appendDecimal appends a number of any precision as the nearest one of JavaScript.
func appendDecimal(dst, digits []byte) []byte {
	if len(digits) <= 15 {
		whole := true
		for _, c := range digits {
			whole = whole && c != '.' && c != 'e' && c != 'E'
		}
		if whole && string(digits) != "-0" {
			return append(dst, digits...)
		}
	}
	f, _ := strconv.ParseFloat(string(digits), 64) // too large a one is infinite, and shown as null
	return query.AppendJSON(dst, f)
}
