//nolint:revive,staticcheck // the messages are parse-server's, word for word
package config

import (
	"errors"
	"fmt"

	"github.com/parsescale/parsescale/server/jsregexp"
)

// checkRouteAllowList checks routeAllowList as it came.
func checkRouteAllowList(v any) error {
	if v == nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		return errors.New("Parse Server option routeAllowList must be an array of strings.")
	}
	for _, e := range list {
		if _, ok := e.(string); !ok {
			return errors.New("Parse Server option routeAllowList contains a non-string value.")
		}
	}
	return nil
}

// RoutePattern compiles an entry of routeAllowList, which matches a path as a whole.
func RoutePattern(pattern string) (*jsregexp.Regexp, error) {
	// By itself too: "a)|(b" is no expression, although it becomes one within a group.
	if _, err := jsregexp.Compile(pattern); err == nil {
		if re, err := jsregexp.Compile("^(?:" + pattern + ")$"); err == nil {
			return re, nil
		}
	}
	return nil, fmt.Errorf(`Parse Server option routeAllowList contains an invalid regex pattern: "%s".`, pattern)
}
