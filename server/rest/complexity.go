package rest

import (
	"strings"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
)

// complexity applies requestComplexity to queries. Master and maintenance keys are exempt from it, but not from the
// bounds that package query has by default.
type complexity config.RequestComplexity

// limits are the bounds for the query parser.
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
	return l
}

// check applies what the parser doesn't. The query is fresh from the parser: nobody else has it yet.
func (x complexity) check(c auth.Caller, q *query.Query) error {
	if c.Privileged() {
		return nil
	}
	if n := len(q.Include); x.IncludeCount > 0 && n > x.IncludeCount {
		return parseerror.New(parseerror.InvalidQuery, "Number of include fields (%d) exceeds maximum allowed (%d)", n, x.IncludeCount)
	}
	for _, path := range q.Include {
		if n := strings.Count(string(path), ".") + 1; x.IncludeDepth > 0 && n > x.IncludeDepth {
			return parseerror.New(parseerror.InvalidQuery, "Include depth of %d exceeds maximum allowed depth of %d", n, x.IncludeDepth)
		}
	}
	if x.AllowRegex && x.SubqueryLimit <= 0 {
		return nil
	}
	var err error
	query.Walk(q.Where, func(e query.Expr) {
		switch e := e.(type) {
		case *query.Regex:
			if !x.AllowRegex {
				err = parseerror.New(parseerror.InvalidQuery, "$regex operator is not allowed")
			}
		case *query.InQuery:
			x.bound(e.Sub)
		case *query.Select:
			x.bound(e.Sub)
		}
	})
	return err
}

// bound lowers a sub-query's limit to the configured one.
func (x complexity) bound(sub *query.SubQuery) {
	if x.SubqueryLimit > 0 && (sub.Limit == 0 || sub.Limit > x.SubqueryLimit) {
		sub.Limit = x.SubqueryLimit
	}
}
