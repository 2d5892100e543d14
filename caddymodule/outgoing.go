package caddymodule

import (
	"net/http"

	"github.com/parsescale/parsescale/policies/upstream"
)

// prepare makes the header of one attempt as its worker may believe it: who the client is comes from Caddy alone.
// Whatever the client said about that is replaced, not added to.
func (x *exchange) prepare(h http.Header, t *upstream.Target) {
	for _, name := range [...]string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"} {
		delete(h, name)
	}
	proto := "http"
	if x.r.TLS != nil {
		proto = "https"
	}
	h["X-Forwarded-Proto"] = []string{proto}
	h["X-Forwarded-Host"] = []string{x.r.Host}
	h["X-Forwarded-For"] = []string{x.ip}
	if t.Kind == upstream.Bundled {
		h["X-Parsescale-Client-Ip"] = []string{x.ip}
	}
	if x.cacheable() {
		// The whole answer is wanted, as it is: the gateway compares ETags by itself, and what is stored is not encoded.
		delete(h, "If-None-Match")
		delete(h, "If-Modified-Since")
		delete(h, "Accept-Encoding")
	}
}
