package rest

import (
	"net/url"
	"strings"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/jsregexp"
	"github.com/parsescale/parsescale/server/parseerror"
)

// allowList is routeAllowList: the paths that are open without a master or maintenance key.
type allowList struct {
	on       bool
	patterns []*jsregexp.Regexp
}

func newAllowList(o *config.Options) (allowList, error) {
	l := allowList{on: o.RouteAllowList != nil}
	for _, p := range o.RouteAllowList {
		re, err := config.RoutePattern(p)
		if err != nil {
			return allowList{}, err
		}
		l.patterns = append(l.patterns, re)
	}
	return l, nil
}

// checkRequest refuses a request whose path isn't on the list. Of the path, the mount alone is cut off: a second slash in
// front makes it another one.
func (a *API) checkRequest(c auth.Caller, method string, u *url.URL) error {
	target := u.EscapedPath()[len(a.mount):]
	if u.ForceQuery || u.RawQuery != "" {
		target += "?" + u.RawQuery
	}
	if a.allowed.allows(c, target) {
		return nil
	}
	return parseerror.Denied(parseerror.OperationForbidden, "Route not allowed by routeAllowList: %s %s", method, identifier(target))
}

// checkSub refuses a sub-request of a batch in the same way.
func (a *API) checkSub(c auth.Caller, method, path string) error {
	if a.allowed.allows(c, path) {
		return nil
	}
	return parseerror.Denied(parseerror.OperationForbidden, "Route not allowed by routeAllowList: %s %s", method, path)
}

// allows decides about a path below the mount, escaped, perhaps with a query string. A pattern that takes too long
// doesn't match.
func (l *allowList) allows(c auth.Caller, target string) bool {
	if !l.on || c.Master || c.Maintenance {
		return true
	}
	path := identifier(target)
	for _, re := range l.patterns {
		if ok, err := re.Match(path); ok && err == nil {
			return true
		}
	}
	return false
}

// identifier is the form of a path that patterns are for. Slashes go before the query does, as in parse-server, so that
// a path with a slash at its end and a query keeps the slash.
func identifier(target string) string {
	path := strings.TrimSuffix(strings.TrimPrefix(target, "/"), "/")
	path, _, _ = strings.Cut(path, "?")
	return path
}
