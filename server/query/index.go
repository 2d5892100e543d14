package query

import "bytes"

// Index finds among many wheres those that a document may satisfy, in time that doesn't grow with the number of wheres
// as long as they ask for equality, an order, a prefix or a place of some field. T is the caller's handle. The zero Index is empty and ready for use;
// it isn't safe for concurrent use.
type Index[T comparable] struct {
	entries map[T][]*entry[T]
	fields  map[string]*indexField[T]
	// scan holds the wheres that have no access predicate: they are matched against every document.
	scan  slots[T]
	size  int
	epoch uint64
}

// entry is one where.
type entry[T comparable] struct {
	expr   Expr
	handle T
	// seen is the epoch of the last Each that came upon the entry.
	seen   uint64
	places []place[T]
}

// place is where an entry is filed.
type place[T comparable] struct {
	list *slots[T]
	at   int
}

// slots is an unordered list of entries; an entry knows its position, so that it is removed at once.
type slots[T comparable] struct {
	items []slot[T]
	// visits is how many documents it was looked at for, since the index had seen the first of them.
	visits, since uint64
	field         string // "" for the scan list
	key           key
	span          *valueSpan // of a list of spanTree; then there is no key
}

type slot[T comparable] struct {
	entry *entry[T]
	place int // index in entry.places
}

// Add files a where under a handle. One handle may have several wheres.
func (x *Index[T]) Add(e Expr, t T) {
	if x.entries == nil {
		x.entries = map[T][]*entry[T]{}
		x.fields = map[string]*indexField[T]{}
	}
	n := &entry[T]{expr: e, handle: t}
	x.entries[t] = append(x.entries[t], n)
	x.size++
	list, ok := predicates(e, x.selectivity)
	if !ok { // what was seen may prefer more predicates than a where may have
		list, ok = predicates(e, guessed)
	}
	if !ok {
		x.file(n, &x.scan)
		return
	}
	for _, p := range list {
		f := x.fields[p.field]
		if f == nil {
			f = &indexField[T]{}
			x.fields[p.field] = f
		}
		if p.span != nil {
			x.file(n, f.spanSlots(p.field, *p.span))
		}
		for _, k := range p.keys {
			x.file(n, f.slots(p.field, k))
		}
	}
}

func (x *Index[T]) file(n *entry[T], s *slots[T]) {
	if last := len(s.items); last > 0 && s.items[last-1].entry == n {
		return // a repeated key
	}
	if len(s.items) == 0 {
		s.visits, s.since = 0, x.epoch
	}
	n.places = append(n.places, place[T]{s, len(s.items)})
	s.items = append(s.items, slot[T]{n, len(n.places) - 1})
}

// Remove takes a where back that was added under this handle; which of two equal ones plays no part. A where that isn't
// there is no error.
func (x *Index[T]) Remove(e Expr, t T) {
	list := x.entries[t]
	i := position(list, e)
	if i < 0 {
		return
	}
	n := list[i]
	list[i] = list[len(list)-1]
	list[len(list)-1] = nil
	if list = list[:len(list)-1]; len(list) == 0 {
		delete(x.entries, t)
	} else {
		x.entries[t] = list
	}
	x.size--
	for _, p := range n.places {
		x.unfile(p)
	}
}

// position finds the entry of a where with the same canonical form.
func position[T comparable](list []*entry[T], e Expr) int {
	if len(list) == 0 {
		return -1
	}
	want := AppendCanonical(nil, e)
	var have []byte
	for i, n := range list {
		if have = AppendCanonical(have[:0], n.expr); bytes.Equal(have, want) {
			return i
		}
	}
	return -1
}

func (x *Index[T]) unfile(p place[T]) {
	s := p.list
	last := len(s.items) - 1
	moved := s.items[last]
	s.items[p.at] = moved
	moved.entry.places[moved.place].at = p.at
	s.items[last] = slot[T]{}
	s.items = s.items[:last]
	if last > 0 || s == &x.scan {
		return
	}
	f := x.fields[s.field]
	if s.span != nil {
		f.dropSpan(*s.span)
	} else {
		f.drop(s.key)
	}
	if f.empty() {
		delete(x.fields, s.field)
	}
}

// Len is the number of wheres.
func (x *Index[T]) Len() int { return x.size }

// Scanned is the number of wheres that are matched against every document.
func (x *Index[T]) Scanned() int { return len(x.scan.items) }

// Selective reports whether a where is found without being matched against every document, whatever an index has seen.
func Selective(e Expr) bool {
	_, ok := predicates(e, guessed)
	return ok
}

// Each calls f once for every where that d satisfies or may satisfy: those for which Match answers Yes or Unknown.
// f must not change the index.
func (x *Index[T]) Each(d Document, f func(T)) {
	x.epoch++
	x.each(&x.scan, d, f)
	for name, field := range x.fields {
		v, known := d.Field(name)
		if !known {
			for kind := range keyKinds {
				x.eachOfKind(field, kind, d, f)
			}
			continue
		}
		x.probe(field, v, d, f)
	}
}

func (x *Index[T]) each(s *slots[T], d Document, f func(T)) {
	s.visits++
	for i := range s.items {
		n := s.items[i].entry
		if n.seen == x.epoch {
			continue
		}
		n.seen = x.epoch
		if Match(n.expr, d) != No {
			f(n.handle)
		}
	}
}
