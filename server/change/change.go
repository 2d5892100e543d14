// Package change defines the Change, the one record of a write that everything else follows: the cache drops entries
// by it, LiveQuery publishes it, other workers learn from it. It also defines the frames in which a worker and its
// gateway exchange changes.
//
// It must not know who produces or consumes changes, nor of any transport beyond an io.Reader and an io.Writer.
package change

// Kind is what happened to an object or to its class.
type Kind uint8

// Create, Update and Delete concern one object; Schema and Purge a whole class.
const (
	Create Kind = iota + 1
	Update
	Delete
	// Schema: fields, indexes or permissions of the class changed. Nothing that was known of the class holds.
	Schema
	// Purge: any number of objects of the class are gone.
	Purge
)

// Change is one write, as the database will hold it once it is committed.
//
// A change of relation membership is a Change of the class "_Join:<field>:<Class>" with the fields owningId and
// relatedId and no object id.
type Change struct {
	App      string
	Class    string
	ObjectID string // "" for Schema, Purge and joins
	Kind     Kind
	// Before and After are the object's images; nil where there was or is none, or where it isn't known
	// (an Update has both or is treated as unknown).
	Before, After *Image
	// Touched are the fields the write named; nil when unknown.
	Touched []string
	// Version orders the changes of one object: a later commit has a larger one.
	Version uint64
}

// Image is an object as the matcher sees it: values of package query by field name, with "_rperm" and "_wperm" as
// []any of strings (absent: public).
type Image struct {
	Fields map[string]any
	// Omitted fields have a value that this image doesn't tell, because it is secret (password hashes, tokens, auth
	// data) or too large. The matcher answers Unknown for them.
	Omitted []string
	// Partial: fields that are not in Fields are unknown rather than missing.
	Partial bool
}

// Field implements query.Document.
func (i *Image) Field(name string) (any, bool) {
	if v, ok := i.Fields[name]; ok {
		return v, true
	}
	if i.Partial {
		return nil, false
	}
	for _, o := range i.Omitted {
		if o == name {
			return nil, false
		}
	}
	return nil, true
}
