package auth

import (
	"slices"
	"testing"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

func user(id string, roles ...string) *Auth { return &Auth{UserID: id, Roles: roles} }

func me(id string) query.Pointer { return query.Pointer{ClassName: schema.User, ObjectID: id} }

func TestReadersAndAdmits(t *testing.T) {
	public, ann := &Auth{}, user("ann", "role:A", "role:B")
	master, maintenance := &Auth{Caller: Caller{Master: true}}, &Auth{Caller: Caller{Maintenance: true}}
	if got := public.Readers(); !slices.Equal(got, []string{"*"}) {
		t.Errorf("public reads as %v", got)
	}
	if got := ann.Readers(); !slices.Equal(got, []string{"*", "ann", "role:A", "role:B"}) {
		t.Errorf("a user reads as %v", got)
	}
	if master.Readers() != nil || maintenance.Readers() != nil {
		t.Error("an ACL binds a privileged key")
	}
	for _, tt := range []struct {
		name        string
		perm        any
		public, ann bool
	}{
		{"no ACL", nil, true, true},
		{"nobody", []any{}, false, false},
		{"everybody", []any{"*"}, true, true},
		{"the user", []any{"ann"}, false, true},
		{"a role", []any{"x", "role:B"}, false, true},
		{"others", []any{"bob", "role:C", "A"}, false, false},
		{"not a list", "ann", false, false},
		{"no names", []any{nil, 1.0, ""}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if public.Admits(tt.perm) != tt.public || ann.Admits(tt.perm) != tt.ann {
				t.Errorf("public %v, ann %v", public.Admits(tt.perm), ann.Admits(tt.perm))
			}
			if !master.Admits(tt.perm) || !maintenance.Admits(tt.perm) {
				t.Error("refuses a privileged key")
			}
		})
	}
}

// TestGrantWhereAndAdmitsAgree: reads use the condition, writes look at the locked object; both must let the same
// objects through.
func TestGrantWhereAndAdmitsAgree(t *testing.T) {
	class := schema.New("C", map[string]schema.Field{
		"owner": {Type: schema.Pointer, TargetClass: schema.User}, "list": {Type: schema.Array},
		"other": {Type: schema.Pointer, TargetClass: "D"}, "text": {Type: schema.String},
	})
	objects := []storage.Object{
		{}, {"owner": me("ann")}, {"owner": me("bob")}, {"list": []any{me("bob"), me("ann")}}, {"list": []any{}}, {"list": []any{"ann"}},
		{"owner": me("bob"), "list": []any{me("ann")}}, {"other": query.Pointer{ClassName: "D", ObjectID: "ann"}}, {"text": "ann"},
		{"list": []any{query.Pointer{ClassName: "D", ObjectID: "ann"}}},
	}
	for _, fields := range [][]any{{"owner"}, {"list"}, {"owner", "list"}, {"other"}, {"text"}, {"nosuch"}} {
		class.Permissions = schema.PermissionsOf(map[string]any{"get": map[string]any{"pointerFields": fields}})
		for _, who := range []*Auth{user("ann"), user("bob"), {}} {
			g, err := who.Permit(class, "get", false)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range objects {
				yes := query.Match(g.Where(), query.Fields(o)) == query.Yes
				if yes != g.Admits(o) {
					t.Errorf("%v by %q of %v: the condition says %v, Admits %v", fields, who.UserID, o, yes, g.Admits(o))
				}
			}
		}
	}
}

func TestPermitAddField(t *testing.T) {
	class := schema.New("C", map[string]schema.Field{"owner": {Type: schema.Pointer, TargetClass: schema.User}})
	class.Permissions = schema.PermissionsOf(map[string]any{"addField": map[string]any{"pointerFields": []any{"owner"}}, "writeUserFields": []any{"owner"}})
	if _, err := user("ann").Permit(class, "addField", false); parseerror.From(err) == nil {
		t.Error("pointers let a new object add a field")
	}
	g, err := user("ann").Permit(class, "addField", true)
	if err != nil || g.All() || g.Admits(storage.Object{}) || !g.Admits(storage.Object{"owner": me("ann")}) {
		t.Errorf("%+v %v", g, err)
	}
	if _, err := user("ann").Permit(class, "create", false); parseerror.From(err) == nil {
		t.Error("pointers let an object be made")
	}
}

func TestProtection(t *testing.T) {
	class := schema.New("C", nil)
	class.Permissions = schema.PermissionsOf(map[string]any{"protectedFields": map[string]any{
		"*": []any{"a", "b", "c", "d"}, "authenticated": []any{"a", "b", "c"}, "role:A": []any{"a", "b"}, "role:B": []any{"b", "c"},
		"ann": []any{"b", "x"}, "userField:owner": []any{"a"}, "userField:list": []any{},
	}})
	r := NewRules(Options{ProtectedFields: map[string]map[string][]string{"C": {"*": {"e"}, "authenticated": {"e"}}}})
	for _, tt := range []struct {
		name string
		who  *Auth
		o    storage.Object
		want string
	}{
		{"public", &Auth{}, nil, "a b c d e"},
		{"a user", user("bob"), nil, "a b c e"},
		{"a member", user("bob", "role:A"), nil, "a b"},
		{"a member of both", user("bob", "role:A", "role:B"), nil, "b"},
		{"a user by name", user("ann"), nil, "b"},
		{"an owner", user("bob"), storage.Object{"owner": me("bob")}, "a"},
		{"another's", user("bob"), storage.Object{"owner": me("eve")}, "a b c e"},
		{"in the list", user("bob"), storage.Object{"list": []any{me("eve"), me("bob")}}, ""},
		{"public, whatever the object", &Auth{}, storage.Object{"list": []any{me("")}}, "a b c d e"},
		{"master", &Auth{Caller: Caller{Master: true}}, nil, ""},
		{"read-only", &Auth{Caller: Caller{Master: true, ReadOnly: true}}, nil, ""},
		{"maintenance", &Auth{Caller: Caller{Maintenance: true}}, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for f := range r.Protection(class, tt.who).Of("id", tt.o) {
				got = append(got, f)
			}
			slices.Sort(got)
			text := ""
			for i, f := range got {
				if i > 0 {
					text += " "
				}
				text += f
			}
			if text != tt.want {
				t.Errorf("hides %q, want %q", text, tt.want)
			}
		})
	}
}

func TestOwnersSeeThemselves(t *testing.T) {
	class := schema.New(schema.User, nil)
	ann := user("ann")
	for _, exempt := range []bool{true, false} {
		o := DefaultOptions()
		o.ProtectedFieldsOwnerExempt = exempt
		p := NewRules(o).Protection(class, ann)
		if hidden := p.Of("ann", storage.Object{})["email"]; hidden == exempt {
			t.Errorf("exempt %v: own email hidden %v", exempt, hidden)
		}
		if !p.Of("bob", storage.Object{})["email"] {
			t.Error("another's email is shown")
		}
	}
}
