// Package jsregexp runs the regular expressions of parse-server's options as JavaScript means them, in bounded time: by
// RE2, which is linear, where RE2 means the same, else by a backtracking engine with a time-out.
//
// It must not know what an expression is for. Patterns of clients' queries are another dialect; storage reads those.
package jsregexp

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/parsescale/parsescale/server/query"
)

// timeout bounds one match that needs backtracking.
const timeout = 100 * time.Millisecond

// ErrTimeout: whether a text matches could not be found out in time.
var ErrTimeout = errors.New("the regular expression takes too long")

// Regexp is a compiled expression, safe for concurrent use.
type Regexp struct {
	linear  *query.Linear // nil: backtracking only
	general *regexp2.Regexp
}

// Compile compiles an expression as JavaScript's RegExp does without flags.
func Compile(expr string) (*Regexp, error) { return compile(expr, "", 0) }

// CompileFold is Compile with JavaScript's flag i: letters of either case match.
func CompileFold(expr string) (*Regexp, error) { return compile(expr, "(?i)", regexp2.IgnoreCase) }

func compile(expr, flags string, mode regexp2.RegexOptions) (*Regexp, error) {
	general, err := regexp2.Compile(expr, regexp2.ECMAScript|mode)
	if err != nil {
		return nil, fmt.Errorf("cannot compile a regular expression: %w", err)
	}
	general.MatchTimeout = timeout
	re := &Regexp{general: general}
	if common(expr) {
		re.linear, _ = query.CompileLinear(flags + expr) // what RE2 can't do, the other one does
	}
	return re, nil
}

// Match reports whether the expression matches a part of the text.
func (re *Regexp) Match(text string) (bool, error) {
	if re.linear != nil {
		if matches, ok := re.linear.Match(text); ok {
			return matches, nil
		}
	}
	matches, err := re.general.MatchString(text)
	if err != nil {
		return false, ErrTimeout
	}
	return matches, nil
}

// common reports whether an expression is made of what RE2 and JavaScript understand alike: of escapes only those of
// punctuation and \d \D \w \W \b \B, of groups only plain ones and (?:…), no classes with a name.
func common(expr string) bool {
	for i := 0; i < len(expr); i++ {
		switch c := expr[i]; {
		case c >= 0x80:
			return false // RE2 counts characters, JavaScript halves of them
		case c == '\\':
			i++
			if i == len(expr) || isAlnum(expr[i]) && !strings.ContainsRune("dDwWbB", rune(expr[i])) {
				return false
			}
		case c == '(' && strings.HasPrefix(expr[i:], "(?") && !strings.HasPrefix(expr[i:], "(?:"):
			return false
		case c == '[' && i+1 < len(expr) && (expr[i+1] == ']' || strings.HasPrefix(expr[i+1:], "^]") || expr[i+1] == ':'):
			return false
		case c == '[' && strings.Contains(expr[i+1:], "[:"):
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
