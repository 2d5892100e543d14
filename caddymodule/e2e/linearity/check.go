package linearity

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// Violation is a history that no order of its writes explains.
type Violation struct {
	// Object is what it was found at.
	Object string
	// Operation is the first answer that can't be explained.
	Operation Operation
	// before are the last operations before it, newest first.
	before []*Operation
	// shortest is the history of the object until that answer.
	shortest []porcupine.Operation
}

func (v *Violation) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "no order of the writes to %s explains\n%s\nwhat happened before, newest first:", v.Object, v.Operation.String())
	for _, o := range v.before {
		text.WriteString("\n" + o.String())
	}
	return text.String()
}

// toTell is how many operations before a violation are told.
const toTell = 25

// Check looks for a violation. It fails if it can't be told within the limit, of each object, whether there is one.
func (h *History) Check(limit time.Duration) (*Violation, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	objects := map[string][]*Operation{}
	var names []string
	for i := range h.Operations {
		o := &h.Operations[i]
		if objects[o.Object] == nil {
			names = append(names, o.Object)
		}
		objects[o.Object] = append(objects[o.Object], o)
	}
	slices.Sort(names)
	for _, name := range names {
		object := objects[name]
		switch legal, err := h.legal(object, math.MaxInt64-1, limit); {
		case err != nil:
			return nil, fmt.Errorf("cannot check the history of %s, %d operations: %w", name, len(object), err)
		case !legal:
			return h.shorten(name, object, limit)
		}
	}
	return nil, nil
}

// shorten finds the first answer that makes an illegal history one: what happened until then is illegal, too.
func (h *History) shorten(name string, object []*Operation, limit time.Duration) (*Violation, error) {
	byReturn := slices.Clone(object)
	slices.SortStableFunc(byReturn, func(a, b *Operation) int { return int(min(max(a.Return-b.Return, -1), 1)) })
	var failed error
	first := sort.Search(len(byReturn)-1, func(i int) bool {
		legal, err := h.legal(object, byReturn[i].Return, limit)
		if err != nil {
			failed = err
		}
		return !legal
	})
	if failed != nil {
		return nil, fmt.Errorf("cannot find where the history of %s went wrong: %w", name, failed)
	}
	v := &Violation{Object: name, Operation: *byReturn[first], shortest: h.operations(object, byReturn[first].Return, reduce)}
	for i := first - 1; i >= max(0, first-toTell); i-- {
		v.before = append(v.before, byReturn[i])
	}
	return v, nil
}

// legal reports whether what is known of an object until a time can be explained.
func (h *History) legal(object []*Operation, until int64, limit time.Duration) (bool, error) {
	switch r := porcupine.CheckOperationsTimeout(model, h.operations(object, until, reduce), limit); r {
	case porcupine.Ok:
		return true, nil
	case porcupine.Illegal:
		return false, nil
	default:
		return false, fmt.Errorf("not decided within %s", limit)
	}
}

// draw writes a page with what can be explained and what can't.
func (v *Violation) draw(file string) error {
	_, info := porcupine.CheckOperationsVerbose(model, v.shortest, 0)
	return porcupine.VisualizePath(model, info, file)
}
