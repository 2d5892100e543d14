package rest

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// handler serves one matched request or sub-request of a batch.
type handler func(*API, *call) (*answer, error)

// route is one method and path. Segments that start with ":" stand for a parameter.
type route struct {
	method   string
	segments []string
	serve    handler
	// direct routes are served over HTTP only, not within a batch.
	direct bool
	// master routes answer 403 to everyone without the master key.
	master bool
	// writes is what a route does to an object, create, update or delete, and class its class, if the path doesn't name
	// it; "" for other routes.
	writes, class string
}

// writes says what a route does to an object.
func writes(op, class string) func(*route) {
	return func(r *route) { r.writes, r.class = op, class }
}

// router finds routes as Express does: letters of either case, one trailing slash allowed, parameters decoded.
type router struct {
	// byFirst holds the routes by their first segment in lower case.
	byFirst map[string][]route
}

func (rt *router) add(method, path string, serve handler, options ...func(*route)) {
	r := route{method: method, segments: strings.Split(strings.TrimPrefix(path, "/"), "/"), serve: serve}
	for _, o := range options {
		o(&r)
	}
	if rt.byFirst == nil {
		rt.byFirst = map[string][]route{}
	}
	first := lower(r.segments[0])
	rt.byFirst[first] = append(rt.byFirst[first], r)
}

// params are the values of a path's parameters in order.
type params [2]string

// badParam reports a parameter that can't be decoded.
func badParam(text string) error {
	return plain(http.StatusBadRequest, "Failed to decode param '"+text+"'")
}

// match finds the route of an escaped path below the mount, such as "/classes/Game/abc". A nil route means there is
// none.
func (rt *router) match(method, path string) (*route, params, error) {
	var p params
	segments, ok := splitPath(path)
	if !ok {
		return nil, p, nil
	}
	if method == "HEAD" {
		method = "GET"
	}
	routes := rt.byFirst[lower(segments[0])]
	for i := range routes {
		r := &routes[i]
		if r.method != method || !r.fits(segments) {
			continue
		}
		n := 0
		for j, s := range r.segments {
			if s[0] != ':' {
				continue
			}
			v, err := url.PathUnescape(segments[j])
			if err != nil || !utf8.ValidString(v) {
				return nil, p, badParam(segments[j])
			}
			p[n] = v
			n++
		}
		return r, p, nil
	}
	return nil, p, nil
}

func (r *route) fits(segments []string) bool {
	if len(segments) != len(r.segments) {
		return false
	}
	for i, s := range r.segments {
		if s[0] != ':' && !equalFold(s, segments[i]) {
			return false
		}
	}
	return true
}

// splitPath cuts a path into its segments; false when one of them is empty, apart from the end.
func splitPath(path string) ([]string, bool) {
	if path == "" || path[0] != '/' {
		return nil, false
	}
	path = strings.TrimSuffix(path[1:], "/")
	if path == "" {
		return nil, false
	}
	segments := strings.SplitN(path, "/", maxSegments+1)
	if len(segments) > maxSegments {
		return nil, false
	}
	for _, s := range segments {
		if s == "" {
			return nil, false
		}
	}
	return segments, true
}

// maxSegments bounds the segments of a path; no route has as many.
const maxSegments = 16

// lower and equalFold know ASCII letters only, as JavaScript's case-insensitive expressions do for ASCII patterns.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b := []byte(s)
			for j, c := range b {
				if c >= 'A' && c <= 'Z' {
					b[j] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		x, y := a[i], b[i]
		if x >= 'A' && x <= 'Z' {
			x += 'a' - 'A'
		}
		if y >= 'A' && y <= 'Z' {
			y += 'a' - 'A'
		}
		if x != y {
			return false
		}
	}
	return true
}
