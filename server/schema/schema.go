// Package schema is what a class looks like: its fields with their types, its permissions, its indexes; how a type is
// inferred from a value, which names are valid, and the JSON in which parse-server stores all that in its _SCHEMA table.
//
// A Class is a value: it is never changed in place, so that one snapshot serves many requests at once. The package must
// not know of SQL, HTTP or who asks.
package schema

// Type is a Parse type, by its name in the schema API.
type Type string

// The types of the REST API.
const (
	String   Type = "String"
	Number   Type = "Number"
	Boolean  Type = "Boolean"
	Date     Type = "Date"
	Object   Type = "Object"
	Array    Type = "Array"
	Pointer  Type = "Pointer"
	Relation Type = "Relation"
	File     Type = "File"
	GeoPoint Type = "GeoPoint"
	Polygon  Type = "Polygon"
	Bytes    Type = "Bytes"
	ACL      Type = "ACL"
)

// Field is one field of a class.
type Field struct {
	Type        Type
	TargetClass string // of Pointer and Relation
	Required    bool
	Default     any // a value of package query; nil: none
	// Texts says of an Array that its elements are texts, which PostgreSQL keeps as text[]. Only _rperm and _wperm do.
	Texts bool
}

// Class is one class. The fields objectId, createdAt, updatedAt (and ACL, stored as _rperm and _wperm) are always there
// and are listed in Fields too, except for the classes that parse-server stores without them.
type Class struct {
	Name   string
	Fields map[string]Field
	// Columns is the order in which the database lists the fields that have a column; answers follow it.
	Columns []string
	// Permissions are the class-level permissions; nil: everything is public.
	Permissions *Permissions
	Indexes     map[string]map[string]any
}

// Permissions are class-level permissions: for each operation (get, find, count, create, update, delete, addField) the
// entities that may, and the rest as parse-server stores it.
type Permissions struct {
	Operations      map[string]map[string]any
	ReadUserFields  []string
	WriteUserFields []string
	ProtectedFields map[string][]string
	// ACL is the default ACL of new objects; nil: none.
	ACL map[string]map[string]bool
}

// Schema is every class at one moment. Version grows with each change of any class.
type Schema struct {
	Version uint64
	Classes map[string]*Class
}

// Class returns the class, or nil when there is none.
func (s *Schema) Class(name string) *Class { return s.Classes[name] }
