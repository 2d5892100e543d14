package sqlbuild

import "github.com/parsescale/parsescale/server/query"

// ByID reports whether the query is about one object at most, which the primary key finds, and asks nothing else about it, which
// might take long.
func ByID(e query.Expr) bool {
	switch e := e.(type) {
	case *query.Compare:
		_, isString := e.Value.(string)
		return isString && e.Path == "objectId" && e.Op == query.Eq
	case query.And:
		for _, term := range e {
			if !ByID(term) {
				return false
			}
		}
		return len(e) > 0
	}
	return false
}
