package schema

import (
	"fmt"

	"github.com/parsescale/parsescale/server/query"
)

// String returns the type as parse-server's messages print it: Pointer<_User>, Number.
func (f Field) String() string {
	if f.TargetClass != "" {
		return string(f.Type) + "<" + f.TargetClass + ">"
	}
	return string(f.Type)
}

// Infer returns the field type a REST value asks for. A nil value asks for none: ok is false.
func Infer(v any) (f Field, ok bool) {
	switch v := v.(type) {
	case string:
		f.Type = String
	case float64:
		f.Type = Number
	case bool:
		f.Type = Boolean
	case query.Date:
		f.Type = Date
	case query.Pointer:
		f = Field{Type: Pointer, TargetClass: v.ClassName}
	case query.Relation:
		f = Field{Type: Relation, TargetClass: v.ClassName}
	case query.File:
		f.Type = File
	case query.GeoPoint:
		f.Type = GeoPoint
	case query.Polygon:
		f.Type = Polygon
	case query.Bytes:
		f.Type = Bytes
	case []any:
		f.Type = Array
	case map[string]any:
		f.Type = Object
	default:
		return Field{}, false
	}
	return f, true
}

// Accepts reports whether a field of type f takes a value of the type got.
func (f Field) Accepts(got Field) bool {
	return f.Type == got.Type && (f.Type != Pointer && f.Type != Relation || f.TargetClass == got.TargetClass)
}

// Check returns the error of writing a value of the type got to the field name of class, or nil.
func (f Field) Check(class, name string, got Field) error {
	if f.Accepts(got) {
		return nil
	}
	return Mismatch(class, name, f, got)
}

// Mismatch is the error for a value of another type than the field has.
func Mismatch(class, name string, want, got Field) error {
	return &query.Error{Code: codeIncorrectType, Message: fmt.Sprintf("schema mismatch for %s.%s; expected %s but got %s", class, name, want, got)}
}

// DefaultMismatch is the schema API's error for a default value of another type than the field has.
func DefaultMismatch(class, name string, want, got Field) error {
	return &query.Error{Code: codeIncorrectType, Message: fmt.Sprintf("schema mismatch for %s.%s default value; expected %s but got %s", class, name, want, got)}
}
