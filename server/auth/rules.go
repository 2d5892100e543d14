package auth

import (
	"strings"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/schema"
)

// Options are the options of access, by parse-server's names.
type Options struct {
	// AllowClientClassCreation lets callers without a privileged key name classes that don't exist. Default: false.
	AllowClientClassCreation bool
	// ProtectedFields are fields hidden by class and group, beside those of the class-level permissions.
	// parse-server's default is {"_User":{"*":["email"]}}.
	ProtectedFields map[string]map[string][]string
	// ProtectedFieldsOwnerExempt shows users their own protected fields. parse-server's default is true.
	ProtectedFieldsOwnerExempt bool
}

// DefaultOptions returns parse-server's defaults.
func DefaultOptions() Options {
	return Options{
		ProtectedFields:            map[string]map[string][]string{schema.User: {"*": {"email"}}},
		ProtectedFieldsOwnerExempt: true,
	}
}

// Rules are the decisions that depend on the options. They are safe for concurrent use.
type Rules struct{ o Options }

// NewRules returns the rules of a site.
func NewRules(o Options) *Rules { return &Rules{o} }

// CheckClass refuses what nobody but a privileged caller may do to the class, whatever its permissions say, and every
// write of the read-only master key. op is one of find, get, create, update and delete.
func (r *Rules) CheckClass(a Caller, op, class string) error {
	writes := op != "find" && op != "get"
	if !a.Privileged() {
		if class == schema.Installation && (op == "find" || op == "delete") {
			return parseerror.Denied(parseerror.OperationForbidden,
				"Clients aren't allowed to perform the %s operation on the installation collection.", op)
		}
		if schema.IsVolatile(class) || strings.HasPrefix(class, "_Join:") || class == "_SCHEMA" {
			return parseerror.Denied(parseerror.OperationForbidden,
				"Clients aren't allowed to perform the %s operation on the %s collection.", op, class)
		}
	}
	if a.ReadOnly && writes {
		return parseerror.Denied(parseerror.OperationForbidden, "read-only masterKey isn't allowed to perform the %s operation.", op)
	}
	return nil
}

// CheckExists refuses to name a class that doesn't exist, to callers who may not create classes.
func (r *Rules) CheckExists(a Caller, s *schema.Schema, class string) error {
	if r.o.AllowClientClassCreation || a.Privileged() || schema.IsSystem(class) || s.Class(class) != nil {
		return nil
	}
	return parseerror.Denied(parseerror.OperationForbidden, "This user is not allowed to access non-existent class: %s", class)
}
