package cache

import (
	"strings"
	"time"

	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/query"
)

// window is what an answer shows of all that its where finds: the first so many in some order, from some place on. A change
// of an object that isn't shown, and that comes after all that are shown, before the change and after it, leaves the answer
// as it is. So a list of the newest stays although something old is written.
type window struct {
	// order is how the objects are sorted, and last the sort values of the last one that is shown: numbers and times. A
	// window without order is one that shows nothing.
	order []query.Sort
	last  []any
	// counts: the answer tells how many objects the where finds.
	counts bool
}

const windowSize = 128 // bytes, with one sort key

func (w *window) size() int64 { return windowSize + int64(len(w.last))*48 }

// windowOf returns the window of an answer to a find that shows n objects, the last of which is given as JSON; nil if it
// can't be told. A limit that is the server's own isn't known, so that only one that was asked for counts.
func windowOf(q *query.Query, n int, last []byte) *window {
	switch {
	case q.Limit < 0 || n != q.Limit || q.Redirect != "":
		return nil // it shows all that there is, or may do
	case q.Limit == 0:
		return &window{counts: q.Count}
	case len(q.Order) == 0:
		return nil // the database's own order, which no rule tells
	}
	if byDistance(q.Where) {
		return nil
	}
	o, err := query.DecodeObject(last)
	if err != nil {
		return nil
	}
	w := &window{order: q.Order, counts: q.Count}
	for _, s := range q.Order {
		v := sortable(s.Path, o.Values[string(s.Path)])
		if v == nil {
			if len(w.last) == 0 {
				return nil
			}
			break // the keys before it may decide
		}
		w.last = append(w.last, v)
	}
	w.order = w.order[:len(w.last)]
	return w
}

// byDistance reports whether what a where finds is sorted by distance, whatever else is asked for.
func byDistance(where query.Expr) bool {
	near := false
	query.Walk(where, func(e query.Expr) {
		if e, ok := e.(*query.Near); ok && e.Sort {
			near = true
		}
	})
	return near
}

// sortable returns a value that sorts alike here and in every database, a number or a time; nil for any other. Texts have
// the database's collation.
func sortable(path query.Path, v any) any {
	if strings.ContainsAny(string(path), ".$") {
		return nil
	}
	switch v := v.(type) {
	case float64:
		return v
	case query.Date:
		return v.Time
	case string: // these are shown as texts
		if path == "createdAt" || path == "updatedAt" {
			if d, ok := query.ParseDate(v); ok {
				return d.Time
			}
		}
	}
	return nil
}

// beyond reports whether an object certainly comes after the last one that is shown.
func (w *window) beyond(i *change.Image) bool {
	if w.order == nil {
		return true
	}
	for k, s := range w.order {
		v, known := i.Field(string(s.Path))
		if !known {
			return false
		}
		c, ok := compare(sortable(s.Path, v), w.last[k])
		if !ok {
			return false
		}
		if s.Desc {
			c = -c
		}
		if c != 0 {
			return c > 0
		}
	}
	return false // as the last one: either may come first
}

func compare(a, b any) (c int, ok bool) {
	switch a := a.(type) {
	case float64:
		b, ok := b.(float64)
		switch {
		case !ok || a != a || b != b:
			return 0, false
		case a < b:
			return -1, true
		case a > b:
			return 1, true
		}
		return 0, true
	case time.Time:
		b, ok := b.(time.Time)
		if !ok {
			return 0, false
		}
		return a.Compare(b), true
	}
	return 0, false
}

// keeps reports whether a change of an object that isn't shown, which alters t of it, leaves the answer as it is.
func (w *window) keeps(where query.Expr, ch *change.Change, t *touch) bool {
	found := [2]query.Truth{query.No, query.No}
	for k, i := range [...]*change.Image{ch.Before, ch.After} {
		if i == nil {
			continue
		}
		if found[k] = query.Match(where, &document{i, ch.ObjectID}); found[k] != query.No && !w.beyond(i) {
			return false
		}
	}
	if !w.counts {
		return true
	}
	// It is counted before and after, by the same readers, or neither.
	switch {
	case found[0] == query.No && found[1] == query.No:
		return true
	case found[0] == query.Yes && found[1] == query.Yes:
		return !t.mayHide() && !t.omitted
	}
	return false
}
