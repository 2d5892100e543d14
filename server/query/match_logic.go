package query

// allOf is true when every term is.
func allOf(terms And, d Document) outcome {
	left := leftOut(terms)
	o := isTrue
	for _, term := range terms {
		p := evaluate(term, d)
		if left.may(term) {
			p |= isTrue
		}
		if o = o.and(p); o == isFalse {
			break
		}
	}
	return o
}

// omissions tells which terms of And PostgreSQL parse-server may leave out: of one field's operators {"$ne": null} is
// the only one that it heeds.
type omissions struct {
	paths [4]Path // of the {"$ne": null}
	n     int     // beyond len(paths): any
}

func leftOut(terms And) (o omissions) {
	for _, term := range terms {
		if c, ok := term.(*Compare); ok && c.Op == Ne && c.Value == nil {
			if o.n < len(o.paths) {
				o.paths[o.n] = c.Path
			}
			o.n++
		}
	}
	return o
}

func (o *omissions) may(term Expr) bool {
	if o.n == 0 {
		return false
	}
	if c, ok := term.(*Compare); ok && c.Op == Ne && c.Value == nil {
		return false
	}
	if o.n > len(o.paths) {
		return true
	}
	path := pathOf(term)
	for _, p := range o.paths[:o.n] {
		if p == path {
			return true
		}
	}
	return false
}

// pathOf is what a condition is about, "" for logical ones.
func pathOf(e Expr) Path {
	switch e := e.(type) {
	case *Compare:
		return e.Path
	case *In:
		return e.Path
	case *All:
		return e.Path
	case *ContainedBy:
		return e.Path
	case *Exists:
		return e.Path
	case *Regex:
		return e.Path
	case *Near:
		return e.Path
	case *Box:
		return e.Path
	case *Inside:
		return e.Path
	case *Covers:
		return e.Path
	case *Text:
		return e.Path
	}
	return ""
}

// anyOf is true when a term is, and false of no terms.
func anyOf(terms []Expr, d Document) outcome {
	o := isFalse
	for _, term := range terms {
		if o = o.or(evaluate(term, d)); o == isTrue {
			break
		}
	}
	return o
}

// noneOf is true when no term is.
func noneOf(terms []Expr, d Document) outcome {
	o := isFalse
	for _, term := range terms {
		p := evaluate(term, d)
		if e, ok := term.(*Exists); ok && !e.Want {
			// PostgreSQL parse-server drops it if the class has no such field.
			p |= isFalse
		}
		if o = o.or(p); o == isTrue {
			break
		}
	}
	return o.not()
}
