package cloud

import (
	"testing"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/trigger"
)

func TestValidator(t *testing.T) {
	ann := map[string]any{"username": "ann", "phone": "1"}
	for name, c := range map[string]struct {
		v    Validator
		r    trigger.Request
		want string
	}{
		"nothing is asked":             {Validator{}, trigger.Request{}, ""},
		"nobody is logged in":          {Validator{RequireUser: true}, trigger.Request{}, "Validation failed. Please login to continue."},
		"somebody is":                  {Validator{RequireUser: true}, trigger.Request{User: ann}, ""},
		"the master key needn't":       {Validator{RequireUser: true}, trigger.Request{Master: true}, ""},
		"it needs to":                  {Validator{RequireUser: true, ValidateMasterKey: true}, trigger.Request{Master: true}, "Validation failed. Please login to continue."},
		"no master key":                {Validator{RequireMaster: true}, trigger.Request{User: ann}, "Validation failed. Master key is required to complete this request."},
		"who signs up is logged in":    {Validator{RequireUser: true}, trigger.Request{Class: "_User", Object: trigger.NewObject("_User", nil)}, ""},
		"who changes a user isn't":     {Validator{RequireUser: true}, trigger.Request{Class: "_User", Object: trigger.NewObject("_User", ann)}, "Validation failed. Please login to continue."},
		"roles need a user":            {Validator{RequireAnyUserRoles: []string{"a"}}, trigger.Request{}, "Validation failed. Please login to continue."},
		"any role":                     {Validator{RequireAnyUserRoles: []string{"a", "b"}}, trigger.Request{User: ann, Roles: []string{"b"}}, ""},
		"none of the roles":            {Validator{RequireAnyUserRoles: []string{"a", "b"}}, trigger.Request{User: ann, Roles: []string{"c"}}, "Validation failed. User does not match the required roles."},
		"no role will do":              {Validator{RequireAnyUserRoles: []string{}}, trigger.Request{User: ann}, "Validation failed. User does not match the required roles."},
		"all roles":                    {Validator{RequireAllUserRoles: []string{"a", "b"}}, trigger.Request{User: ann, Roles: []string{"a", "b"}}, ""},
		"not all roles":                {Validator{RequireAllUserRoles: []string{"a", "b"}}, trigger.Request{User: ann, Roles: []string{"a"}}, "Validation failed. User does not match all the required roles."},
		"a field of the user":          {Validator{RequireUserKeys: []string{"phone"}}, trigger.Request{User: ann}, ""},
		"a field that the user lacks":  {Validator{RequireUserKeys: []string{"name"}}, trigger.Request{User: ann}, "Validation failed. Please set data for name on your account."},
		"fields need a user":           {Validator{RequireUserKeys: []string{"name"}}, trigger.Request{}, "Please login to make this request."},
		"a value of the user":          {Validator{UserKeys: map[string]Field{"phone": {Options: []any{"1"}}}}, trigger.Request{User: ann}, ""},
		"another value of the user":    {Validator{UserKeys: map[string]Field{"phone": {Options: []any{"2", 3.0}}}}, trigger.Request{User: ann}, "Validation failed. Invalid option for phone. Expected: 2, 3"},
		"with an error of one's own":   {Validator{UserKeys: map[string]Field{"phone": {Options: []any{"2"}, Error: "no"}}}, trigger.Request{User: ann}, "no"},
		"with a function":              {Validator{UserKeys: map[string]Field{"phone": {Valid: func(any) bool { return false }}}}, trigger.Request{User: ann}, "Validation failed. Invalid value for phone."},
		"a field that is missing":      {Validator{Fields: map[string]Field{"a": {Required: true}}}, trigger.Request{Object: trigger.NewObject("A", nil)}, "Validation failed. Please specify data for a."},
		"one that may be missing":      {Validator{Fields: map[string]Field{"a": {Type: "number", Options: []any{1.0}}}}, trigger.Request{Object: trigger.NewObject("A", nil)}, ""},
		"one of another type":          {Validator{Fields: map[string]Field{"a": {Type: "array"}}}, trigger.Request{Object: trigger.NewObject("A", map[string]any{"a": "x"})}, "Validation failed. Invalid type for a. Expected: array"},
		"the first of two by its name": {Validator{Fields: map[string]Field{"b": {Required: true}, "a": {Required: true}}}, trigger.Request{Object: trigger.NewObject("A", nil)}, "Validation failed. Please specify data for a."},
	} {
		t.Run(name, func(t *testing.T) {
			err := parseerror.From(c.v.checkTrigger(&c.r))
			if c.want == "" && err == nil {
				return
			}
			if err == nil || err.Code != parseerror.Validation || err.Message != c.want {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestConstantFields(t *testing.T) {
	v := Validator{Fields: map[string]Field{"a": {Constant: true, Default: 3.0}, "b": {Default: "x"}}}
	o := trigger.NewObject("A", nil)
	o.Pending("a", 9.0, 9.0)
	if err := v.checkTrigger(&trigger.Request{Object: o}); err != nil || o.Get("a") != 3.0 || o.Get("b") != "x" {
		t.Error(err, o.Values())
	}
	o = trigger.NewObject("A", map[string]any{"a": 3.0, "b": "y"})
	o.Pending("a", 9.0, 9.0)
	if err := v.checkTrigger(&trigger.Request{Object: o, Original: o}); err != nil || o.Get("a") != 3.0 || o.Get("b") != "y" || o.Dirty("a") {
		t.Error(err, o.Values())
	}
}
