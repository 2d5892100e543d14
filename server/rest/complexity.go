package rest

import (
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

// check refuses regular expressions where they aren't allowed. The read path applies the bounds on includes and
// sub-queries.
func (x complexity) check(c auth.Caller, q *query.Query) error {
	if x.AllowRegex || c.Privileged() {
		return nil
	}
	var err error
	query.Walk(q.Where, func(e query.Expr) {
		if _, ok := e.(*query.Regex); ok {
			err = parseerror.New(parseerror.InvalidQuery, "$regex operator is not allowed")
		}
	})
	return err
}
