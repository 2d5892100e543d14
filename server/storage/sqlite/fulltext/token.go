package fulltext

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind says by which dictionary a token is read.
type kind uint8

const (
	kindWord  kind = iota // letters: stemmed
	kindPlain             // anything with digits or signs in it: as it is
)

type token struct {
	text string
	kind kind
}

// What PostgreSQL's parser recognises at a token's beginning, beside words and numbers.
var (
	tag      = regexp.MustCompile(`^</?[A-Za-z!?][^<>]*>`)
	entity   = regexp.MustCompile(`^&(?:#[0-9]+|#[xX][0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*);`)
	protocol = regexp.MustCompile(`^[A-Za-z]+://`)
	email    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9][A-Za-z0-9_-]*)*\.[A-Za-z][A-Za-z]+`)
	host     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9][A-Za-z0-9_-]*)*\.[A-Za-z]+(?::[0-9]+)?`)
	urlPath  = regexp.MustCompile(`^/[A-Za-z0-9._~:/?#@!$&*+,;=%-]*`)
	file     = regexp.MustCompile(`^(?:[A-Za-z0-9_]+(?:[.-][A-Za-z0-9_]+)*)?/[A-Za-z0-9_][A-Za-z0-9_]*(?:[./-]+[A-Za-z0-9_]+)*/?`)
	number   = regexp.MustCompile(`^[+-]?(?:[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]+|[0-9]+(?:\.[0-9]+)*)`)
)

// tokens calls each for the tokens of a text that dictionaries read. Hyphenated words come as a whole, then in parts.
func tokens(text string, each func(token)) {
	r := reader{text: text}
	for r.text != "" {
		n := r.next(each)
		r.text = r.text[n:]
		r.plain, r.noEmail = r.plain-n, r.noEmail-n
	}
}

// reader reads tokens off a text. Where it has looked in vain for addresses and paths, in so many bytes from here, it
// doesn't look again: the time is linear in the length of the text.
type reader struct {
	text           string
	plain, noEmail int
}

// next reads what the text begins with and returns its length.
func (s *reader) next(each func(token)) int {
	text := s.text
	r, size := utf8.DecodeRuneInString(text)
	switch {
	case r == '<':
		return max(len(tag.FindString(text[:min(len(text), maxTag)])), size)
	case r == '&':
		return max(len(entity.FindString(text[:min(len(text), maxTag)])), size)
	case r == '/':
		if path := s.path(); path != "" {
			each(token{path, kindPlain})
			return len(path)
		}
		return size
	case r == '-' || r == '+':
		if len(text) > 1 && isDigit(text[1]) {
			return numeral(text, each)
		}
		return size
	case !isWord(r):
		return size
	case r < utf8.RuneSelf && s.plain <= 0:
		if n := s.address(each); n > 0 {
			return n
		}
	}
	if isDigit(text[0]) {
		if n := numeral(text, each); n > 0 {
			return n
		}
	}
	return words(text, each)
}

// maxTag is the longest tag or entity in bytes.
const maxTag = 512

// path reads a path that begins with a slash.
func (s *reader) path() string {
	if s.plain > 0 {
		return ""
	}
	path := file.FindString(s.text)
	if path == "" {
		s.plain = prefix(s.text, "._-/@")
	}
	return path
}

// address reads what is more than a word: the beginning of a URL, an address, a host or a path. 0: nothing of these.
func (s *reader) address(each func(token)) int {
	text := s.text
	if scheme := protocol.FindString(text); scheme != "" {
		return len(scheme)
	}
	if s.noEmail <= 0 {
		if address := email.FindString(text); address != "" && ends(text[len(address):]) {
			each(token{address, kindPlain})
			return len(address)
		}
		s.noEmail = prefix(text, "._-")
	}
	if name := host.FindString(text); name != "" && ends(text[len(name):]) {
		return site(text, name, each)
	}
	if path := file.FindString(text); path != "" && ends(text[len(path):]) {
		each(token{path, kindPlain})
		return len(path)
	}
	s.plain = prefix(text, "._-/@")
	return 0
}

// prefix is how many letters and digits of ASCII, and such signs, a text begins with.
func prefix(text, signs string) int {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if letter := c|0x20 >= 'a' && c|0x20 <= 'z'; !letter && !isDigit(c) && strings.IndexByte(signs, c) < 0 {
			return i
		}
	}
	return len(text)
}

// site reads a host and, if it follows, a path: together, then each for itself.
func site(text, name string, each func(token)) int {
	path := urlPath.FindString(text[len(name):])
	if len(path) > 1 {
		each(token{name + path, kindPlain})
		each(token{name, kindPlain})
		each(token{path, kindPlain})
		return len(name) + len(path)
	}
	each(token{name, kindPlain})
	return len(name)
}

// numeral reads a number; 0 if it is the beginning of a word, like 3rd.
func numeral(text string, each func(token)) int {
	n := number.FindString(text)
	if !ends(text[len(n):]) {
		if isDigit(text[0]) {
			return 0
		}
		return 1
	}
	each(token{n, kindPlain})
	return len(n)
}

// ends reports whether a token may end before rest.
func ends(rest string) bool {
	r, _ := utf8.DecodeRuneInString(rest)
	return rest == "" || !isWord(r)
}

// words reads a word, or several joined by hyphens.
func words(text string, each func(token)) int {
	n := word(text)
	parts := []token{wordToken(text[:n])}
	end := n
	for end < len(text) && text[end] == '-' {
		m := word(text[end+1:])
		if m == 0 || isDigit(text[end+1]) && onlyDigits(text[end+1:end+1+m]) {
			break
		}
		parts = append(parts, wordToken(text[end+1:end+1+m]))
		end += 1 + m
	}
	if len(parts) > 1 {
		whole := token{text[:end], kindWord}
		for _, p := range parts {
			whole.kind = max(whole.kind, p.kind)
		}
		each(whole)
	}
	for _, p := range parts {
		each(p)
	}
	return end
}

// word is the length of the word that text begins with.
func word(text string) int {
	for i, r := range text {
		if !isWord(r) && !(i > 0 && unicode.Is(unicode.M, r)) {
			return i
		}
	}
	return len(text)
}

func wordToken(text string) token {
	if strings.IndexFunc(text, unicode.IsDigit) >= 0 {
		return token{text, kindPlain}
	}
	return token{text, kindWord}
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func onlyDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }
