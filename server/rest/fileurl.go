package rest

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/parsescale/parsescale/server/config"
)

// FileURL returns a function that appends the URL of a stored file, safe within a JSON string: every byte that isn't plain is
// percent-encoded. direct does that for files that clients get from the store itself; nil: they get them here.
func FileURL(o *config.Options, direct func(dst []byte, name string) []byte) func(dst []byte, name string) []byte {
	return func(dst []byte, name string) []byte { return appendFileURL(dst, o, direct, name) }
}

func appendFileURL(dst []byte, o *config.Options, direct func(dst []byte, name string) []byte, name string) []byte {
	if o.FileKey != "" {
		// Files of the former hosting service stay where they are.
		switch {
		case strings.HasPrefix(name, "tfss-"):
			return appendEscaped(append(append(append(dst, "http://files.parsetfss.com/"...), url.PathEscape(o.FileKey)...), '/'), name, false)
		case hosted(name):
			return appendEscaped(append(append(append(dst, "http://files.parse.com/"...), url.PathEscape(o.FileKey)...), '/'), name, false)
		}
	}
	if direct != nil {
		return direct(dst, name)
	}
	for _, c := range []byte(o.URL()) {
		if c <= ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			const hex = "0123456789ABCDEF"
			dst = append(dst, '%', hex[c>>4], hex[c&15])
			continue
		}
		dst = append(dst, c)
	}
	dst = append(dst, "/files/"...)
	dst = appendEscaped(dst, o.AppID, false)
	dst = append(dst, '/')
	return appendEscaped(dst, name, true)
}

// appendEscaped is JavaScript's encodeURIComponent, for each segment by itself if slashes are kept.
func appendEscaped(dst []byte, s string, slashes bool) []byte {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case alphanumeric(c), strings.IndexByte("-_.!~*'()", c) >= 0, slashes && c == '/':
			dst = append(dst, c)
		default:
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

// hosted reports whether a name starts with a UUID and a dash, as the hosting service made them.
func hosted(name string) bool {
	const form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx-"
	if len(name) <= len(form) {
		return false
	}
	for i := range len(form) {
		c := name[i]
		isHex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if form[i] == 'x' && !isHex || form[i] == '-' && c != '-' {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
