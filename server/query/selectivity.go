package query

// Which of several access predicates a where is filed under is decided by how many documents fulfil each, for those are
// matched against the where. That is guessed from the kind of value, and from how many wheres ask for the same one (what is
// often asked for is often there); what the index has seen since overrules the guess.

// guesses are the shares of documents that fulfil a predicate of each rank.
var guesses = [...]float64{byObjectID: 1e-6, byPointer: 1e-3, byValue: 1e-2, byRange: 0.1, byHalf: 0.4, byReader: 0.5, byFlag: 0.6}

// trust is how many documents a guess counts for against those that were seen.
const trust = 16

// selectivity estimates the share of the documents that fulfil one of the predicates.
type selectivity func(list []predicate) float64

// guessed is the selectivity when nothing is known.
func guessed(list []predicate) float64 {
	sum := 0.0
	for _, p := range list {
		sum += guesses[p.rank] * float64(max(len(p.keys), 1))
	}
	return sum
}

// selectivity estimates from what the index holds and has seen.
func (x *Index[T]) selectivity(list []predicate) float64 {
	sum := 0.0
	for _, p := range list {
		f := x.fields[p.field]
		switch {
		case f == nil:
			sum += guesses[p.rank] * float64(max(len(p.keys), 1))
		case p.span != nil:
			sum += x.share(f.spanList(*p.span), p.rank)
		default:
			for _, k := range p.keys {
				sum += x.share(f.keys[k.kind][k], p.rank)
			}
		}
	}
	return sum
}

// share estimates for one list of the index, which may be nil.
func (x *Index[T]) share(s *slots[T], r rank) float64 {
	guess := guesses[r]
	if s == nil {
		return guess
	}
	if r >= byValue {
		guess = max(guess, min(guess*float64(len(s.items)), 0.5))
	}
	return (trust*guess + float64(s.visits)) / (trust + float64(x.epoch-s.since))
}
