package rest

import (
	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/query"
)

// complexity applies requestComplexity to queries. Master and maintenance keys are exempt from it, but not from the
// bounds that package query has by default.
type complexity config.RequestComplexity

// limits are the bounds for the query parser. The read path applies those on includes and sub-queries.
func (x complexity) limits(c auth.Caller) query.Limits {
	l := query.Limits{Privileged: c.Privileged()}
	if c.Privileged() {
		return l
	}
	if x.QueryDepth > 0 {
		l.Depth = x.QueryDepth
	}
	if x.SubqueryDepth > 0 {
		l.SubQueries = x.SubqueryDepth
	}
	l.NoRegex = !x.AllowRegex
	return l
}
