package cache

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/parsescale/parsescale/server/query"
)

// FromBody finds the objects an answer shows, in one pass over its JSON: each of "results", or the one object that a get
// answers with, and every object and pointer at an included path, however deep. A few too many do no harm: they cost
// an entry, not the truth. Past 2,000 objects whole classes take their place. It returns false for a body that it can't
// read; such an answer must not be stored. The body must not change as long as the Dependencies are in use.
//
// A pointer at an included path whose object is gone, or hidden, leaves nothing in the body: of those the worker tells
// in X-Parsescale-Reads.
func FromBody(q *query.Query, body []byte) (Dependencies, bool) {
	if q == nil || q.Class == "" {
		return Dependencies{}, false
	}
	s := scanner{b: body, q: q, class: []byte(q.Class), path: make([]byte, 0, 64)}
	s.space()
	if s.peek() != '{' || !s.object(envelope, 0) {
		return Dependencies{}, false
	}
	if s.space(); s.i != len(s.b) {
		return Dependencies{}, false
	}
	s.deps.window = windowOf(q, s.shown, s.last)
	return s.deps, true
}

// maxBodyDepth bounds how deep the body is nested.
const maxBodyDepth = 256

// role is what an object of the body is.
type role uint8

const (
	envelope role = iota // the outermost: {"results": …}, or the object of a get
	result               // an element of results
	inner
)

// scanner walks over JSON text. It trusts nothing and understands only what it needs.
type scanner struct {
	b     []byte
	i     int
	q     *query.Query
	class []byte // of the results
	path  []byte // of the field that is being read, below the result, dots between names
	deps  Dependencies
	shown int    // how many results there are
	last  []byte // the last of them
}

func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// next skips white space and takes c if it comes next.
func (s *scanner) next(c byte) bool {
	if s.space(); s.peek() != c {
		return false
	}
	s.i++
	return true
}

// object reads an object and notes it if the answer depends on it.
func (s *scanner) object(r role, depth int) bool {
	if depth > maxBodyDepth || !s.next('{') {
		return false
	}
	var typ, class, id []byte
	for first := true; ; first = false {
		if first && s.next('}') {
			break
		}
		s.space()
		name, ok := s.string()
		if !ok || !s.next(':') {
			return false
		}
		s.space()
		if s.peek() == '"' {
			v, ok := s.string()
			if !ok {
				return false
			}
			switch string(name) {
			case "__type":
				typ = v
			case "className":
				class = v
			case "objectId":
				id = v
			}
		} else {
			if !s.field(r, name, depth) {
				return false
			}
		}
		if s.next(',') {
			continue
		}
		if !s.next('}') {
			return false
		}
		break
	}
	if len(id) == 0 {
		// Which object it is is hidden from who asks, so it may be any.
		if r == result {
			s.deps.addWhole(s.class)
		}
		if len(class) > 0 && string(typ) == "Object" {
			s.deps.addWhole(class)
		}
		return true
	}
	if r != inner {
		s.deps.add(s.class, id)
	}
	if len(class) > 0 && (string(typ) == "Object" || string(typ) == "Pointer" && (r == result || s.included())) {
		s.deps.add(class, id)
	}
	return true
}

// field reads the value of a field that isn't a string.
func (s *scanner) field(r role, name []byte, depth int) bool {
	if r == envelope && string(name) == "results" {
		return s.value(result, depth+1)
	}
	outer := len(s.path)
	if outer > 0 {
		s.path = append(s.path, '.')
	}
	s.path = append(s.path, name...)
	ok := s.value(inner, depth+1)
	s.path = s.path[:outer]
	return ok
}

// value reads any value; r is the role of objects in it. Arrays don't count as a step of a path.
func (s *scanner) value(r role, depth int) bool {
	s.space()
	switch s.peek() {
	case '{':
		return s.object(r, depth)
	case '[':
		return s.array(r, depth)
	case '"':
		_, ok := s.string()
		return ok
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	}
	return s.number()
}

func (s *scanner) array(r role, depth int) bool {
	if depth > maxBodyDepth || !s.next('[') {
		return false
	}
	if s.next(']') {
		return true
	}
	for {
		s.space()
		start := s.i
		if !s.value(r, depth+1) {
			return false
		}
		if r == result && depth == 1 {
			s.shown, s.last = s.shown+1, s.b[start:s.i]
		}
		if s.next(',') {
			continue
		}
		return s.next(']')
	}
}

func (s *scanner) word(w string) bool {
	if !bytes.HasPrefix(s.b[s.i:], []byte(w)) {
		return false
	}
	s.i += len(w)
	return true
}

func (s *scanner) number() bool {
	start := s.i
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c >= '0' && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
			s.i++
		default:
			return s.i > start
		}
	}
	return s.i > start
}

// string reads a string and returns its text, which is part of the body unless it holds escapes.
func (s *scanner) string() ([]byte, bool) {
	if s.peek() != '"' {
		return nil, false
	}
	start, escaped := s.i, false
	for s.i++; s.i < len(s.b); s.i++ {
		switch s.b[s.i] {
		case '\\':
			escaped = true
			s.i++
		case '"':
			s.i++
			if !escaped {
				return s.b[start+1 : s.i-1], true
			}
			var text string
			if json.Unmarshal(s.b[start:s.i], &text) != nil {
				return nil, false
			}
			return []byte(text), true
		}
	}
	return nil, false
}

// included reports whether the present path is one the query includes. In the object of a get, a field may be called
// results too; its elements are read as if they were results, one step of the path short.
func (s *scanner) included() bool {
	if len(s.path) == 0 {
		return false
	}
	if s.q.IncludeAll && bytes.IndexByte(s.path, '.') < 0 {
		return true
	}
	for _, p := range s.q.Include {
		if string(p) == string(s.path) || strings.HasPrefix(string(p), "results.") && string(p[len("results."):]) == string(s.path) {
			return true
		}
	}
	return false
}
