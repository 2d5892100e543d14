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

// FieldsOf calls f for the name of every field of an object that e looks at, some more than once; those that only its
// sub-queries look at, in other objects, aren't among them. It returns false if it can't tell all of them.
func FieldsOf(e Expr, f func(string)) bool {
	switch e := e.(type) {
	case nil:
	case And:
		return allFields(e, f)
	case Or:
		return allFields(e, f)
	case Nor:
		return allFields(e, f)
	case *Compare:
		f(e.Path.Root())
	case *In:
		f(e.Path.Root())
	case *All:
		f(e.Path.Root())
	case *ContainedBy:
		f(e.Path.Root())
	case *Exists:
		f(e.Path.Root())
	case *Regex:
		f(e.Path.Root())
	case *InQuery:
		f(e.Path.Root())
	case *Select:
		f(e.Path.Root())
	case *Near:
		f(e.Path.Root())
	case *Box:
		f(e.Path.Root())
	case *Inside:
		f(e.Path.Root())
	case *Covers:
		f(e.Path.Root())
	case *Text:
		f(e.Path.Root())
	case *RelatedTo: // of the object itself it asks the id only
	default:
		return false
	}
	return true
}

func allFields(list []Expr, f func(string)) bool {
	all := true
	for _, e := range list {
		all = FieldsOf(e, f) && all
	}
	return all
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
