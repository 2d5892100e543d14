package rest

import (
	"net/http"
	"strings"

	"github.com/parsescale/parsescale/server/auth"
)

// tellOrigin lets the app's code know of the request what only it may know.
func (c *call) tellOrigin() {
	c.origin = auth.Origin{Headers: func() map[string]string { return headersOf(c.http) }, Context: c.context}
	c.caller.Origin = &c.origin
}

// headersOf returns the header fields that the app's code may read, in lower case.
func headersOf(r *http.Request) map[string]string {
	out := make(map[string]string, len(r.Header)+1)
	for name := range r.Header {
		if !secretField(name) {
			out[strings.ToLower(name)] = header(r.Header, name)
		}
	}
	out["host"] = r.Host
	return out
}

// secretField reports whether a header field holds a key, which isn't an app's code's business.
func secretField(name string) bool {
	switch name {
	case "X-Parse-Master-Key", "X-Parse-Maintenance-Key", "Authorization":
		return true
	}
	return false
}
