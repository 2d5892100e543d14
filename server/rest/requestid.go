package rest

import (
	"strings"

	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/jsregexp"
)

// requestIDs knows for which paths X-Parse-Request-Id counts.
type requestIDs []*jsregexp.Regexp

func newRequestIDs(o config.Idempotency) (requestIDs, error) {
	var out requestIDs
	for _, p := range o.Paths {
		re, err := config.PathPattern(p)
		if err != nil {
			return nil, err
		}
		out = append(out, re)
	}
	return out, nil
}

// of returns the id of a request that must be done once; "": it may be repeated. A path is matched without its slashes.
func (r requestIDs) of(c *call) string {
	if len(r) == 0 || c.http == nil {
		return ""
	}
	id := header(c.http.Header, "X-Parse-Request-Id")
	if id == "" {
		return ""
	}
	path := strings.TrimSuffix(strings.TrimPrefix(c.path, "/"), "/")
	for _, re := range r {
		if ok, err := re.Match(path); ok || err != nil {
			return id
		}
	}
	return ""
}
