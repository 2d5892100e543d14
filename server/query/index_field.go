package query

// indexField is what is filed under one field. Further kinds of access predicates (ranges, prefixes, areas) get their
// own structure here, beside keys, and their part in probe.
type indexField[T comparable] struct {
	keys [keyKinds]map[key]*slots[T]
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
	if k.kind == textKey && mayBeJSON(k.text) {
		if f.json == nil {
			f.json = map[key]*slots[T]{}
		}
		f.json[k] = s
	}
	return s
}

func (f *indexField[T]) drop(k key) {
	delete(f.keys[k.kind], k)
	delete(f.json, k)
	f.size--
}

func (f *indexField[T]) empty() bool { return f.size == 0 }

// probe visits the entries under a field that a known value concerns. It mirrors which comparisons the matcher allows:
// a key with a value of its own kind, and where PostgreSQL would read one kind as another, all keys of that kind.
func (x *Index[T]) probe(field *indexField[T], v any, d Document, f func(T)) {
	switch v.(type) {
	case nil, []any:
	default:
		x.eachOfKind(field, elementKey, d, f)
	}
	switch v := v.(type) {
	case nil:
		x.eachOfKind(field, missingKey, d, f)
	case string:
		x.eachOfKey(field, v, d, f)
		x.eachOfKind(field, dateKey, d, f)
	case Pointer, File:
		x.eachOfKey(field, v, d, f)
		x.eachOfKind(field, dateKey, d, f)
	case float64, bool, Date:
		x.eachOfKey(field, v, d, f)
		x.eachOfKind(field, textKey, d, f)
	case []any:
		for _, element := range v {
			x.eachOfKey(field, element, d, f)
			if s, ok := element.(string); ok && mayBeJSON(s) {
				// It might be the text of a Pointer that a $all asks for.
				x.eachOfKind(field, elementKey, d, f)
			}
		}
		for _, s := range field.json {
			x.each(s, d, f)
		}
	default:
		for kind := range keyKinds {
			x.eachOfKind(field, kind, d, f)
		}
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

func (x *Index[T]) eachOfKind(field *indexField[T], kind keyKind, d Document, f func(T)) {
	for _, s := range field.keys[kind] {
		x.each(s, d, f)
	}
}
