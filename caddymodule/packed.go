package caddymodule

import (
	"net/http"
	"strings"

	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/coding"
)

const (
	// minPacked is the least body, in bytes, that is kept compressed, too.
	minPacked = 1024
	// packedAt is at which hit that accepts a coding the body is compressed in it: most answers aren't asked for so often.
	packedAt = 2
)

// mayEncode reports whether an answer may be sent in another coding than its worker's.
func mayEncode(h http.Header) bool {
	if h["Content-Encoding"] != nil {
		return false
	}
	for _, line := range h["Cache-Control"] {
		if strings.Contains(strings.ToLower(line), "no-transform") {
			return false
		}
	}
	return true
}

// withVary says in a header that the answer depends on Accept-Encoding, however it is sent.
func withVary(header []cache.Field) []cache.Field {
	for i := range header {
		f := &header[i]
		if f.Name != "Vary" {
			continue
		}
		for name := range strings.SplitSeq(f.Value, ",") {
			if name = strings.TrimSpace(name); name == "*" || strings.EqualFold(name, "Accept-Encoding") {
				return header
			}
		}
	}
	for i := range header {
		if header[i].Name == "Vary" {
			header[i].Value += ", Accept-Encoding"
			return header
		}
	}
	return append(header, cache.Field{Name: "Vary", Value: "Accept-Encoding"})
}

// bodyOf is the body of an entry in the best coding that the client accepts and that is there. The hit that makes it worth while
// compresses it.
func (x *exchange) bodyOf(e *cache.Entry, verdict string) ([]byte, coding.Coding) {
	if e.Packed == nil {
		return e.Body, coding.Identity
	}
	in := coding.Accepted(x.r.Header["Accept-Encoding"])
	if in == coding.Identity {
		return e.Body, in
	}
	place := int(in - 1)
	body, pack := e.Packed.Body(place, sourceOf(verdict) == hit, packedAt)
	if pack {
		body = x.route.encoder.Encode(in, e.Body)
		x.route.cache.Pack(x.key, e, place, body)
	}
	if len(body) == 0 {
		return e.Body, coding.Identity
	}
	return body, in
}

// anyMatches reports whether the client has the entry's body, in whichever coding.
func anyMatches(lines []string, e *cache.Entry) bool {
	if len(lines) == 0 {
		return false
	}
	for c := coding.Identity; c < coding.Codings; c++ {
		if etag := c.ETag(e.ETag); (c == coding.Identity || etag != e.ETag) && etagMatches(lines, etag) {
			return true
		}
	}
	return false
}
