package request

import "bytes"

// maxDepth is how deep JSON may be nested to be read.
const maxDepth = 256

// members calls f with each member of the JSON object that data is: the name decoded, the value as it came. It
// returns false if data is anything but exactly one object in strict JSON, of bounded depth, or if f does.
// It allocates nothing unless a name has escapes.
func members(data []byte, f func(name, value []byte) bool) bool {
	s := scanner{data: data}
	return s.list('{', '}', func() bool {
		raw, ok := s.string()
		if !ok || !s.next(':') {
			return false
		}
		s.space()
		value, ok := s.value(1)
		return ok && f(unquoted(raw), value)
	}) && s.end()
}

// elements calls f with each element of the JSON array that data is, under the same rules.
func elements(data []byte, f func(value []byte) bool) bool {
	s := scanner{data: data}
	return s.list('[', ']', func() bool {
		value, ok := s.value(1)
		return ok && f(value)
	}) && s.end()
}

// scanner walks over JSON text (RFC 8259).
type scanner struct {
	data []byte
	i    int
}

func (s *scanner) space() {
	for s.i < len(s.data) {
		switch s.data[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// next takes the byte c after white space.
func (s *scanner) next(c byte) bool {
	s.space()
	if s.i < len(s.data) && s.data[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *scanner) end() bool {
	s.space()
	return s.i == len(s.data)
}

// list takes items, separated by commas, between two brackets.
func (s *scanner) list(begin, end byte, item func() bool) bool {
	if !s.next(begin) {
		return false
	}
	if s.next(end) {
		return true
	}
	for {
		s.space()
		if !item() {
			return false
		}
		if s.next(end) {
			return true
		}
		if !s.next(',') {
			return false
		}
	}
}

// value takes a value and returns its text.
func (s *scanner) value(depth int) ([]byte, bool) {
	begin := s.i
	ok := s.skip(depth)
	return s.data[begin:s.i], ok
}

func (s *scanner) skip(depth int) bool {
	if s.i >= len(s.data) || depth > maxDepth {
		return false
	}
	switch c := s.data[s.i]; {
	case c == '"':
		_, ok := s.string()
		return ok
	case c == '{':
		return s.skipObject(depth)
	case c == '[':
		return s.skipArray(depth)
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	default:
		return s.number()
	}
}

func (s *scanner) skipObject(depth int) bool {
	s.i++
	if s.next('}') {
		return true
	}
	for {
		s.space()
		if _, ok := s.string(); !ok || !s.next(':') {
			return false
		}
		s.space()
		if !s.skip(depth + 1) {
			return false
		}
		if s.next('}') {
			return true
		}
		if !s.next(',') {
			return false
		}
	}
}

func (s *scanner) skipArray(depth int) bool {
	s.i++
	if s.next(']') {
		return true
	}
	for {
		s.space()
		if !s.skip(depth + 1) {
			return false
		}
		if s.next(']') {
			return true
		}
		if !s.next(',') {
			return false
		}
	}
}

func (s *scanner) literal(text string) bool {
	if !bytes.HasPrefix(s.data[s.i:], []byte(text)) {
		return false
	}
	s.i += len(text)
	return true
}

func (s *scanner) number() bool {
	s.take("-")
	if !s.take("0") && !s.digits() {
		return false
	}
	if s.take(".") && !s.digits() {
		return false
	}
	if s.take("eE") {
		s.take("+-")
		return s.digits()
	}
	return true
}

// take takes one byte of a set.
func (s *scanner) take(set string) bool {
	if s.i < len(s.data) && bytes.IndexByte([]byte(set), s.data[s.i]) >= 0 {
		s.i++
		return true
	}
	return false
}

func (s *scanner) digits() bool {
	begin := s.i
	for s.i < len(s.data) && s.data[s.i] >= '0' && s.data[s.i] <= '9' {
		s.i++
	}
	return s.i > begin
}

// string takes a string and returns what is between its quotes, escapes and all.
func (s *scanner) string() ([]byte, bool) {
	if s.i >= len(s.data) || s.data[s.i] != '"' {
		return nil, false
	}
	s.i++
	begin := s.i
	for s.i < len(s.data) {
		switch c := s.data[s.i]; {
		case c == '"':
			s.i++
			return s.data[begin : s.i-1], true
		case c < ' ':
			return nil, false
		case c == '\\':
			if !s.escape() {
				return nil, false
			}
		default:
			s.i++
		}
	}
	return nil, false
}

func (s *scanner) escape() bool {
	s.i++
	if !s.take(`"\/bfnrtu`) {
		return false
	}
	if s.data[s.i-1] != 'u' {
		return true
	}
	for range 4 {
		if !s.take("0123456789abcdefABCDEF") {
			return false
		}
	}
	return true
}
