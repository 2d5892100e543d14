package schema

import (
	"fmt"
	"strings"

	"github.com/parsescale/parsescale/server/query"
)

// Codes of the Parse API that this package answers with.
const (
	codeInvalidClassName = 103
	codeInvalidKeyName   = 105
	codeInvalidJSON      = 107
	codeIncorrectType    = 111
	codeMissingClass     = 135
)

// ValidClassName reports whether a class may have the name: a system class, a join table, or a word of letters, digits
// and "_" that starts with a letter.
func ValidClassName(name string) bool {
	if IsSystem(name) || ValidFieldName(name, name) {
		return true
	}
	field, class, ok := joinOf(name)
	return ok && isWord(field) && isWord(class)
}

// JoinTable returns the name of the table that holds the members of a relation.
func JoinTable(class, field string) string { return "_Join:" + field + ":" + class }

// joinOf splits the name of a join table.
func joinOf(table string) (field, class string, ok bool) {
	rest, ok := strings.CutPrefix(table, "_Join:")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, ":")
}

// ValidFieldName reports whether a field of the class may have the name: a letter, then letters, digits and "_", but
// neither "length" nor, except in _Hooks, "className".
func ValidFieldName(name, class string) bool {
	if name == "length" || name == "className" && class != Hooks {
		return false
	}
	return isWord(name) && isLetter(name[0])
}

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

func isWord(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isLetter(s[i]) && (s[i] < '0' || s[i] > '9') && s[i] != '_' {
			return false
		}
	}
	return s != ""
}

// CheckNewClass returns the error of the schema API for a class name that isn't valid.
func CheckNewClass(name string) error {
	if ValidClassName(name) {
		return nil
	}
	return &query.Error{Code: codeInvalidClassName, Message: BadClassName(name)}
}

// BadClassName is the schema API's message for a class name that isn't valid.
func BadClassName(name string) string {
	return "Invalid classname: " + name + ", classnames can only have alphanumeric characters and _, and must start with an alpha character "
}

// CheckClassName returns the error of saving an object to a class whose name isn't valid.
func CheckClassName(name string) error {
	if ValidClassName(name) {
		return nil
	}
	return &query.Error{Code: codeInvalidJSON, Message: "schema class name does not revalidate"}
}

// CheckFieldName returns the error for a field name that isn't valid.
func CheckFieldName(name, class string) error {
	if ValidFieldName(name, class) {
		return nil
	}
	return &query.Error{Code: codeInvalidKeyName, Message: fmt.Sprintf("Invalid field name: %s.", name)}
}

// CheckField returns the schema API's error for a field whose type doesn't exist or lacks its class.
func CheckField(f Field) error {
	switch f.Type {
	case Pointer, Relation:
		if f.TargetClass == "" {
			return &query.Error{Code: codeMissingClass, Message: fmt.Sprintf("type %s needs a class name", f.Type)}
		}
		return CheckNewClass(f.TargetClass)
	case String, Number, Boolean, Date, Object, Array, File, GeoPoint, Polygon, Bytes:
		return nil
	}
	return &query.Error{Code: codeIncorrectType, Message: fmt.Sprintf("invalid field type: %s", f.Type)}
}
