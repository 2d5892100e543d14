//nolint:revive,staticcheck // the messages are parse-server's, word for word
package files

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/dlclark/regexp2/v2"
)

// ErrContentType: a content type that isn't type/subtype, with a file name whose extension is unknown.
var ErrContentType = errors.New("Invalid Content-Type.")

// ExtensionError reports an extension, or a content type standing in for one, that may not be uploaded.
type ExtensionError struct{ Extension string }

func (e *ExtensionError) Error() string {
	return "File upload of extension " + e.Extension + " is disabled."
}

// matchTimeout bounds one match of a pattern that needs backtracking. Whatever takes longer doesn't match.
const matchTimeout = 100 * time.Millisecond

// Filter says which kinds of files may be uploaded.
type Filter struct {
	all      bool
	patterns []pattern
}

type pattern interface {
	match(s string) bool
}

// NewFilter compiles fileUpload.fileExtensions: JavaScript regular expressions, of which an extension must match one.
// "*" allows everything.
func NewFilter(expressions []string) (*Filter, error) {
	f := &Filter{}
	for _, e := range expressions {
		if e == "*" {
			f.all = true
			continue
		}
		// RE2 runs in linear time; only look-around and back references need the other engine.
		if re, err := regexp.Compile(e); err == nil {
			f.patterns = append(f.patterns, linear{re})
			continue
		}
		re, err := regexp2.Compile(e, regexp2.ECMAScript)
		if err != nil {
			return nil, fmt.Errorf("fileUpload.fileExtensions holds an invalid regular expression: %w", err)
		}
		re.MatchTimeout = matchTimeout
		f.patterns = append(f.patterns, backtracking{re})
	}
	return f, nil
}

type linear struct{ re *regexp.Regexp }

func (l linear) match(s string) bool { return l.re.MatchString(s) }

type backtracking struct{ re *regexp2.Regexp }

func (b backtracking) match(s string) bool {
	ok, err := b.re.MatchString(s)
	return ok && err == nil
}

func (f *Filter) allows(extension string) bool {
	if f.all {
		return true
	}
	for _, p := range f.patterns {
		if p.match(extension) {
			return true
		}
	}
	return false
}

// Check decides about a file by its name and, because a name with an unknown extension says nothing, by the content
// type the client claims.
func (f *Filter) Check(name, contentType string) error {
	extension := withoutParameters(Extension(name))
	if extension != "" && !f.allows(extension) {
		return &ExtensionError{extension}
	}
	if (extension != "" && ContentType(name) != "") || contentType == "" || f.all {
		return nil
	}
	typ, subtype, slash := strings.Cut(contentType, "/")
	typ = strings.TrimSpace(typ)
	subtype, _, _ = strings.Cut(subtype, ";")
	subtype = strings.TrimSpace(subtype)
	if !slash || !isToken(typ) || !isToken(subtype) {
		bare := typ
		if !slash {
			bare = contentType
		}
		if bare = withoutParameters(bare); bare != "" && !f.allows(bare) {
			return &ExtensionError{bare}
		}
		return ErrContentType
	}
	if !f.allows(subtype) {
		return &ExtensionError{subtype}
	}
	return nil
}

// withoutParameters drops what follows a semicolon, and white space.
func withoutParameters(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

// isToken reports whether s is a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !alphanumeric(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}
