package cloud

import (
	"bytes"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/parsescale/parsescale/server/query"
)

// Upload is a file of a form as a parameter: an object with the texts filename and contentType, and data, which is a
// []byte. Webhooks read data as Node writes a Buffer: {"type":"Buffer","data":[104,105]}.
func Upload(filename, contentType string, data []byte) map[string]any {
	return map[string]any{"filename": filename, "contentType": contentType, "data": data}
}

// Unnamed is a file that came without a filename.
func Unnamed(contentType string, data []byte) map[string]any {
	return map[string]any{"contentType": contentType, "data": data}
}

// payload is a JSON text of which the contents of files are written only while it is sent: as numbers they are up to four
// times as long.
type payload struct {
	parts  []any // []byte: text as it is; decimals: the content of a file
	length int64
	text   []byte // the end, which is no part yet
}

// payloadOf encodes a request for a webhook.
func payloadOf(body map[string]any) *payload {
	p := &payload{}
	p.append(body)
	p.cut()
	return p
}

func (p *payload) append(v any) {
	switch v := v.(type) {
	case []byte:
		p.text = append(p.text, `{"type":"Buffer","data":[`...)
		p.cut()
		p.parts = append(p.parts, decimals(v))
		p.length += decimals(v).length()
		p.text = append(p.text, `]}`...)
	case map[string]any:
		p.text = append(p.text, '{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				p.text = append(p.text, ',')
			}
			p.text = append(query.AppendString(p.text, name), ':')
			p.append(v[name])
		}
		p.text = append(p.text, '}')
	default:
		p.text = query.AppendJSON(p.text, v)
	}
}

// cut makes the text up to here a part.
func (p *payload) cut() {
	p.parts = append(p.parts, p.text)
	p.length += int64(len(p.text))
	p.text = nil
}

// reader reads the text from its start.
func (p *payload) reader() io.ReadCloser {
	readers := make([]io.Reader, len(p.parts))
	for i, part := range p.parts {
		switch part := part.(type) {
		case []byte:
			readers[i] = bytes.NewReader(part)
		case decimals:
			readers[i] = &decimalReader{rest: part}
		}
	}
	return io.NopCloser(io.MultiReader(readers...))
}

// decimals are bytes that are written as numbers with commas between them.
type decimals []byte

func (d decimals) length() int64 {
	n := int64(max(0, len(d)-1))
	for _, c := range d {
		switch {
		case c >= 100:
			n += 3
		case c >= 10:
			n += 2
		default:
			n++
		}
	}
	return n
}

type decimalReader struct {
	rest decimals
	text []byte // written already, not yet read
	some bool   // a number was written
	buf  [4096]byte
}

// Read implements io.Reader.
func (r *decimalReader) Read(p []byte) (int, error) {
	if len(r.text) == 0 {
		text := r.buf[:0]
		for len(r.rest) > 0 && len(text)+4 <= len(r.buf) {
			if r.some {
				text = append(text, ',')
			}
			text = strconv.AppendUint(text, uint64(r.rest[0]), 10)
			r.some, r.rest = true, r.rest[1:]
		}
		r.text = text
	}
	if len(r.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.text)
	r.text = r.text[n:]
	return n, nil
}
