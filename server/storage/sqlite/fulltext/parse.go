package fulltext

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep brackets and ! may be nested, maxDistance the largest N of <N>.
const (
	maxDepth    = 100
	maxDistance = 16384
)

// parser is a recursive descent over a term; ! binds closest, then <->, & and |.
type parser struct {
	in       string
	language *language
}

// space skips spaces and returns what is left.
func (p *parser) space() string {
	p.in = strings.TrimLeft(p.in, " \t\r\n\v\f")
	return p.in
}

func (p *parser) or(depth int) (*node, error) {
	return p.chain(opOr, "|", depth, func(d int) (*node, error) {
		return p.chain(opAnd, "&", d, p.phrase)
	})
}

// chain reads operands that an operator joins, from the left.
func (p *parser) chain(op operator, sign string, depth int, operand func(int) (*node, error)) (*node, error) {
	left, err := operand(depth)
	for err == nil && strings.HasPrefix(p.space(), sign) {
		p.in = p.in[1:]
		var right *node
		right, err = operand(depth)
		left = &node{op: op, left: left, right: right}
	}
	return left, err
}

func (p *parser) phrase(depth int) (*node, error) {
	left, err := p.not(depth)
	for err == nil && strings.HasPrefix(p.space(), "<") {
		inside, rest, closed := strings.Cut(p.in[1:], ">")
		distance := 1
		if inside != "-" {
			distance, err = strconv.Atoi(inside)
		}
		if !closed || err != nil || distance < 0 || distance > maxDistance {
			return nil, ErrSyntax
		}
		p.in = rest
		var right *node
		right, err = p.not(depth)
		left = &node{op: opPhrase, left: left, right: right, distance: distance}
	}
	return left, err
}

func (p *parser) not(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, ErrSyntax
	}
	rest := p.space()
	switch {
	case strings.HasPrefix(rest, "!"):
		p.in = rest[1:]
		right, err := p.not(depth + 1)
		return &node{op: opNot, right: right}, err
	case strings.HasPrefix(rest, "("):
		p.in = rest[1:]
		n, err := p.or(depth + 1)
		if err != nil || !strings.HasPrefix(p.space(), ")") {
			return nil, ErrSyntax
		}
		p.in = p.in[1:]
		return n, nil
	}
	return p.word()
}

// word reads an operand with its flags. Its text may be several words, which then must follow one another.
func (p *parser) word() (*node, error) {
	text, ok := p.text()
	if !ok {
		return nil, ErrSyntax
	}
	var flags operand
	if strings.HasPrefix(p.in, ":") {
		n := len(p.in) - len(strings.TrimLeft(p.in[1:], "*abcdABCD"))
		marks := p.in[1:n]
		p.in = p.in[n:]
		flags.prefix = strings.Contains(marks, "*")
		flags.weighted = strings.ContainsAny(marks, "abcABC") && !strings.ContainsAny(marks, "dD")
	}
	return p.morph(text, flags), nil
}

// text reads the text of an operand: up to a space or operator, or quoted.
func (p *parser) text() (string, bool) {
	var out strings.Builder
	in := p.space()
	quoted := strings.HasPrefix(in, "'")
	i := 0
	if quoted {
		i = 1
	}
	for i < len(in) {
		c := in[i]
		switch {
		case c == '\\':
			if i++; i == len(in) {
				return "", false
			}
			_, size := utf8.DecodeRuneInString(in[i:])
			out.WriteString(in[i : i+size])
			i += size
			continue
		case quoted && c == '\'':
			if strings.HasPrefix(in[i+1:], "'") {
				i++
				break
			}
			p.in = in[i+1:]
			return out.String(), out.Len() > 0
		case !quoted && strings.IndexByte(" \t\r\n\v\f!&|():<", c) >= 0:
			p.in = in[i:]
			return out.String(), out.Len() > 0
		}
		out.WriteByte(in[i])
		i++
	}
	p.in = ""
	return out.String(), !quoted && out.Len() > 0
}

// morph makes lexemes of an operand's text; a phrase if there are several.
func (p *parser) morph(text string, flags operand) *node {
	var out *node
	missing := 0
	tokens(text, func(t token) {
		if len(t.text) > maxLexeme {
			return
		}
		lexeme := p.language.lexeme(t)
		if lexeme == "" {
			if out != nil {
				missing++
			}
			return
		}
		o := flags
		o.lexeme = lexeme
		value := &node{op: opValue, operand: &o}
		if out == nil {
			out = value
			return
		}
		out = &node{op: opPhrase, left: out, right: value, distance: 1 + missing}
		missing = 0
	})
	if out == nil {
		return &node{op: opStop}
	}
	return out
}
