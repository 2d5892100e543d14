package query

// Walk calls f for every node of e, parents first; the wheres of sub-queries are part of it.
func Walk(e Expr, f func(Expr)) {
	switch e := e.(type) {
	case nil:
		return
	case And:
		f(e)
		walkAll(e, f)
	case Or:
		f(e)
		walkAll(e, f)
	case Nor:
		f(e)
		walkAll(e, f)
	case *InQuery:
		f(e)
		if e.Sub != nil {
			Walk(e.Sub.Where, f)
		}
	case *Select:
		f(e)
		if e.Sub != nil {
			Walk(e.Sub.Where, f)
		}
	default:
		f(e)
	}
}

func walkAll(list []Expr, f func(Expr)) {
	for _, e := range list {
		Walk(e, f)
	}
}

// TimeDependent reports whether q means something else at another time: it has a $relativeTime, which was resolved
// when q was parsed. Its answer must not be kept.
func (q *Query) TimeDependent() bool {
	found := false
	Walk(q.Where, func(e Expr) {
		if c, ok := e.(*Compare); ok && c.Relative {
			found = true
		}
	})
	return found
}
