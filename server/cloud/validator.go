package cloud

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/trigger"
)

// Validator is checked before a function or a trigger runs. The zero value lets everybody in. The master key is let in
// unchecked, unless ValidateMasterKey is set.
type Validator struct {
	// RequireUser lets only users in who are logged in; RequireMaster only the master key.
	RequireUser, RequireMaster bool
	// RequireAnyUserRoles lets only users in who have one of the roles, RequireAllUserRoles those who have all of them.
	// Roles are known by their names.
	RequireAnyUserRoles, RequireAllUserRoles []string
	// RequireUserKeys lets only users in who have values in all these fields.
	RequireUserKeys []string
	// UserKeys are conditions on fields of the user: their Options, Valid and Error count.
	UserKeys map[string]Field
	// ValidateMasterKey checks the master key like anybody else.
	ValidateMasterKey bool
	// SkipWithMasterKey doesn't run a trigger for the master key. Functions run all the same.
	SkipWithMasterKey bool
	// Fields are conditions on parameters of a function, or on fields of a trigger's object.
	Fields map[string]Field
}

// Field is a condition on a parameter of a function, or on a field of an object.
type Field struct {
	// Required ones must be there; Default is what a missing one is, nil for none.
	Required bool
	Default  any
	// Constant fields of an object keep their first value; that of a new object is Default, if there is one.
	Constant bool
	// Type is the kind of value: string, number, boolean, array or object; "" for any.
	Type string
	// Options are the only values that may be had; nil: all may.
	Options []any
	// Valid reports whether a value may be had; nil: all may.
	Valid func(v any) bool
	// Error is the message about a value that may not be had; "" for parse-server's.
	Error string
}

func refuse(format string, args ...any) error {
	return parseerror.New(parseerror.Validation, "Validation failed. "+format, args...)
}

// checkCall checks the call of a function, with parse-server's messages.
func (v *Validator) checkCall(r *Request) error {
	if r.Master && !v.ValidateMasterKey {
		return nil
	}
	if err := v.checkCaller(r.User != nil, r.Master); err != nil {
		return err
	}
	if err := v.checkFields(r.Params, nil, false); err != nil {
		return err
	}
	if err := v.checkRoles(r.Roles); err != nil {
		return err
	}
	return v.checkUserKeys(r.User, r.User != nil)
}

// checkTrigger checks the request of a trigger, with parse-server's messages. A user who signs up counts as logged in.
func (v *Validator) checkTrigger(r *trigger.Request) error {
	if r.Master && !v.ValidateMasterKey {
		return nil
	}
	user := r.User
	if user == nil && r.Object != nil && r.Class == "_User" && !r.Object.Existed() {
		user = r.Object.Values()
	}
	if err := v.checkCaller(user != nil, r.Master); err != nil {
		return err
	}
	fields := map[string]any{}
	if r.Object != nil {
		fields = r.Object.JSON()
	}
	if err := v.checkFields(fields, r.Object, r.Original != nil); err != nil {
		return err
	}
	if err := v.checkRoles(r.Roles); err != nil {
		return err
	}
	return v.checkUserKeys(user, user != nil)
}

func (v *Validator) checkCaller(loggedIn, master bool) error {
	switch {
	case !loggedIn && (v.RequireUser || v.RequireAnyUserRoles != nil || v.RequireAllUserRoles != nil):
		return refuse("Please login to continue.")
	case v.RequireMaster && !master:
		return refuse("Master key is required to complete this request.")
	}
	return nil
}

// checkFields checks values by name. object, if not nil, is the object that they are of; existed: it was there before.
func (v *Validator) checkFields(values map[string]any, object *trigger.Object, existed bool) error {
	names := slices.Sorted(maps.Keys(v.Fields))
	for _, name := range names {
		f := v.Fields[name]
		value, there := values[name]
		if value == nil && f.Default != nil {
			values[name], value, there = f.Default, f.Default, true
			if object != nil {
				object.Set(name, f.Default)
			}
		}
		if f.Constant && object != nil {
			if existed {
				object.Revert(name)
			} else if f.Default != nil {
				object.Set(name, f.Default)
			}
		}
		switch {
		case value == nil && f.Required:
			return refuse("Please specify data for %s.", name)
		case there && f.Type != "" && kindOf(value) != f.Type:
			return refuse("Invalid type for %s. Expected: %s", name, f.Type)
		}
	}
	for _, name := range names {
		f := v.Fields[name]
		if value, there := values[name]; there || f.Required {
			if err := f.check(name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// check checks what values a field may have.
func (f *Field) check(name string, v any) error {
	ok, message := true, ""
	switch {
	case f.Options != nil:
		ok = slices.ContainsFunc(f.Options, func(o any) bool { return query.Equal(o, v) })
		message = "Invalid option for " + name + ". Expected: " + listed(f.Options)
	case f.Valid != nil:
		ok = f.Valid(v)
		message = "Invalid value for " + name + "."
	}
	switch {
	case ok:
		return nil
	case f.Error != "":
		return parseerror.New(parseerror.Validation, "%s", f.Error)
	}
	return refuse("%s", message)
}

func listed(values []any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprint(v)
	}
	return strings.Join(texts, ", ")
}

func (v *Validator) checkRoles(roles []string) error {
	has := func(role string) bool { return slices.Contains(roles, role) }
	if v.RequireAnyUserRoles != nil && !slices.ContainsFunc(v.RequireAnyUserRoles, has) {
		return refuse("User does not match the required roles.")
	}
	for _, role := range v.RequireAllUserRoles {
		if !has(role) {
			return refuse("User does not match all the required roles.")
		}
	}
	return nil
}

func (v *Validator) checkUserKeys(user map[string]any, loggedIn bool) error {
	if !loggedIn && len(v.RequireUserKeys)+len(v.UserKeys) > 0 {
		return parseerror.New(parseerror.Validation, "Please login to make this request.")
	}
	for _, key := range v.RequireUserKeys {
		if user[key] == nil {
			return refuse("Please set data for %s on your account.", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(v.UserKeys)) {
		f := v.UserKeys[key]
		if err := f.check(key, user[key]); err != nil {
			return err
		}
	}
	return nil
}

// kindOf is JavaScript's typeof, but for arrays and dates.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "boolean"
	case []any:
		return "array"
	case query.Date:
		return "date"
	}
	return "object"
}
