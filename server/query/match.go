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
type Document interface {
	// Field returns the value of a field (nil when the object lacks it) and whether it is known at all.
	Field(name string) (value any, known bool)
}

// Fields is a Document of which every field is known.
type Fields map[string]any

// Field implements Document.
func (f Fields) Field(name string) (any, bool) { return f[name], true }
