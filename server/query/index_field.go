package query

// indexField is what is filed under one field.
type indexField[T comparable] struct {
	keys [keyKinds]map[key]*slots[T]
	// The spans of numbers, dates and texts.
	numbers, dates spanTree[uint64, T]
	texts          spanTree[string, T]
	// levels counts the cells of each level among the keys.
	levels [maxLevel + 1]int
	// json are the textKeys that a jsonb column might take for an Array or Object.
	json map[key]*slots[T]
	size int
}

// slots returns the list of a key, a new one if there is none.
func (f *indexField[T]) slots(name string, k key) *slots[T] {
	s := f.keys[k.kind][k]
	if s != nil {
		return s
	}
	s = &slots[T]{field: name, key: k}
	if f.keys[k.kind] == nil {
		f.keys[k.kind] = map[key]*slots[T]{}
	}
	f.keys[k.kind][k] = s
	f.size++
	if k.kind == areaKey {
		f.levels[k.bits>>56]++
	}
	if k.kind == textKey && mayBeJSON(k.text) {
		if f.json == nil {
			f.json = map[key]*slots[T]{}
		}
		f.json[k] = s
	}
	return s
}

// spanSlots returns the list of a span, a new one if there is none.
func (f *indexField[T]) spanSlots(name string, s valueSpan) *slots[T] {
	var list *slots[T]
	var fresh bool
	switch s.kind {
	case numberKey:
		list, fresh = f.numbers.at(s.numbers)
	case dateKey:
		list, fresh = f.dates.at(s.numbers)
	default:
		list, fresh = f.texts.at(s.texts)
	}
	if fresh {
		list.field, list.span = name, &s
		f.size++
	}
	return list
}

// spanList is the list of a span, nil if there is none.
func (f *indexField[T]) spanList(s valueSpan) *slots[T] {
	switch s.kind {
	case numberKey:
		return f.numbers.find(s.numbers)
	case dateKey:
		return f.dates.find(s.numbers)
	default:
		return f.texts.find(s.texts)
	}
}

func (f *indexField[T]) dropSpan(s valueSpan) {
	switch s.kind {
	case numberKey:
		f.numbers.remove(s.numbers)
	case dateKey:
		f.dates.remove(s.numbers)
	default:
		f.texts.remove(s.texts)
	}
	f.size--
}

// allSpans calls each with the lists of all spans of a kind.
func (f *indexField[T]) allSpans(kind keyKind, each func(*slots[T])) {
	switch kind {
	case numberKey:
		f.numbers.root.all(each)
	case dateKey:
		f.dates.root.all(each)
	case textKey:
		f.texts.root.all(each)
	}
}

func (f *indexField[T]) drop(k key) {
	if k.kind == areaKey {
		f.levels[k.bits>>56]--
	}
	delete(f.keys[k.kind], k)
	delete(f.json, k)
	f.size--
}

func (f *indexField[T]) empty() bool { return f.size == 0 }

// probe visits the entries under a field that a known value concerns. It mirrors which comparisons the matcher allows:
// a key or span with a value of its own kind, and where PostgreSQL would read one kind as another, all of that kind.
func (x *Index[T]) probe(field *indexField[T], v any, d Document, f func(T)) {
	switch v.(type) {
	case nil, []any:
	default:
		x.eachOfKind(field, elementKey, d, f)
	}
	switch v := v.(type) {
	case nil:
		x.eachOfKind(field, missingKey, d, f)
	case string, Pointer, File:
		x.eachOfKey(field, v, d, f)
		x.eachOfSpan(field, v, d, f)
		x.eachOfKind(field, dateKey, d, f)
	case float64, bool, Date:
		x.eachOfKey(field, v, d, f)
		x.eachOfSpan(field, v, d, f)
		x.eachOfKind(field, textKey, d, f)
	case []any:
		x.probeElements(field, v, d, f)
	case GeoPoint:
		for kind := range areaKey {
			x.eachOfKind(field, kind, d, f)
		}
		x.eachOfPlace(field, v, d, f)
	default:
		for kind := range keyKinds {
			x.eachOfKind(field, kind, d, f)
		}
	}
}

// probeElements: an array holds its elements, and has no order; but texts and dates are compared with all of its JSON.
func (x *Index[T]) probeElements(field *indexField[T], list []any, d Document, f func(T)) {
	for _, element := range list {
		x.eachOfKey(field, element, d, f)
		if s, ok := element.(string); ok && mayBeJSON(s) {
			// It might be the text of a Pointer that a $all asks for.
			x.eachOfKind(field, elementKey, d, f)
		}
	}
	for _, s := range field.json {
		x.each(s, d, f)
	}
	for _, kind := range [...]keyKind{textKey, dateKey} {
		field.allSpans(kind, func(s *slots[T]) { x.each(s, d, f) })
	}
}

func (x *Index[T]) eachOfKey(field *indexField[T], v any, d Document, f func(T)) {
	k, ok := keyOf(v)
	if !ok {
		return
	}
	if s := field.keys[k.kind][k]; s != nil {
		x.each(s, d, f)
	}
}

func (x *Index[T]) eachOfSpan(field *indexField[T], v any, d Document, f func(T)) {
	p, ok := point(v)
	if !ok {
		return
	}
	each := func(s *slots[T]) { x.each(s, d, f) }
	switch p.kind {
	case numberKey:
		field.numbers.root.stab(p.numbers.low, each)
	case dateKey:
		field.dates.root.stab(p.numbers.low, each)
	default:
		field.texts.root.stab(p.texts.low, each)
	}
}

// eachOfPlace visits the cells that a place is in, one of each level.
func (x *Index[T]) eachOfPlace(field *indexField[T], p GeoPoint, d Document, f func(T)) {
	if !onGlobe(p) {
		x.eachOfKind(field, areaKey, d, f)
		return
	}
	for level, n := range field.levels {
		if n == 0 {
			continue
		}
		column, row := cellAt(level, p.Latitude, p.Longitude)
		if s := field.keys[areaKey][cellKey(level, column, row)]; s != nil {
			x.each(s, d, f)
		}
	}
}

func (x *Index[T]) eachOfKind(field *indexField[T], kind keyKind, d Document, f func(T)) {
	for _, s := range field.keys[kind] {
		x.each(s, d, f)
	}
	field.allSpans(kind, func(s *slots[T]) { x.each(s, d, f) })
}
