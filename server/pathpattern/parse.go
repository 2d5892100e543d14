package pathpattern

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// token is a piece of a pattern.
type token struct {
	kind  kind
	text  string  // of kind text: the text; of a parameter or wildcard: its name
	group []token // of kind group: what is optional together
}

type kind uint8

const (
	text kind = iota
	parameter
	wildcard
	group
)

// maxDepth bounds the groups within groups.
const maxDepth = 50

// parser reads a pattern, character by character.
type parser struct {
	chars []rune
	next  int
}

func parse(pattern string) ([]token, error) {
	p := &parser{chars: []rune(pattern)}
	return p.until(0, 0)
}

// until reads tokens up to the character that ends them; 0: the end of the pattern.
func (p *parser) until(end rune, depth int) ([]token, error) {
	if depth > maxDepth {
		return nil, errors.New("too many groups within groups")
	}
	var tokens []token
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			tokens = append(tokens, token{kind: text, text: plain.String()})
			plain.Reset()
		}
	}
	for p.next < len(p.chars) {
		c := p.chars[p.next]
		p.next++
		switch {
		case c == end && end != 0:
			flush()
			return tokens, nil
		case c == '\\':
			if p.next == len(p.chars) {
				return nil, fmt.Errorf("a backslash with nothing behind it at index %d", p.next)
			}
			plain.WriteRune(p.chars[p.next])
			p.next++
		case c == ':' || c == '*':
			name, err := p.name()
			if err != nil {
				return nil, err
			}
			flush()
			t := token{kind: parameter, text: name}
			if c == '*' {
				t.kind = wildcard
			}
			tokens = append(tokens, t)
		case c == '{':
			flush()
			inner, err := p.until('}', depth+1)
			if err != nil {
				return nil, err
			}
			tokens = append(tokens, token{kind: group, group: inner})
		case strings.ContainsRune("}()[]+?!", c):
			return nil, fmt.Errorf("%c at index %d must stand behind a backslash", c, p.next-1)
		default:
			plain.WriteRune(c)
		}
	}
	if end != 0 {
		return nil, fmt.Errorf("%c is missing at the end", end)
	}
	flush()
	return tokens, nil
}

// name reads the name of a parameter or wildcard: a JavaScript identifier, or anything in double quotes.
func (p *parser) name() (string, error) {
	start := p.next
	switch {
	case p.next < len(p.chars) && startsName(p.chars[p.next]):
		for p.next < len(p.chars) && continuesName(p.chars[p.next]) {
			p.next++
		}
		return string(p.chars[start:p.next]), nil
	case p.next < len(p.chars) && p.chars[p.next] == '"':
		return p.quoted()
	}
	return "", fmt.Errorf("a name is missing at index %d", start)
}

func (p *parser) quoted() (string, error) {
	start := p.next
	var name strings.Builder
	for p.next++; p.next < len(p.chars); p.next++ {
		c := p.chars[p.next]
		if c == '"' {
			p.next++
			if name.Len() == 0 {
				return "", fmt.Errorf("a name is missing at index %d", start)
			}
			return name.String(), nil
		}
		if c == '\\' {
			p.next++
			if p.next == len(p.chars) {
				break
			}
			c = p.chars[p.next]
		}
		name.WriteRune(c)
	}
	return "", fmt.Errorf("the quote at index %d has no end", start)
}

func startsName(c rune) bool {
	return c == '$' || c == '_' || unicode.IsLetter(c) || unicode.Is(unicode.Nl, c) || unicode.Is(unicode.Other_ID_Start, c)
}

func continuesName(c rune) bool {
	return startsName(c) || c == 0x200c || c == 0x200d || unicode.In(c, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue)
}
