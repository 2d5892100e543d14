package rest

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/parsescale/parsescale/server/query"
)

// body is a request's JSON body: the members of the top-level object in order, their values as they came.
type body struct {
	members []member
	// raw is the whole text as long as no member was taken out.
	raw []byte
}

type member struct {
	name  string
	value []byte
}

// get returns the value of a member as it came, nil if there is none. Of repeated names the last counts.
func (b *body) get(name string) []byte {
	for i := len(b.members) - 1; i >= 0; i-- {
		if b.members[i].name == name {
			return b.members[i].value
		}
	}
	return nil
}

// remove takes a member out.
func (b *body) remove(name string) {
	n := len(b.members)
	b.members = slices.DeleteFunc(b.members, func(m member) bool { return m.name == name })
	if len(b.members) != n {
		b.raw = nil
	}
}

// json returns the body as one JSON object.
func (b *body) json() []byte {
	if b.raw != nil {
		return b.raw
	}
	size := 2
	for _, m := range b.members {
		size += len(m.name) + len(m.value) + 4
	}
	out := append(make([]byte, 0, size), '{')
	for i, m := range b.members {
		if i > 0 {
			out = append(out, ',')
		}
		out = query.AppendString(out, m.name)
		out = append(out, ':')
		out = append(out, m.value...)
	}
	return append(out, '}')
}

// text returns a member that is a JSON string.
func (b *body) text(name string) (s string, ok bool) {
	v := b.get(name)
	if len(v) == 0 || v[0] != '"' {
		return "", false
	}
	out, err := jsontext.AppendUnquote(nil, v)
	if err != nil && !utf8.Valid(v) {
		out = bytes.ToValidUTF8(out, []byte("\uFFFD"))
	}
	return string(out), true
}

// truthy reports whether JavaScript would take the JSON value for true.
func truthy(v []byte) bool {
	switch string(v) {
	case "", "null", "false", `""`, "0", "-0":
		return false
	}
	if c := v[0]; c == '-' || c >= '0' && c <= '9' {
		f, err := strconv.ParseFloat(string(v), 64)
		return err != nil || f != 0
	}
	return true
}

// errTooLarge: the body is larger than maxUploadSize.
var errTooLarge = plain(http.StatusRequestEntityTooLarge, "request entity too large")

// readBody reads and parses the body, at most limit bytes of it after decompression.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) (*body, error) {
	contentType := r.Header.Get("Content-Type")
	mediaType, _, _ := mime.ParseMediaType(contentType)
	if mediaType == formData || r.Body == nil || r.Body == http.NoBody {
		return &body{}, nil
	}
	data, err := readAll(w, r, limit)
	if err != nil {
		return nil, err
	}
	if mediaType == "application/x-www-form-urlencoded" {
		return parseForm(string(data)), nil
	}
	return parseBody(data)
}

func readAll(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		// The connection can't be used again: nobody wants to read the rest.
		w.Header().Set("Connection", "close")
		return nil, errTooLarge
	}
	from, err := decompressed(http.MaxBytesReader(w, r.Body, limit), r.Header.Get("Content-Encoding"))
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		buf.Grow(int(min(r.ContentLength, 1<<20)) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(from, limit+1))
	var tooLarge *http.MaxBytesError
	switch {
	case n > limit || errors.As(err, &tooLarge):
		return nil, errTooLarge
	case err != nil && r.Header.Get("Content-Encoding") != "":
		return nil, errDecompress
	case err != nil:
		return nil, plain(http.StatusBadRequest, "request aborted")
	}
	return buf.Bytes(), nil
}

var errDecompress = plain(http.StatusBadRequest, "cannot decompress the request body")

// decompressed undoes a content encoding.
func decompressed(r io.Reader, encoding string) (io.Reader, error) {
	switch encoding = strings.ToLower(strings.TrimSpace(encoding)); encoding {
	case "", "identity":
		return r, nil
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, errDecompress
		}
		return z, nil
	case "deflate": // which is zlib's form (RFC 9110, section 8.4.1.2)
		z, err := zlib.NewReader(r)
		if err != nil {
			return nil, errDecompress
		}
		return z, nil
	}
	return nil, plain(http.StatusUnsupportedMediaType, fmt.Sprintf("unsupported content encoding %q", encoding))
}

// parseBody reads a JSON object or array; an array counts as an object with the names 0, 1, ….
func parseBody(data []byte) (*body, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if len(data) == 0 {
		return &body{}, nil
	}
	if i := bytes.IndexFunc(data, func(r rune) bool { return !strings.ContainsRune(" \t\r\n", r) }); i < 0 || data[i] != '{' && data[i] != '[' {
		return nil, plain(http.StatusBadRequest, unexpected(data, max(i, 0)))
	}
	if !utf8.Valid(data) {
		data = bytes.ToValidUTF8(data, []byte("\uFFFD"))
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	b := &body{}
	fail := func(err error) (*body, error) {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return nil, plain(http.StatusBadRequest, "Unexpected end of JSON input")
		}
		at := dec.InputOffset()
		var syntax *jsontext.SyntacticError
		if errors.As(err, &syntax) {
			at = syntax.ByteOffset
		}
		return nil, plain(http.StatusBadRequest, unexpected(data, int(at)))
	}
	open, err := dec.ReadToken()
	if err != nil {
		return fail(err)
	}
	isArray := open.Kind() == '['
	for dec.PeekKind() != '}' && dec.PeekKind() != ']' {
		name := strconv.Itoa(len(b.members))
		if !isArray {
			t, err := dec.ReadToken()
			if err != nil {
				return fail(err)
			}
			name = t.String()
		}
		v, err := dec.ReadValue()
		if err != nil {
			return fail(err)
		}
		end := dec.InputOffset()
		b.members = append(b.members, member{name, data[end-int64(len(v)) : end]})
	}
	if _, err := dec.ReadToken(); err != nil {
		return fail(err)
	}
	if at := dec.InputOffset(); len(bytes.TrimSpace(data[at:])) > 0 {
		return nil, plain(http.StatusBadRequest, unexpected(data, int(at)))
	}
	if !isArray {
		b.raw = data
	}
	return b, nil
}

// unexpected words a syntax error as V8 does: the character and a piece of the text around it.
func unexpected(data []byte, at int) string {
	if at >= len(data) {
		return "Unexpected end of JSON input"
	}
	for at < len(data)-1 && strings.IndexByte(" \t\r\n", data[at]) >= 0 {
		at++
	}
	r, _ := utf8.DecodeRune(data[at:])
	const context = 10
	from, to, before, after := 0, len(data), "", ""
	if len(data) > 2*context {
		if at > context {
			from, before = at-context, "..."
		}
		if at+context < len(data) {
			to, after = at+context, "..."
		}
	}
	return fmt.Sprintf("Unexpected token '%c', %s\"%s\"%s is not valid JSON", r, before, bytes.ToValidUTF8(data[from:to], nil), after)
}

// parseForm reads application/x-www-form-urlencoded; every value is a string, repeats are an array of strings.
func parseForm(data string) *body {
	b := &body{}
	index := map[string]int{}
	values := [][]string{}
	for n := 0; n < maxParameters && data != ""; n++ {
		var part string
		part, data, _ = strings.Cut(data, "&")
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name = unescape(name)
		i, ok := index[name]
		if !ok {
			i = len(values)
			index[name] = i
			values = append(values, nil)
			b.members = append(b.members, member{name: name})
		}
		values[i] = append(values[i], unescape(value))
	}
	for i, list := range values {
		if len(list) == 1 {
			b.members[i].value = query.AppendString(nil, list[0])
			continue
		}
		v := []byte{'['}
		for j, s := range list {
			if j > 0 {
				v = append(v, ',')
			}
			v = query.AppendString(v, s)
		}
		b.members[i].value = append(v, ']')
	}
	return b
}
