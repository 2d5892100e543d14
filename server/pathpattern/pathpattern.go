// Package pathpattern matches paths with the patterns of the npm package path-to-regexp, version 8, that parse-server's
// rateLimit.requestPath is made of: /classes/:name is one segment, /functions/*path any number, {/optional} may be left
// out. Letters match in either case, and a slash may follow.
//
// It must not know what a pattern is for.
package pathpattern

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/parsescale/parsescale/server/jsregexp"
)

// maxCombinations bounds the ways to leave groups out; maxLength the length of a pattern in bytes.
const (
	maxCombinations = 256
	maxLength       = 4096
)

// Pattern is a compiled pattern, safe for concurrent use.
type Pattern struct{ re *jsregexp.Regexp }

// Compile reads a pattern.
func Compile(pattern string) (*Pattern, error) {
	source, err := expression(pattern)
	if err != nil {
		return nil, err
	}
	re, err := jsregexp.CompileFold(source)
	if err != nil {
		return nil, fmt.Errorf("cannot compile a pattern: %w", err)
	}
	return &Pattern{re}, nil
}

// Match reports whether a path matches as a whole. One for which that can't be found out in time does.
func (p *Pattern) Match(path string) bool {
	ok, err := p.re.Match(path)
	return ok || err != nil
}

// expression is the regular expression for a pattern: each combination of its groups is an alternative.
func expression(pattern string) (string, error) {
	if len(pattern) > maxLength {
		return "", fmt.Errorf("the pattern is longer than %d bytes", maxLength)
	}
	tokens, err := parse(pattern)
	if err != nil {
		return "", err
	}
	var alternatives []string
	err = combine(tokens, nil, func(flat []token) error {
		if len(alternatives) == maxCombinations {
			return errors.New("too many groups")
		}
		alternative, err := sequence(flat)
		alternatives = append(alternatives, alternative)
		return err
	})
	if err != nil {
		return "", err
	}
	return "^(?:" + strings.Join(alternatives, "|") + `)(?:\/$)?$`, nil
}

// combine calls do with every combination of groups kept and left out.
func combine(tokens, before []token, do func([]token) error) error {
	flat := before[:len(before):len(before)] // others append behind before, too
	for i, t := range tokens {
		if t.kind != group {
			flat = append(flat, t)
			continue
		}
		rest := tokens[i+1:]
		if err := combine(t.group, flat, func(kept []token) error { return combine(rest, kept, do) }); err != nil {
			return err
		}
		// Left out: go on behind it.
	}
	return do(flat)
}

// sequence is the expression for tokens without groups. What a parameter or wildcard takes must not hold the text that
// separates it from another one in its segment: so there is one way to cut a path into them.
func sequence(tokens []token) (string, error) {
	var out strings.Builder
	var last kind              // of the last parameter or wildcard; text: none yet
	var since, wild string     // the text since the last one, and since the last wildcard
	var params, wildcards bool // in this segment, so far
	for i, t := range tokens {
		if t.kind == text {
			out.WriteString(escape(t.text))
			since += t.text
			if last == wildcard {
				wild += t.text
			}
			if strings.Contains(t.text, "/") {
				params, wildcards = false, false
			}
			continue
		}
		if last != text && since == "" {
			return "", fmt.Errorf("text is missing before %q", t.text)
		}
		switch {
		case t.kind == parameter && wildcards:
			out.WriteString(without("/", since) + "+")
		case t.kind == parameter && wildcardFollows(tokens[i+1:]):
			out.WriteString(without("/", leadingText(tokens[i+1:])) + "+")
		case t.kind == parameter && params:
			out.WriteString("(?:" + without("/", since) + "+|" + escape(since) + ")")
		case t.kind == parameter:
			out.WriteString(without("/", "") + "+")
		case wildcards:
			out.WriteString(without(since, "") + "+")
		case wild != "":
			out.WriteString("(?:" + without(wild, "") + "+|" + without("/", "") + "+)")
		default:
			out.WriteString(`[\w\W]+`)
		}
		params = params || t.kind == parameter
		wildcards = wildcards || t.kind == wildcard
		if t.kind == wildcard {
			wild = ""
		}
		last, since = t.kind, ""
	}
	return out.String(), nil
}

// wildcardFollows reports whether there is a wildcard before the next slash.
func wildcardFollows(tokens []token) bool {
	for _, t := range tokens {
		switch {
		case t.kind == wildcard:
			return true
		case t.kind == text && strings.Contains(t.text, "/"):
			return false
		}
	}
	return false
}

// leadingText is the text that tokens start with.
func leadingText(tokens []token) string {
	s := ""
	for _, t := range tokens {
		if t.kind != text {
			break
		}
		s += t.text
	}
	return s
}

// without is the expression for one character, at which neither of two texts starts. An empty text starts nowhere.
func without(a, b string) string {
	if len(b) > len(a) {
		a, b = b, a
	}
	if a == b {
		b = ""
	}
	switch {
	case len(b) > 1:
		return `(?:(?!` + escape(a) + `|` + escape(b) + `)[\w\W])`
	case len(a) > 1 && b == "":
		return `(?:(?!` + escape(a) + `)[\w\W])`
	case len(a) > 1:
		return `(?:(?!` + escape(a) + `)[^` + class(b) + `])`
	case a == "":
		return `[\w\W]`
	}
	return `[^` + class(a) + class(b) + `]`
}

func escape(s string) string { return strings.ReplaceAll(regexp.QuoteMeta(s), "/", `\/`) }

// class escapes one character for a class.
func class(s string) string {
	if strings.Contains(`^-]\[/`, s) && s != "" {
		return `\` + s
	}
	return s
}
