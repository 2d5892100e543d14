package auth

import (
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// Grant is what the class-level permissions leave of an operation.
type Grant struct {
	// Fields, if not empty, limit the operation to objects of which one of these fields points to the user.
	Fields []string
	// Nobody: the operation is limited that way, and there is no user.
	Nobody bool

	class  *schema.Class
	userID string
}

// All reports whether the operation isn't limited.
func (g Grant) All() bool { return !g.Nobody && len(g.Fields) == 0 }

// Permit decides by the class-level permissions whether the caller may do op (get, find, count, create, update, delete
// or addField) to objects of the class; class may be nil when there is none yet. isUpdate says, for addField, that the
// object exists already: pointer permissions speak of existing objects only.
//
// The rules are parse-server's: "*", the user id and roles grant it; requiresAuthentication grants it to any user and is
// error 101 without one; pointerFields and the class's readUserFields or writeUserFields grant it for some objects.
func (a *Auth) Permit(class *schema.Class, op string, isUpdate bool) (Grant, error) {
	if a.Privileged() || class == nil || class.Permissions == nil {
		return Grant{}, nil
	}
	p := class.Permissions
	entities := p.Operations[op]
	for entity, v := range entities {
		if v == true && entity != "requiresAuthentication" && a.Is(entity) {
			return Grant{}, nil
		}
	}
	group := p.WriteUserFields
	if op == "get" || op == "find" || op == "count" {
		group = p.ReadUserFields
	}
	var fields []string
	if op != "create" && (op != "addField" || isUpdate) {
		fields = union(names(entities["pointerFields"]), group)
	}
	g := Grant{Fields: fields, class: class, userID: a.UserID}
	g.Nobody = len(fields) > 0 && a.UserID == ""
	if entities["requiresAuthentication"] == true {
		if a.UserID == "" {
			return Grant{}, parseerror.Denied(parseerror.ObjectNotFound, "Permission denied, user needs to be authenticated.")
		}
		return g, nil
	}
	if len(fields) == 0 {
		return Grant{}, parseerror.Denied(parseerror.OperationForbidden, "Permission denied for action %s on class %s.", op, class.Name)
	}
	return g, nil
}

// PermitsAll reports whether the class-level permissions let everybody do op (get, find or count) to all objects.
func PermitsAll(class *schema.Class, op string) bool {
	g, err := (&Auth{}).Permit(class, op, false)
	return err == nil && g.All()
}

// Where returns the condition objects must meet; nil when they needn't.
func (g Grant) Where() query.Expr {
	if g.All() {
		return nil
	}
	if g.Nobody {
		return query.Or{}
	}
	me := query.Pointer{ClassName: schema.User, ObjectID: g.userID}
	or := make(query.Or, 0, len(g.Fields))
	for _, f := range g.Fields {
		switch g.class.Fields[f].Type {
		case schema.Pointer:
			if g.class.Fields[f].TargetClass == schema.User {
				or = append(or, &query.Compare{Path: query.Path(f), Op: query.Eq, Value: me})
			}
		case schema.Array:
			or = append(or, &query.All{Path: query.Path(f), Values: []any{me}})
		}
	}
	return or
}

// Admits reports whether the object meets Where.
func (g Grant) Admits(o storage.Object) bool {
	if g.All() {
		return true
	}
	if g.Nobody {
		return false
	}
	for _, f := range g.Fields {
		if pointsTo(o[f], g.userID) {
			return true
		}
	}
	return false
}

// pointsTo reports whether a value is a pointer to the user, or an array that holds one.
func pointsTo(v any, userID string) bool {
	switch v := v.(type) {
	case query.Pointer:
		return v.ClassName == schema.User && v.ObjectID == userID
	case []any:
		for _, e := range v {
			if p, ok := e.(query.Pointer); ok && p.ClassName == schema.User && p.ObjectID == userID {
				return true
			}
		}
	}
	return false
}

// names returns a list of strings as the schema stores it.
func names(v any) []string {
	switch v := v.(type) {
	case []string:
		return v
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

func union(a, b []string) []string {
	if len(b) == 0 {
		return a
	}
	out := make([]string, 0, len(a)+len(b))
	seen := make(map[string]bool, len(a)+len(b))
	for _, list := range [][]string{a, b} {
		for _, s := range list {
			if !seen[s] {
				seen[s] = true
				out = append(out, s)
			}
		}
	}
	return out
}
