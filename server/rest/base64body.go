package rest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxUploadMembers bounds all of an upload in JSON form but the content, in bytes.
const maxUploadMembers = 4 << 20

// errNoUpload: a body isn't the JSON form of an upload.
var errNoUpload = errors.New("it is not a JSON object")

// content is where the decoded content of an upload goes.
type content interface {
	io.Writer
	// reset forgets what was written.
	reset() error
}

// splitUpload reads the JSON form of an upload without holding it: the text of the member base64 is decoded into to, all
// else is returned as JSON, in which base64 is "" if it was and else "x". What is returned may be invalid JSON.
func splitUpload(r io.Reader, to content) ([]byte, error) {
	s := &splitter{in: bufio.NewReaderSize(r, 32<<10), to: to}
	err := s.object()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return s.rest, err
}

type splitter struct {
	in   *bufio.Reader
	to   content
	rest []byte
}

// next copies one byte.
func (s *splitter) next() (byte, error) {
	c, err := s.in.ReadByte()
	if err != nil {
		return 0, err
	}
	return c, s.keep(c)
}

func (s *splitter) keep(c byte) error {
	if len(s.rest) == maxUploadMembers {
		return errTooLarge
	}
	s.rest = append(s.rest, c)
	return nil
}

// significant copies what it reads up to the first byte that isn't white space.
func (s *splitter) significant() (byte, error) {
	for {
		if c, err := s.next(); err != nil || c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, err
		}
	}
}

// object reads the whole body.
func (s *splitter) object() error {
	if mark, err := s.in.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		_, _ = s.in.Discard(3)
	}
	if c, err := s.significant(); err != nil || c != '{' {
		return errors.Join(err, errNoUpload)
	}
	for depth, atName := 1, true; depth > 0; {
		c, err := s.significant()
		if err != nil {
			return err
		}
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			atName = depth == 1
		case '"':
			from := len(s.rest) - 1
			if err := s.text(); err != nil {
				return err
			}
			if !atName {
				continue
			}
			atName = false
			name, err := jsontext.AppendUnquote(nil, s.rest[from:])
			if err != nil && utf8.Valid(s.rest[from:]) {
				return errNoUpload
			}
			if string(name) == "base64" {
				if err := s.member(); err != nil {
					return err
				}
			}
		}
	}
	for {
		switch _, err := s.significant(); err {
		case io.EOF:
			return nil
		case nil:
			return errNoUpload
		default:
			return err
		}
	}
}

// text copies the rest of a string.
func (s *splitter) text() error {
	for escaped := false; ; {
		c, err := s.next()
		switch {
		case err != nil:
			return err
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			return nil
		}
	}
}

// member reads the member base64 from the colon on. Of several the last counts.
func (s *splitter) member() error {
	if c, err := s.significant(); err != nil || c != ':' {
		return errors.Join(err, errNoUpload)
	}
	for {
		c, err := s.in.ReadByte()
		if err != nil {
			return err
		}
		if c != '"' {
			if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
				continue
			}
			// No text: whoever reads the rest decides about it.
			return s.in.UnreadByte()
		}
		if err := s.to.reset(); err != nil {
			return err
		}
		stands, err := s.decode()
		if err != nil {
			return err
		}
		s.rest = append(s.rest, stands...)
		return nil
	}
}

// decode decodes the text of a string as Node does: both alphabets, other characters are skipped, a = ends it.
func (s *splitter) decode() (stands string, err error) {
	stands = `""`
	var out [24 << 10]byte
	var group uint32
	n, digits, ended := 0, 0, false
	flush := func() error {
		if n < len(out) {
			return nil
		}
		_, err := s.to.Write(out[:])
		n = 0
		return err
	}
	for {
		if digits == 0 && !ended {
			if more := s.groups(out[n:]); more > 0 {
				stands = `"x"`
				n += more
				if err := flush(); err != nil {
					return "", err
				}
			}
		}
		c, err := s.in.ReadByte()
		if err != nil {
			return "", err
		}
		if c == '"' {
			break
		}
		stands = `"x"`
		if c == '\\' {
			if c, err = s.escape(); err != nil {
				return "", err
			}
		} else if c < ' ' {
			return "", errNoUpload
		}
		v := base64Values[c]
		ended = ended || c == '='
		if ended || v > 63 {
			continue
		}
		group = group<<6 | uint32(v)
		if digits++; digits < 4 {
			continue
		}
		out[n], out[n+1], out[n+2] = byte(group>>16), byte(group>>8), byte(group)
		n, digits = n+3, 0
		if err := flush(); err != nil {
			return "", err
		}
	}
	switch digits {
	case 2:
		out[n] = byte(group >> 4)
		n++
	case 3:
		out[n], out[n+1] = byte(group>>10), byte(group>>2)
		n += 2
	}
	_, err = s.to.Write(out[:n])
	return stands, err
}

// groups decodes what is buffered, in groups of four digits, up to the first byte that is none, and returns how much it wrote. It
// does nearly all of the work: byte by byte takes six times as long.
func (s *splitter) groups(out []byte) (n int) {
	in, _ := s.in.Peek(s.in.Buffered())
	read := 0
	for len(in)-read >= 4 && len(out)-n >= 3 {
		four, three := in[read:read+4], out[n:n+3]
		a, b, c, d := base64Values[four[0]], base64Values[four[1]], base64Values[four[2]], base64Values[four[3]]
		if a|b|c|d > 63 {
			break
		}
		three[0], three[1], three[2] = a<<2|b>>4, b<<4|c>>2, c<<6|d
		read, n = read+4, n+3
	}
	_, _ = s.in.Discard(read)
	return n
}

// escape reads what follows a backslash. Characters that are no ASCII mean nothing in base64, whichever they are.
func (s *splitter) escape() (byte, error) {
	c, err := s.in.ReadByte()
	if err != nil {
		return 0, err
	}
	switch c {
	case '"', '\\', '/':
		return c, nil
	case 'b', 'f', 'n', 'r', 't':
		return ' ', nil
	case 'u':
		value := 0
		for range 4 {
			if c, err = s.in.ReadByte(); err != nil {
				return 0, err
			}
			digit := bytes.IndexByte([]byte("0123456789abcdef"), c|0x20)
			if digit < 0 || c < '0' {
				return 0, errNoUpload
			}
			value = value<<4 | digit
		}
		if value < utf8.RuneSelf {
			return byte(value), nil
		}
		return ' ', nil
	}
	return 0, errNoUpload
}

// base64Values are the digits of both alphabets; 64 stands for none.
var base64Values = func() (values [256]byte) {
	for i := range values {
		values[i] = 64
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		values[c] = byte(i)
	}
	values['-'], values['_'] = 62, 63
	return values
}()
