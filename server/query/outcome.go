package query

// outcome is the set of results that SQL may give for a condition: true, false or NULL. The matcher reckons with sets
// because it doesn't know the type of a column, which decides, say, whether a comparison of unlike types is false, NULL
// or a comparison after all; and because NOT turns false into true but leaves NULL alone.
type outcome uint8

const (
	isTrue outcome = 1 << iota
	isFalse
	isNull
)

const (
	// anything: it can't be told.
	anything = isTrue | isFalse | isNull
	// unlike: nothing matches, but if the condition is negated it can't be told what does. It is the outcome of
	// comparing types that don't compare, and of comparing a missing value whose type isn't known.
	unlike = isFalse | isNull
)

// holds is the outcome of a condition that is decided.
func holds(b bool) outcome {
	if b {
		return isTrue
	}
	return isFalse
}

// perhaps is the outcome of a condition that SQL may decide so, or not take at all.
func perhaps(b bool) outcome {
	if b {
		return anything
	}
	return unlike
}

func (o outcome) not() outcome {
	return o&isNull | o&isTrue<<1 | o&isFalse>>1
}

// and holds every a AND b, as Kleene's logic has it, of which a is in o and b in p.
func (o outcome) and(p outcome) outcome {
	r := (o | p) & isFalse
	if o&p&isTrue != 0 {
		r |= isTrue
	}
	if o&isNull != 0 && p&(isNull|isTrue) != 0 || p&isNull != 0 && o&(isNull|isTrue) != 0 {
		r |= isNull
	}
	return r
}

func (o outcome) or(p outcome) outcome { return o.not().and(p.not()).not() }

// truth is what a WHERE makes of it: only true selects a row.
func (o outcome) truth() Truth {
	switch {
	case o&isTrue == 0:
		return No
	case o == isTrue:
		return Yes
	}
	return Unknown
}
