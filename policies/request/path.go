package request

import (
	"net/url"
	"strings"
)

// path is an escaped path cut at its slashes. n is 0 if it has none or too many segments, or an empty one.
type path struct {
	segments [maxSegments]string
	n        int
}

// maxSegments is as many as the longest route has (/apps/:appId/… and files apart, which look at the first only).
const maxSegments = 4

// splitPath takes one of two leading slashes and one trailing slash off, as parse-server and Express do.
func splitPath(s string) path {
	var p path
	if s == "" || s[0] != '/' {
		return p
	}
	s = s[1:]
	s = strings.TrimPrefix(s, "/")
	s = strings.TrimSuffix(s, "/")
	for s != "" {
		segment, rest, more := strings.Cut(s, "/")
		if segment == "" || segment == "." || segment == ".." || more && rest == "" {
			return path{}
		}
		if p.n == maxSegments {
			// Only the first two tell anything of such a path, unless it leads elsewhere once it is normalised.
			if dotted(s) {
				return path{}
			}
			break
		}
		p.segments[p.n] = segment
		p.n++
		s = rest
	}
	if s != "" {
		// Longer than any route but files and pages: keep those recognisable, nothing else.
		if !equalFold(p.segments[0], "files") && !equalFold(p.segments[0], "apps") && !equalFold(p.segments[0], "health") {
			return path{}
		}
	}
	return p
}

// dotted reports whether one of the segments is "." or "..".
func dotted(s string) bool {
	for segment := range strings.SplitSeq(s, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// decoded is a path parameter as the worker reads it. It is odd if it has a character beyond letters, digits and
// _ - . : @ ~, or can't be decoded.
func decoded(segment string) (s string, odd bool) {
	if strings.IndexByte(segment, '%') >= 0 {
		u, err := url.PathUnescape(segment)
		if err != nil {
			return segment, true
		}
		segment = u
	}
	for i := 0; i < len(segment); i++ {
		c := segment[i]
		if !isAlphanumeric(c) && strings.IndexByte("_-.:@~", c) < 0 {
			return segment, true
		}
	}
	return segment, segment == "" || segment == "." || segment == ".."
}

// isClassName follows parse-server's rule for names that an ordinary client may use: a letter first, perhaps after an
// underscore, then letters, digits and underscores.
func isClassName(s string) bool {
	s = strings.TrimPrefix(s, "_")
	if s == "" || s[0] >= '0' && s[0] <= '9' || s[0] == '_' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !isAlphanumeric(s[i]) && s[i] != '_' {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// equalFold knows ASCII letters only: Express's case-insensitive patterns don't take "ſ" for "s" either.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if lowerByte(a[i]) != lowerByte(b[i]) {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
