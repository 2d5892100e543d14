package query

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep a value may be nested, as in [[[…]]].
const maxDepth = 100

// ErrTooDeep reports JSON that is nested deeper than 100 levels; compare with errors.Is.
var ErrTooDeep = errors.New("JSON is nested too deep")

// Decode decodes one JSON value (RFC 8259) into a REST value, and nothing may follow it. Of a repeated name the last
// value wins, an unpaired surrogate becomes U+FFFD. A number beyond the range of a double, invalid UTF-8 and nesting
// deeper than 100 levels are errors. An object whose "__type" is unknown, or whose payload is incomplete, stays a map:
// it is for the write path to refuse.
func Decode(data []byte) (any, error) {
	s := scanner{data: data, typed: true}
	return s.document()
}

// Object is a decoded JSON object that keeps the order of its names (bodies of writes need it).
type Object struct {
	// Names are in the order of their first appearance, each once.
	Names  []string
	Values map[string]any
}

// DecodeObject is Decode for text that must be an object; its own "__type" isn't interpreted.
func DecodeObject(data []byte) (*Object, error) {
	s := scanner{data: data, typed: true}
	s.space()
	if s.pos == len(data) || data[s.pos] != '{' {
		return nil, errors.New("cannot decode JSON: not an object")
	}
	o := &Object{Values: map[string]any{}}
	err := s.object(func(name string, v any) {
		if _, again := o.Values[name]; !again {
			o.Names = append(o.Names, name)
		}
		o.Values[name] = v
	})
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot decode JSON: %w", err)
	}
	return o, nil
}

// decodePlain is Decode without the typed values: every object is a map. It is what a where starts as, because a
// constraint may mix "__type" with operators.
func decodePlain(data []byte) (any, error) {
	s := scanner{data: data}
	return s.document()
}

// scanner reads JSON text. Its methods leave pos behind what they read.
type scanner struct {
	data  []byte
	pos   int
	depth int
	typed bool
}

func (s *scanner) document() (any, error) {
	v, err := s.value()
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot decode JSON: %w", err)
	}
	return v, nil
}

func (s *scanner) end() error {
	if s.space(); s.pos < len(s.data) {
		return s.unexpected()
	}
	return nil
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) unexpected() error {
	if s.pos >= len(s.data) {
		return errors.New("unexpected end")
	}
	return fmt.Errorf("unexpected character %q at offset %d", s.data[s.pos], s.pos)
}

func (s *scanner) value() (any, error) {
	s.space()
	if s.pos >= len(s.data) {
		return nil, s.unexpected()
	}
	switch c := s.data[s.pos]; c {
	case '{':
		m := map[string]any{}
		if err := s.object(func(name string, v any) { m[name] = v }); err != nil {
			return nil, err
		}
		if s.typed {
			return recognise(m), nil
		}
		return m, nil
	case '[':
		return s.array()
	case '"':
		return s.string()
	case 't':
		return true, s.word("true")
	case 'f':
		return false, s.word("false")
	case 'n':
		return nil, s.word("null")
	default:
		return s.number()
	}
}

func (s *scanner) word(w string) error {
	for i := 0; i < len(w); i++ {
		if s.pos >= len(s.data) || s.data[s.pos] != w[i] {
			return s.unexpected()
		}
		s.pos++
	}
	return nil
}

// open enters an array or object and reports whether it is empty, and so read already.
func (s *scanner) open(closing byte) (empty bool, err error) {
	if s.depth++; s.depth > maxDepth {
		return false, ErrTooDeep
	}
	s.pos++
	s.space()
	if s.pos < len(s.data) && s.data[s.pos] == closing {
		s.pos++
		s.depth--
		return true, nil
	}
	return false, nil
}

// next reads the comma after an element, or the closing bracket.
func (s *scanner) next(closing byte) (more bool, err error) {
	s.space()
	if s.pos >= len(s.data) {
		return false, s.unexpected()
	}
	switch s.data[s.pos] {
	case ',':
		s.pos++
		return true, nil
	case closing:
		s.pos++
		s.depth--
		return false, nil
	}
	return false, s.unexpected()
}

func (s *scanner) array() (any, error) {
	list := []any{}
	empty, err := s.open(']')
	for more := !empty; more && err == nil; {
		var v any
		if v, err = s.value(); err != nil {
			break
		}
		list = append(list, v)
		more, err = s.next(']')
	}
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (s *scanner) object(member func(string, any)) error {
	empty, err := s.open('}')
	for more := !empty; more && err == nil; {
		s.space()
		if s.pos >= len(s.data) || s.data[s.pos] != '"' {
			return s.unexpected()
		}
		name, err := s.string()
		if err != nil {
			return err
		}
		s.space()
		if s.pos >= len(s.data) || s.data[s.pos] != ':' {
			return s.unexpected()
		}
		s.pos++
		v, err := s.value()
		if err != nil {
			return err
		}
		member(name, v)
		if more, err = s.next('}'); err != nil {
			return err
		}
	}
	return err
}

// number reads what the grammar of JSON allows, which is less than what strconv does.
func (s *scanner) number() (any, error) {
	start := s.pos
	if s.at('-') {
		s.pos++
	}
	switch {
	case s.at('0'):
		s.pos++
	case s.digits() == 0:
		return nil, s.unexpected()
	}
	if s.at('.') {
		s.pos++
		if s.digits() == 0 {
			return nil, s.unexpected()
		}
	}
	if s.at('e') || s.at('E') {
		s.pos++
		if s.at('+') || s.at('-') {
			s.pos++
		}
		if s.digits() == 0 {
			return nil, s.unexpected()
		}
	}
	f, err := strconv.ParseFloat(string(s.data[start:s.pos]), 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, fmt.Errorf("the number at offset %d is out of range", start)
	}
	return f, nil
}

func (s *scanner) at(c byte) bool { return s.pos < len(s.data) && s.data[s.pos] == c }

func (s *scanner) digits() int {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos]-'0' <= 9 {
		s.pos++
	}
	return s.pos - start
}

// string reads a string; pos is at its opening quote.
func (s *scanner) string() (string, error) {
	s.pos++
	start := s.pos
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			text := s.data[start:s.pos]
			s.pos++
			return string(text), nil
		case c == '\\':
			return s.escaped(start)
		case c < 0x20:
			return "", s.unexpected()
		case c < utf8.RuneSelf:
			s.pos++
		default:
			if err := s.rune(); err != nil {
				return "", err
			}
		}
	}
	return "", s.unexpected()
}

func (s *scanner) rune() error {
	r, n := utf8.DecodeRune(s.data[s.pos:])
	if r == utf8.RuneError && n <= 1 {
		return fmt.Errorf("invalid UTF-8 at offset %d", s.pos)
	}
	s.pos += n
	return nil
}

// escaped reads the rest of a string that has escapes.
func (s *scanner) escaped(start int) (string, error) {
	text := append([]byte(nil), s.data[start:s.pos]...)
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		switch {
		case c == '"':
			s.pos++
			return string(text), nil
		case c < 0x20:
			return "", s.unexpected()
		case c >= utf8.RuneSelf:
			from := s.pos
			if err := s.rune(); err != nil {
				return "", err
			}
			text = append(text, s.data[from:s.pos]...)
			continue
		case c != '\\':
			text = append(text, c)
			s.pos++
			continue
		}
		s.pos++
		if s.pos >= len(s.data) {
			break
		}
		c = s.data[s.pos]
		s.pos++
		switch c {
		case '"', '\\', '/':
			text = append(text, c)
		case 'b':
			text = append(text, '\b')
		case 'f':
			text = append(text, '\f')
		case 'n':
			text = append(text, '\n')
		case 'r':
			text = append(text, '\r')
		case 't':
			text = append(text, '\t')
		case 'u':
			r, ok := s.hex()
			if !ok {
				return "", s.unexpected()
			}
			text = utf8.AppendRune(text, s.pair(r))
		default:
			s.pos--
			return "", s.unexpected()
		}
	}
	return "", s.unexpected()
}

// hex reads four hexadecimal digits.
func (s *scanner) hex() (rune, bool) {
	if len(s.data)-s.pos < 4 {
		s.pos = len(s.data)
		return 0, false
	}
	var r rune
	for _, c := range s.data[s.pos : s.pos+4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	s.pos += 4
	return r, true
}

// pair completes a surrogate with the one that follows. Without a partner it is U+FFFD.
func (s *scanner) pair(r rune) rune {
	if !utf16.IsSurrogate(r) {
		return r
	}
	before := s.pos
	if s.at('\\') && s.pos+1 < len(s.data) && s.data[s.pos+1] == 'u' {
		s.pos += 2
		if low, ok := s.hex(); ok {
			if full := utf16.DecodeRune(r, low); full != utf8.RuneError {
				return full
			}
		}
	}
	s.pos = before
	return utf8.RuneError
}
