package linearity

import (
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"
)

// step is an operation as the model sees it.
type step struct {
	*Operation
	outcome Outcome
	// With a bound: number is that of an acknowledged write, counted from 1; after has a bit for each that a read has to come
	// after. Without, the times of call and return say all.
	number int
	after  bits
}

// state is an object's.
type state struct {
	version int64 // 0: it isn't there
	written bits  // with a bound, the acknowledged writes that took effect
}

// bits is a set of numbers that can be compared.
type bits string

func (b bits) with(n int) bits {
	grown := make([]byte, max(len(b), n/8+1))
	copy(grown, b)
	grown[n/8] |= 1 << (n % 8)
	return bits(grown)
}

// within reports whether all of b are among others.
func (b bits) within(others bits) bool {
	for i := range len(b) {
		if b[i] != 0 && (i >= len(others) || b[i]&^others[i] != 0) {
			return false
		}
	}
	return true
}

// model is one object.
var model = porcupine.Model{
	Init: func() any { return state{} },
	Step: func(s, input, _ any) (bool, any) {
		next, ok := s.(state).take(input.(step))
		return ok, next
	},
	DescribeOperation: func(input, _ any) string {
		o := input.(step)
		if o.Kind == Delete {
			return string(o.Kind + ": " + Kind(o.outcome))
		}
		return fmt.Sprintf("%s %d: %s", o.Kind, o.Version, o.outcome)
	},
	DescribeState:             func(s any) string { return fmt.Sprint(s.(state).version) },
	DescribeOperationMetadata: func(o any) string { return o.(*Operation).String() },
}

// take is the object after an operation; false if that can't have its outcome now.
func (s state) take(o step) (state, bool) {
	there := s.version != 0
	if o.Kind == Read {
		return s, s.version == o.Version && o.after.within(s.written)
	}
	fits := there == (o.Kind != Create)
	switch {
	case o.outcome == Refused:
		return s, !fits
	case !fits:
		return s, o.outcome == Unknown
	}
	s.version = o.Version
	if o.Kind == Delete {
		s.version = 0
	}
	if o.number > 0 {
		s.written = s.written.with(o.number)
	}
	return s, true
}

// operations are what a history tells of one object until a time, for the model. What hadn't returned by then has an unknown
// outcome. reduced is reduce.
func (h *History) operations(object []*Operation, until int64, reduced func([]step, func(*Operation) int64) []step) []porcupine.Operation {
	var steps []step
	for _, o := range object {
		s := step{Operation: o, outcome: o.Outcome}
		if o.Return > until && o.Outcome == Done && o.Kind != Read {
			s.outcome = Unknown
		}
		if o.Call <= until && (o.Return <= until || s.outcome == Unknown) {
			steps = append(steps, s)
		}
	}
	var own map[int]*writes
	if h.Bound > 0 {
		own = number(steps)
	}
	var out []porcupine.Operation
	for _, s := range reduced(steps, h.lag) {
		if h.lag(s.Operation) > 0 {
			s.after = own[s.Gateway].before(s.Call)
		}
		p := porcupine.Operation{ClientId: s.Client, Input: s, Call: s.Call - h.lag(s.Operation), Return: s.Return, Metadata: s.Operation}
		if s.outcome == Unknown {
			p.Return = until + 1 // after all else, where it disturbs nobody
		}
		out = append(out, p)
	}
	return out
}

// lag is by how much an answer may be too old.
func (h *History) lag(o *Operation) int64 {
	if o.Kind != Read || o.Current {
		return 0
	}
	return int64(h.Bound)
}

// writes are the acknowledged ones of one gateway, in the order of their return.
type writes struct {
	returns []int64
	numbers []bits // of the writes up to each
}

// number numbers the acknowledged writes.
func number(steps []step) map[int]*writes {
	byReturn := make([]*step, len(steps))
	for i := range steps {
		byReturn[i] = &steps[i]
	}
	slices.SortStableFunc(byReturn, func(a, b *step) int { return int(min(max(a.Return-b.Return, -1), 1)) })
	found, n := map[int]*writes{}, 0
	for _, s := range byReturn {
		if s.Kind == Read || s.outcome != Done {
			continue
		}
		n++
		s.number = n
		w := found[s.Gateway]
		if w == nil {
			w = &writes{}
			found[s.Gateway] = w
		}
		var earlier bits
		if len(w.numbers) > 0 {
			earlier = w.numbers[len(w.numbers)-1]
		}
		w.returns, w.numbers = append(w.returns, s.Return), append(w.numbers, earlier.with(n))
	}
	return found
}

// before are the numbers of those that had returned before a time.
func (w *writes) before(t int64) bits {
	if w == nil {
		return ""
	}
	i, _ := slices.BinarySearch(w.returns, t) // the first that returned at t or later
	if i == 0 {
		return ""
	}
	return w.numbers[i-1]
}

// reduce leaves out what doesn't change the verdict, of which there is too much to try all orders.
//
// Reads that follow from others: a version is written once, so the object has it for one stretch of time. That a read's time
// meets this stretch says that it had ended by the last call, and begun by the first return: of all reads that show the
// version, the ones with these two ask for as much as all do. Of those that may lag behind, the last call at each gateway
// also comes after most of the gateway's own writes. That an object isn't there may be so for many stretches; such reads
// stay.
//
// Updates of unknown outcome that no read shows: they may as well have had no effect.
func reduce(steps []step, lag func(*Operation) int64) []step {
	seen := map[int64]bool{}
	for _, s := range steps {
		if s.Kind == Read {
			seen[s.Version] = true
		}
	}
	type subject struct {
		version int64
		gateway int // -1: any
	}
	first, last := map[int64]int{}, map[subject]int{}
	later := func(s subject, i int) {
		if j, ok := last[s]; !ok || steps[i].Call-lag(steps[i].Operation) > steps[j].Call-lag(steps[j].Operation) {
			last[s] = i
		}
	}
	keep := map[int]bool{}
	for i, s := range steps {
		if s.Kind != Read || s.Version == 0 {
			keep[i] = s.Kind != Update || s.outcome != Unknown || seen[s.Version]
			continue
		}
		if j, ok := first[s.Version]; !ok || s.Return < steps[j].Return {
			first[s.Version] = i
		}
		later(subject{s.Version, -1}, i)
		if lag(s.Operation) > 0 {
			later(subject{s.Version, s.Gateway}, i)
		}
	}
	for _, i := range first {
		keep[i] = true
	}
	for _, i := range last {
		keep[i] = true
	}
	var kept []step
	for i, s := range steps {
		if keep[i] {
			kept = append(kept, s)
		}
	}
	return kept
}
