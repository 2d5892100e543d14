package sqlbuild

import (
	"regexp"
	"strings"
)

// Pattern turns a $regex into the regular expression that PostgreSQL parse-server makes of it: with the option x without
// white space and comments, and with what stands between \Q and \E escaped.
func Pattern(pattern, options string) string {
	if strings.Contains(options, "x") {
		pattern = removeSpace(pattern)
	}
	return unquote(pattern)
}

// unquote escapes what stands between \Q and \E, character by character.
func unquote(pattern string) string {
	if !strings.Contains(pattern, `\Q`) {
		return pattern
	}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(pattern, `\Q`)
		out.WriteString(before)
		if !found {
			return out.String()
		}
		literal, after, _ := strings.Cut(rest, `\E`)
		out.WriteString(regexp.QuoteMeta(literal))
		pattern = after
	}
}

// What removeSpace removes, one after the other: comments at the end of a line, lines of comment, spaces.
var (
	comment      = regexp.MustCompile(`(?i)([^\\])#.*\n`)
	commentLine  = regexp.MustCompile(`(?im)^#.*\n`)
	space        = regexp.MustCompile(`([^\\])\s+`)
	leadingSpace = regexp.MustCompile(`^\s+`)
)

// removeSpace strips white space and comments that aren't escaped, as parse-server does for the option x.
func removeSpace(pattern string) string {
	if !strings.HasSuffix(pattern, "\n") {
		pattern += "\n"
	}
	pattern = comment.ReplaceAllString(pattern, "$1")
	pattern = commentLine.ReplaceAllString(pattern, "")
	pattern = space.ReplaceAllString(pattern, "$1")
	return strings.TrimSpace(leadingSpace.ReplaceAllString(pattern, ""))
}
