package rest

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/parsescale/parsescale/server/config"
)

// FileURL returns a function that appends the URL of a stored file, safe within a JSON string: every byte that isn't plain is
// percent-encoded. direct tells the URLs of files that clients get from the store itself, by the name as it is and as it stands
// in URLs; nil, and "" as its answer, mean that they get them here.
func FileURL(o *config.Options, direct func(name, escaped string) string) func(dst []byte, name string) []byte {
	return func(dst []byte, name string) []byte {
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
			if at := direct(name, string(appendEscaped(nil, name, true))); at != "" {
				return appendPlain(dst, at)
			}
		}
		dst = append(appendPlain(dst, o.URL()), "/files/"...)
		dst = append(appendEscaped(dst, o.AppID, false), '/')
		return appendEscaped(dst, name, true)
	}
}

// appendPlain appends a URL, of which nothing can end a JSON string.
func appendPlain(dst []byte, at string) []byte {
	for _, c := range []byte(at) {
		if c <= ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			const hex = "0123456789ABCDEF"
			dst = append(dst, '%', hex[c>>4], hex[c&15])
			continue
		}
		dst = append(dst, c)
	}
	return dst
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
