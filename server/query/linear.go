package query

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
)

// maxProgram bounds the steps that a pattern may compile to. RE2 takes time in proportion to the text, but also to the
// pattern, and writes repetitions out: three thousand bytes with (?:…){1000} in them make a program of hundreds of
// megabytes. Every pattern without repetitions that Limits.Pattern lets through is smaller than this.
const maxProgram = 5000

// maxWork bounds the steps of a program times the bytes of the text it is run on: about a second in the worst case.
// A match by RE2 can't be interrupted.
const maxWork = 1 << 28

var errProgram = errors.New("the regular expression is too large")

// Linear is a regular expression that RE2 runs, with a bound on what it costs.
type Linear struct {
	re   *regexp.Regexp
	size int
}

// CompileLinear compiles an expression as regexp.Compile does, unless it would become too large a program.
func CompileLinear(expr string) (*Linear, error) {
	parsed, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("cannot compile a regular expression: %w", err)
	}
	size := programSize(parsed)
	if size > maxProgram {
		return nil, errProgram
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("cannot compile a regular expression: %w", err)
	}
	return &Linear{re, size}, nil
}

// Match reports whether the text matches. ok is false when finding out could take too long.
func (l *Linear) Match(text string) (matches, ok bool) {
	if len(text) > maxWork/l.size {
		return false, false
	}
	return l.re.MatchString(text), true
}

// programSize is about how many steps an expression compiles to; no more than a bit over maxProgram is counted.
// syntax.Parse bounds the depth.
func programSize(re *syntax.Regexp) int {
	size := 1 + len(re.Rune)/2
	if re.Op == syntax.OpLiteral {
		size = 1 + len(re.Rune)
	}
	for _, sub := range re.Sub {
		if size += programSize(sub); size > maxProgram {
			return maxProgram + 1
		}
	}
	if re.Op == syntax.OpRepeat {
		// Both are 1000 at most.
		size *= max(re.Min+1, re.Max)
	}
	return min(size, maxProgram+1)
}
