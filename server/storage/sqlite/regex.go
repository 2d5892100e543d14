package sqlite

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

const codeInvalidQuery = 102

var errRegexTimeout = errors.New("$regex takes too long to match")

// regexTimeout bounds the match of one pattern with one text. Only patterns that RE2 can't express need it.
const regexTimeout = 100 * time.Millisecond

// Regex implements sqlbuild.Dialect.
func (dialect) Regex(b *sqlbuild.Builder, operand func(), pattern, options string) error {
	if _, err := compile(pattern, options); err != nil {
		return &storage.Unsupported{Code: codeInvalidQuery, Message: "Bad $regex value for query: " + err.Error()}
	}
	b.Raw("parse_regex(")
	b.Arg(schema.String, pattern)
	b.Raw(",")
	b.Arg(schema.String, options)
	b.Raw(",")
	operand()
	b.Raw(")")
	return nil
}

// matcher is a compiled pattern: by RE2, which is linear, or where RE2 can't express it or would cost too much, by a
// backtracking engine with a time limit.
type matcher struct {
	linear  *query.Linear // nil: general only
	general func() (*regexp2.Regexp, error)
}

func (m *matcher) match(text string) (bool, error) {
	if m.linear != nil {
		if matches, ok := m.linear.Match(text); ok {
			return matches, nil
		}
	}
	re, err := m.general()
	if err != nil {
		return false, errRegexTimeout
	}
	matches, err := re.MatchString(text)
	if err != nil {
		return false, errRegexTimeout
	}
	return matches, nil
}

// compile compiles a pattern as PostgreSQL parse-server means it: of the options only i and x count, "." matches a
// newline, ^ and $ stand for the ends of the text, and \Q…\E quotes.
func compile(pattern, options string) (*matcher, error) {
	pattern = unicodeClasses(sqlbuild.Pattern(pattern, options))
	flags := "(?s)"
	if strings.Contains(options, "i") {
		flags = "(?si)"
	}
	m := &matcher{general: sync.OnceValues(func() (*regexp2.Regexp, error) { return compileGeneral(pattern, options) })}
	var err error
	if m.linear, err = query.CompileLinear(flags + pattern); err != nil {
		_, err = m.general()
	}
	return m, err
}

// wordChars and spaces are the members of the classes \w and \s, which RE2 takes for those of ASCII, and the other engine
// for slightly different ones. PostgreSQL asks the database's locale, which with UTF-8 says this.
const (
	wordChars = `\p{L}\p{Nd}\p{Nl}_`
	spaces    = `\t-\r ` + "\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000"
)

// unicodeClasses writes \w, \W, \s and \S out. A negated one within a set has no such form, and stays.
func unicodeClasses(pattern string) string {
	if !strings.Contains(pattern, `\w`) && !strings.Contains(pattern, `\W`) && !strings.Contains(pattern, `\s`) && !strings.Contains(pattern, `\S`) {
		return pattern
	}
	var out strings.Builder
	set := -1 // where the set began that is open
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		if c != '\\' || i+1 == len(pattern) {
			switch {
			case c == '[' && set < 0:
				set = i
			case c == ']' && set >= 0 && i > set+1 && pattern[set:i] != "[^":
				set = -1
			}
			out.WriteByte(c)
			continue
		}
		i++
		switch class := classOf(pattern[i]); {
		case class == "" || set >= 0 && pattern[i] < 'a':
			out.WriteString(pattern[i-1 : i+1])
		case set >= 0:
			out.WriteString(class)
		case pattern[i] < 'a':
			out.WriteString("[^" + class + "]")
		default:
			out.WriteString("[" + class + "]")
		}
	}
	return out.String()
}

// classOf returns the members of the class that a letter after a backslash stands for.
func classOf(letter byte) string {
	switch letter {
	case 'w', 'W':
		return wordChars
	case 's', 'S':
		return spaces
	}
	return ""
}

func compileGeneral(pattern, options string) (*regexp2.Regexp, error) {
	mode := regexp2.Singleline
	if strings.Contains(options, "i") {
		mode |= regexp2.IgnoreCase
	}
	re, err := regexp2.Compile(pattern, mode)
	if err != nil {
		return nil, errors.New("it is not a regular expression")
	}
	re.MatchTimeout = regexTimeout
	return re, nil
}

// regexCache keeps compiled patterns: a condition is asked about once for every row.
type regexCache struct {
	mu sync.Mutex
	m  map[[2]string]*matcher
}

const maxPatterns = 128

func newRegexCache() *regexCache { return &regexCache{m: make(map[[2]string]*matcher)} }

// get compiles a pattern or finds it. Its arguments may be memory of the driver's.
func (c *regexCache) get(pattern, options string) (*matcher, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m, ok := c.m[[2]string{pattern, options}]; ok {
		return m, nil
	}
	pattern, options = strings.Clone(pattern), strings.Clone(options)
	m, err := compile(pattern, options)
	if err != nil {
		return nil, err
	}
	if len(c.m) >= maxPatterns {
		clear(c.m)
	}
	c.m[[2]string{pattern, options}] = m
	return m, nil
}
