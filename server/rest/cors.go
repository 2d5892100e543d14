package rest

import (
	"net/http"
	"slices"
	"strings"
)

const (
	corsMethods = "GET,PUT,POST,DELETE,OPTIONS"
	corsHeaders = "X-Parse-Master-Key, X-Parse-REST-API-Key, X-Parse-Javascript-Key, X-Parse-Application-Id, " +
		"X-Parse-Client-Version, X-Parse-Session-Token, X-Requested-With, X-Parse-Revocable-Session, " +
		"X-Parse-Request-Id, Content-Type, Pragma, Cache-Control"
	corsExposed = "X-Parse-Job-Status-Id, X-Parse-Push-Status-Id"
)

// cors writes the headers of cross-origin requests, which stand on every answer.
type cors struct {
	origins []string
	headers string
}

func newCORS(origins, allowHeaders []string) cors {
	if len(origins) == 0 {
		origins = []string{"*"}
	}
	return cors{origins, strings.Join(append([]string{corsHeaders}, allowHeaders...), ", ")}
}

func (c cors) write(h http.Header, origin string) {
	allowed := c.origins[0]
	if origin != "" && slices.Contains(c.origins, origin) {
		allowed = origin
	}
	h.Set("Access-Control-Allow-Origin", allowed)
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Allow-Headers", c.headers)
	h.Set("Access-Control-Expose-Headers", corsExposed)
}
