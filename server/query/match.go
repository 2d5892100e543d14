package query

// Truth is an answer in three-valued logic.
type Truth uint8

// No, Yes and Unknown. Unknown stands for "cannot be decided from what is known": whoever asks must take it as affected.
const (
	No Truth = iota
	Yes
	Unknown
)

// Document is what a where is matched against: an object's fields, perhaps not all of them.
//
// A field that the object's row can't show, such as a Relation, must be told as unknown or as a Relation value: taken
// for missing, it would match nothing.
type Document interface {
	// Field returns the value of a field (nil when the object lacks it) and whether it is known at all.
	Field(name string) (value any, known bool)
}

// Fields is a Document of which every field is known.
type Fields map[string]any

// Field implements Document.
func (f Fields) Field(name string) (any, bool) { return f[name], true }

// Match decides whether d satisfies e, by the semantics of parse-server on PostgreSQL with the C collation. It knows
// values, not the types of columns; what depends on these is Unknown, as are sub-queries, $relatedTo and operators
// that nothing here evaluates. A No is certain.
func Match(e Expr, d Document) Truth { return evaluate(e, d).truth() }

func evaluate(e Expr, d Document) outcome {
	switch e := e.(type) {
	case nil:
		return isTrue
	case And:
		return allOf(e, d)
	case Or:
		return anyOf(e, d)
	case Nor:
		return noneOf(e, d)
	case *Compare:
		return at(d, e.Path, e, compareField, comparePath)
	case *In:
		return at(d, e.Path, e, inField, inPath)
	case *All:
		return at(d, e.Path, e, allField, func(*All, any, bool) outcome { return anything })
	case *ContainedBy:
		return at(d, e.Path, e, containedByField, func(*ContainedBy, any, bool) outcome { return anything })
	case *Exists:
		return at(d, e.Path, e, existsField, existsPath)
	case *Regex:
		return at(d, e.Path, e, regexField, regexPath)
	case *Near:
		return at(d, e.Path, e, nearField, inObject)
	case *Box:
		return at(d, e.Path, e, boxField, inObject)
	case *Inside:
		return at(d, e.Path, e, insideField, inObject)
	case *Covers:
		return at(d, e.Path, e, coversField, inObject)
	case *Text:
		return at(d, e.Path, e, textField, inObject)
	}
	return anything
}

// at evaluates a condition on what path leads to: a field's value, or a place inside it (found tells whether there is
// one).
func at[E any](d Document, path Path, e E, field func(E, any) outcome, inside func(e E, v any, found bool) outcome) outcome {
	root := path.Root()
	v, known := d.Field(root)
	if !known {
		return anything
	}
	if _, relation := v.(Relation); relation {
		return anything
	}
	if len(root) == len(path) {
		return field(e, v)
	}
	v, found, ok := follow(v, string(path[len(root)+1:]))
	if !ok {
		return anything
	}
	return inside(e, v, found)
}

func existsField(e *Exists, v any) outcome { return holds((v != nil) == e.Want) }

// existsPath: PostgreSQL parse-server doesn't look inside a field. It drops {"$exists": false}, and finds nothing at all
// with {"$exists": true}.
func existsPath(e *Exists, v any, found bool) outcome {
	if !e.Want || found && v == nil {
		return anything
	}
	return holds(found)
}
