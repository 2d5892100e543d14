package query

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync/atomic"
	"unicode"
)

// A $regex is PostgreSQL's advanced regular expression. The matcher runs it as RE2, which is linear in time, and only
// where both mean the same: literals, sets and ranges of ASCII characters, \d \w \s, groups, alternatives and
// quantifiers, and \Q…\E in the places where SDKs write it. For all else the answer is "anything".

// regexCache holds a pattern's compiled form, made at the first match.
type regexCache struct{ p atomic.Pointer[compiledRegex] }

type compiledRegex struct {
	re *Linear // nil: can't be told
	// ascii: the pattern means the same on ASCII text only (classes, case).
	ascii bool
	// lines: the pattern means the same on text without line ends only (options m, s).
	lines bool
}

// matches tells whether text matches, or anything.
func (e *Regex) matches(text string) outcome {
	c := e.compile()
	switch {
	case c.re == nil, c.ascii && !isASCII(text), c.lines && strings.ContainsAny(text, "\r\n"):
		return anything
	}
	matches, ok := c.re.Match(text)
	if !ok {
		return anything
	}
	return holds(matches)
}

// compile compiles the pattern, the first time.
func (e *Regex) compile() *compiledRegex {
	c := e.compiled.p.Load()
	if c == nil {
		c = compileRegex(e.Pattern, e.Options)
		e.compiled.p.Store(c)
	}
	return c
}

func compileRegex(pattern, options string) *compiledRegex {
	c := &compiledRegex{lines: strings.ContainsAny(options, "ms")}
	if strings.Contains(options, "x") && strings.ContainsAny(pattern, " \t\r\n\v\f#") {
		return c
	}
	t := translator{in: pattern, fold: strings.Contains(options, "i")}
	if !t.run() {
		return c
	}
	// PostgreSQL's dot matches a line end, and ^ and $ only the ends of the text.
	flags := "(?s)"
	if t.fold {
		flags = "(?is)"
	}
	c.ascii = t.ascii || t.fold
	if re, err := CompileLinear(flags + t.out.String()); err == nil {
		c.re = re
	}
	return c
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// translator turns a pattern into RE2's syntax; its methods report false for what may mean something else there.
type translator struct {
	in    string
	out   strings.Builder
	fold  bool
	ascii bool
	depth int
	// atom: a quantifier may stand here. start: a branch begins here.
	atom, start bool
}

func (t *translator) run() bool {
	if t.fold && !isASCII(t.in) || strings.Contains(t.in, "''") {
		return false
	}
	pattern, literal, end, ok := cutLiteral(t.in)
	if !ok {
		return false
	}
	t.in, t.start = pattern, true
	for t.in != "" {
		if !t.step() {
			return false
		}
	}
	if t.depth != 0 {
		return false
	}
	t.out.WriteString(regexp.QuoteMeta(literal))
	t.out.WriteString(end)
	return true
}

// cutLiteral takes a \Q…\E apart. PostgreSQL parse-server understands it at the end of a pattern, or before a final $
// of a pattern that doesn't begin with ^; elsewhere it makes something else of it.
func cutLiteral(s string) (pattern, literal, end string, ok bool) {
	pattern, rest, quoted := strings.Cut(s, `\Q`)
	if !quoted {
		return s, "", "", !strings.Contains(s, `\E`)
	}
	if strings.Contains(pattern, `\E`) || strings.HasSuffix(pattern, `\`) || strings.Contains(pattern, "|") {
		return "", "", "", false
	}
	literal, rest, closed := strings.Cut(rest, `\E`)
	switch {
	case !closed || strings.Contains(literal, `\`):
		return "", "", "", false
	case rest == "$" && !strings.HasPrefix(s, "^"):
		end = "$"
	case rest != "":
		return "", "", "", false
	}
	for _, r := range literal {
		// Line ends, and letters that JavaScript sees as two halves, aren't quoted properly there.
		if r < 0x20 || r == 0x7f || r > 0xffff || r >= 0x80 && !unicode.IsLetter(r) {
			return "", "", "", false
		}
	}
	return pattern, literal, end, true
}

// step translates one element.
func (t *translator) step() bool {
	c := t.in[0]
	switch {
	case c == '\\':
		return t.escape()
	case c == '[':
		return t.set()
	case c == '(':
		return t.open()
	case c == ')':
		if t.depth--; t.depth < 0 || t.start {
			return false
		}
		return t.emit(1, true, false)
	case c == '|':
		if t.start || len(t.in) == 1 || t.in[1] == '|' || t.in[1] == ')' {
			return false
		}
		return t.emit(1, false, true)
	case c == '^':
		if !t.start || len(t.in) > 1 && strings.IndexByte("^*+?{|)", t.in[1]) >= 0 {
			return false
		}
		return t.emit(1, false, false)
	case c == '$':
		if len(t.in) > 1 && t.in[1] != ')' && t.in[1] != '|' {
			return false
		}
		return t.emit(1, false, false)
	case c == '*' || c == '+' || c == '?':
		return t.quantifier(1)
	case c == '{':
		return t.bounds()
	case c == '.':
		return t.emit(1, true, false)
	case c < 0x20 || c == '}' || c == ']' || c == 0x7f:
		return false
	case c < 0x80:
		return t.emit(1, true, false)
	}
	for i, r := range t.in {
		if i > 0 {
			return t.emit(i, true, false)
		}
		if r == unicode.ReplacementChar || r > 0xffff {
			return false
		}
	}
	return t.emit(len(t.in), true, false)
}

// emit copies n bytes.
func (t *translator) emit(n int, atom, start bool) bool {
	t.out.WriteString(t.in[:n])
	t.in = t.in[n:]
	t.atom, t.start = atom, start
	return true
}

func (t *translator) open() bool {
	n := 1
	if strings.HasPrefix(t.in, "(?") {
		if !strings.HasPrefix(t.in, "(?:") {
			return false
		}
		n = 3
	}
	if t.depth++; t.depth > 32 || strings.HasPrefix(t.in, "(*") {
		return false
	}
	return t.emit(n, false, true)
}

// quantifier takes an operator of n bytes, perhaps a non-greedy one. One after another is an error on PostgreSQL.
func (t *translator) quantifier(n int) bool {
	if !t.atom {
		return false
	}
	if len(t.in) > n && t.in[n] == '?' {
		n++
	}
	return t.emit(n, false, false)
}

// bounds takes {m}, {m,} and {m,n}.
func (t *translator) bounds() bool {
	i := strings.IndexByte(t.in, '}')
	if i < 2 || i > 8 {
		return false
	}
	low, high, _ := strings.Cut(t.in[1:i], ",")
	if !isDigits(low) || high != "" && !isDigits(high) {
		return false
	}
	return t.quantifier(i + 1)
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func (t *translator) escape() bool {
	if len(t.in) < 2 {
		return false
	}
	switch c := t.in[1]; {
	case c == 'd' || c == 'D' || c == 'w' || c == 'W':
		t.ascii = true
	case c == 's' || c == 'S':
		t.ascii = true
		class := `[\t-\r ]`
		if c == 'S' {
			class = `[^\t-\r ]`
		}
		t.out.WriteString(class)
		t.in = t.in[2:]
		t.atom, t.start = true, false
		return true
	case c == 't' || c == 'n' || c == 'r' || c == 'f':
	case c > 0x20 && c < 0x7f && !isAlnum(c):
	default:
		return false
	}
	return t.emit(2, true, false)
}

func isAlnum(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' }

// set takes [abc], [^a-z0-9_]: ASCII characters, and ranges of letters or digits.
func (t *translator) set() bool {
	end := strings.IndexByte(t.in, ']')
	if end < 0 {
		return false
	}
	body := strings.TrimPrefix(t.in[1:end], "^")
	if body == "" || !isASCII(body) || strings.ContainsAny(body, "\\[^&~") {
		return false
	}
	if t.in[1] == '^' {
		// Whether a character beyond ASCII is in the set is the same for both, but case may not be.
		t.ascii = t.ascii || t.fold
	}
	for i := 0; i < len(body); i++ {
		if body[i] != '-' || i == 0 || i == len(body)-1 {
			continue
		}
		a, b := body[i-1], body[i+1]
		if !isAlnum(a) || !isAlnum(b) || a > b || (a <= '9') != (b <= '9') || (a <= 'Z') != (b <= 'Z') {
			return false
		}
		i++
		if i+1 < len(body) && body[i+1] == '-' && i+1 < len(body)-1 {
			return false
		}
	}
	return t.emit(end+1, true, false)
}

// badPattern says why a pattern is none, as far as it is certain that PostgreSQL refuses it too; or "".
func badPattern(pattern, options string) string {
	if strings.Contains(options, "x") || strings.Contains(pattern, `\Q`) || strings.HasPrefix(pattern, "***") {
		return ""
	}
	_, err := syntax.Parse(pattern, syntax.Perl)
	var bad *syntax.Error
	if !errors.As(err, &bad) {
		return ""
	}
	switch bad.Code {
	case syntax.ErrMissingBracket, syntax.ErrMissingParen, syntax.ErrUnexpectedParen,
		syntax.ErrMissingRepeatArgument, syntax.ErrTrailingBackslash:
		return string(bad.Code)
	}
	return ""
}
