package request

// Part is what a request holds: the whole of it, or equal sub-requests of a batch.
type Part struct {
	// Op is Other for what can't be known.
	Op Op
	// Class and Name are those of the path; Name is that of a function or job.
	Class, Name string
	// Write: it may change something.
	Write bool
	// Count is how many there are.
	Count int
}

// maxParts bounds how many parts of a batch are told apart; the rest counts as Other.
const maxParts = 64

func (r *Request) addPart(p Part) {
	for i := range r.Parts {
		if q := &r.Parts[i]; q.Op == p.Op && q.Class == p.Class && q.Name == p.Name && q.Write == p.Write {
			q.Count += p.Count
			return
		}
	}
	if len(r.Parts) >= maxParts {
		p.Op, p.Class, p.Name, p.Write = Other, "", "", true
		if last := &r.Parts[len(r.Parts)-1]; len(r.Parts) > maxParts {
			last.Count += p.Count
			return
		}
	}
	r.Parts = append(r.Parts, p)
}

// EachPart calls f for every part of the request: itself, or what the batch holds. Where that can't be read, all of it is
// Other.
func (r *Request) EachPart(f func(Part)) {
	switch {
	case r.Op != Batch:
		f(Part{Op: r.Op, Class: r.Class, Name: r.Name, Write: r.Write, Count: r.Cost})
	case r.Parts == nil:
		f(Part{Op: Other, Write: true, Count: r.Cost})
	default:
		for _, p := range r.Parts {
			f(p)
		}
	}
}
