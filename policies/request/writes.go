package request

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
)

// maxClasses is how many classes a write may name before it counts as a write of any.
const maxClasses = 64

// nameClasses adds to a write's classes what its body tells: relations, and the sub-requests of a batch.
func (r *Request) nameClasses(in *Input, b *body) {
	switch r.Op {
	case Batch:
		r.readBatch(in, b)
	case Create, SignUp, Update:
		if r.Classes == nil {
			return
		}
		switch b.state {
		case bodyObject:
			r.Classes = withRelations(r.Classes, r.Class, in.Body)
		case bodyOpaque:
			r.Classes = nil
		}
	}
}

// withRelations adds the joins that a body may change: for each member that could be a relation operation, the join
// of its field. A "Relation" in the text of the value is taken for one, and so is every escape.
func withRelations(classes []string, class string, object []byte) []string {
	ok := members(object, func(name, value []byte) bool {
		if value[0] != '{' || !bytes.Contains(value, []byte("Relation")) && bytes.IndexByte(value, '\\') < 0 {
			return true
		}
		join := "_Join:" + string(name) + ":" + class
		if !slices.Contains(classes, join) {
			classes = append(classes, join)
		}
		return len(classes) <= maxClasses
	})
	if !ok {
		return nil
	}
	return classes
}

// readBatch adds the sub-requests up. If one of them can't be read, the batch may change anything; their number is
// counted as far as they are seen.
func (r *Request) readBatch(in *Input, b *body) {
	r.Write, r.Classes = true, nil
	if b.state != bodyObject {
		r.Cost, r.Once = max(1, countPartial(in.Body)), true // whatever is in it
		return
	}
	var requests []byte
	members(in.Body, func(name, value []byte) bool {
		if string(name) == "requests" {
			requests = value
		}
		return true
	})
	count, write := 0, false
	classes, known := []string{}, true
	if !elements(requests, func(sub []byte) bool {
		count++
		t := subRequest(sub, in.Mount)
		r.addPart(Part{Op: t.op, Class: t.class, Name: t.name, Write: t.write, Count: 1})
		write, r.Once = write || t.write, r.Once || t.once() || t.op == Other
		if !known || !t.write {
			return true
		}
		if known = t.classes != nil; known {
			for _, c := range t.classes {
				if !slices.Contains(classes, c) {
					classes = append(classes, c)
				}
			}
			known = len(classes) <= maxClasses
		}
		return true
	}) {
		return // not an array: the worker refuses it
	}
	r.Cost = max(1, count)
	r.Write = write
	switch {
	case !write:
		r.Why = ""
		r.refuse(whyOp)
	case known:
		r.Classes = classes
	}
}

// subRequest tells what an entry of a batch asks for. Only a plain one is known.
func subRequest(sub []byte, mount string) target {
	var methodValue, pathValue, object []byte
	if !members(sub, func(name, value []byte) bool {
		switch string(name) {
		case "method":
			methodValue = value
		case "path":
			pathValue = value
		case "body":
			object = value
		}
		return true
	}) {
		return unknown()
	}
	method, ok := text(methodValue)
	full, okPath := text(pathValue)
	below, mounted := strings.CutPrefix(full, mount)
	// The worker normalises the path; one that isn't normal already is left to it.
	if !ok || !okPath || !mounted || !strings.HasPrefix(below, "/") || strings.ContainsAny(below, "?#%\\") ||
		strings.Contains(below, "//") {
		return unknown()
	}
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete:
	default:
		return unknown()
	}
	p := splitPath(below)
	t := routeOf(method, &p)
	switch {
	case t.op == Batch:
		return unknown()
	case t.write && t.classes != nil && (t.op == Create || t.op == SignUp || t.op == Update):
		switch {
		case len(object) == 0:
		case object[0] == '{':
			t.classes = withRelations(t.classes, t.class, object)
		default:
			t.classes = nil
		}
	}
	return t
}

// countPartial counts the elements of the first array named "requests" in the beginning of a body.
func countPartial(head []byte) int {
	count := 0
	s := scanner{data: head}
	s.list('{', '}', func() bool {
		raw, ok := s.string()
		if !ok || !s.next(':') {
			return false
		}
		s.space()
		if string(unquoted(raw)) != "requests" {
			return s.skip(1)
		}
		count = 0
		return s.list('[', ']', func() bool {
			count++
			return s.skip(2)
		})
	})
	return count
}
