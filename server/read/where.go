package read

import (
	"regexp"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
)

// scope is the class a condition speaks of, and what of it may be asked.
type scope struct {
	name   string
	class  *schema.Class
	hidden map[string]bool
	// own: the condition is about the caller's own user object, which hides nothing.
	own bool
}

// scope returns what may be asked of a class. A where that names the caller's own id is exempt from protected fields.
func (r *reading) scope(name string, class *schema.Class, p auth.Protection, where query.Expr) scope {
	s := scope{name: name, class: class, hidden: p.Hidden}
	if name == schema.User && r.a.UserID != "" && namesID(where, r.a.UserID) {
		s.own = true
		if p.OwnID != "" {
			s.hidden = nil
		}
	}
	return s
}

// namesID reports whether a where holds only for the object with the id.
func namesID(e query.Expr, id string) bool {
	switch e := e.(type) {
	case query.And:
		for _, t := range e {
			if namesID(t, id) {
				return true
			}
		}
	case *query.Compare:
		return e.Path == "objectId" && e.Op == query.Eq && e.Value == id
	}
	return false
}

// internal are the columns that a privileged caller may ask for, as in parse-server; nobody may ask for the password.
var internal = map[string]bool{
	"_email_verify_token": true, "_perishable_token": true, "_perishable_token_expires_at": true,
	"_email_verify_token_expires_at": true, "_failed_login_count": true, "_account_lockout_expires_at": true,
	"_password_changed_at": true, "_password_history": true, "_tombstone": true, "_session_token": true,
}

// tokens are those of them by which a user's password can be changed. Whoever may only read isn't to find them out by
// asking how they begin.
var tokens = map[string]bool{"_email_verify_token": true, "_perishable_token": true, "_password_history": true, "_session_token": true}

// authorize returns the condition as the caller may ask it: sub-queries bring their own permissions with them. A field
// that is hidden from the caller can't be asked for, or the answer would tell it: error 119.
func (r *reading) authorize(e query.Expr, s scope) (query.Expr, error) {
	switch e := e.(type) {
	case nil:
		return nil, nil
	case query.And:
		terms, err := r.authorizeAll(e, s)
		return query.And(terms), err
	case query.Or:
		terms, err := r.authorizeAll(e, s)
		return query.Or(terms), err
	case query.Nor:
		terms, err := r.authorizeAll(e, s)
		return query.Nor(terms), err
	case *query.Compare:
		return r.field(e, e.Path, s)
	case *query.In:
		return r.field(e, e.Path, s)
	case *query.All:
		return r.field(e, e.Path, s)
	case *query.ContainedBy:
		return r.field(e, e.Path, s)
	case *query.Exists:
		return r.field(e, e.Path, s)
	case *query.Regex:
		return r.field(e, e.Path, s)
	case *query.Near:
		return r.field(e, e.Path, s)
	case *query.Box:
		return r.field(e, e.Path, s)
	case *query.Inside:
		return r.field(e, e.Path, s)
	case *query.Covers:
		return r.field(e, e.Path, s)
	case *query.Text:
		return r.field(e, e.Path, s)
	case *query.Unsupported:
		return r.field(e, e.Path, s)
	case *query.InQuery:
		if _, err := r.field(e, e.Path, s); err != nil {
			return nil, err
		}
		sub, err := r.subQuery(e.Sub, "")
		return &query.InQuery{Path: e.Path, Sub: sub, Not: e.Not}, err
	case *query.Select:
		if _, err := r.field(e, e.Path, s); err != nil {
			return nil, err
		}
		sub, err := r.subQuery(e.Sub, e.Key)
		return &query.Select{Path: e.Path, Sub: sub, Key: e.Key, Not: e.Not}, err
	case *query.RelatedTo:
		return r.relatedTo(e)
	}
	return nil, parseerror.New(parseerror.InvalidQuery, "unsupported query")
}

func (r *reading) authorizeAll(terms []query.Expr, s scope) ([]query.Expr, error) {
	out := make([]query.Expr, len(terms))
	for i, t := range terms {
		var err error
		if out[i], err = r.authorize(t, s); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// field checks that a condition may name its field, and returns the condition.
func (r *reading) field(e query.Expr, p query.Path, s scope) (query.Expr, error) {
	root := p.Root()
	switch {
	case root == "":
		// An operator outside of any field: the database refuses it.
		return e, nil
	case root == "ACL":
		return nil, parseerror.New(parseerror.InvalidQuery, "Cannot query on ACL.")
	case root == "_rperm" || root == "_wperm":
		if r.a.Privileged() {
			return e, nil
		}
		// parse-server lets clients name them and then puts its own condition there.
		return query.And{}, nil
	case root[0] == '_' && !(r.a.Privileged() && internal[root] && !(r.a.ReadOnly && tokens[root])):
		return nil, parseerror.New(parseerror.InvalidKeyName, "Invalid key name: %s", string(p))
	}
	if r.secret(s, root) {
		return nil, parseerror.Denied(parseerror.OperationForbidden, "This user is not allowed to query %s on class %s", string(p), s.name)
	}
	return e, nil
}

// secret reports whether a field is hidden from the caller.
func (r *reading) secret(s scope, root string) bool {
	if s.hidden[root] {
		return true // from the read-only master key too
	}
	if r.a.Privileged() {
		return false
	}
	// Who can ask whether authData begins with an "a" can read it, and log in with an anonymous user's id.
	return s.name == schema.User && root == "authData" && !s.own
}

// subQuery returns a sub-query as the caller may ask it. key is the field it yields, if not the id.
func (r *reading) subQuery(q *query.SubQuery, key query.Path) (*query.SubQuery, error) {
	k := &question{name: q.Class}
	if err := r.rules.CheckClass(r.a.Caller, "find", k.name); err != nil {
		return nil, err
	}
	own, err := r.target(k, q.Redirect)
	if err != nil {
		return nil, err
	}
	class := r.sch.Class(k.name)
	s := r.scope(k.name, class, r.rules.Protection(class, r.a), q.Where)
	if key != "" {
		root := key.Root()
		if root == "" || root[0] == '_' || root == "ACL" || k.name == schema.User && root == "password" || r.secret(s, root) {
			return nil, parseerror.Denied(parseerror.OperationForbidden, "This user is not allowed to query %s on class %s", string(key), k.name)
		}
	}
	where, err := r.authorize(q.Where, s)
	if err != nil {
		return nil, err
	}
	order, err := r.sorts(q.Order, s)
	if err != nil {
		return nil, err
	}
	op := operation(own, q.Where)
	grant, err := r.a.Permit(class, op, false)
	if err != nil {
		return nil, err
	}
	if grant.Nobody && op == "get" {
		return nil, parseerror.NotFound()
	}
	out := &query.SubQuery{Class: k.name, Where: and(where, own, grant.Where()), Order: order, Limit: q.Limit, Skip: q.Skip}
	if max := r.o.SubqueryLimit; max > 0 && !r.a.Privileged() && (out.Limit == 0 || out.Limit > max) {
		out.Limit = max
	}
	return out, nil
}

// relatedTo lets the members of a relation be asked for by those who may read its owner; for others it has none. That the
// answer depends on that owner's rows of the join table, and on whether the owner can be read, the query tells by itself.
func (r *reading) relatedTo(e *query.RelatedTo) (query.Expr, error) {
	owner, id := e.Object.ClassName, e.Object.ObjectID
	class := r.sch.Class(owner)
	if class == nil || class.Fields[e.Key].Type != schema.Relation {
		return query.Or{}, nil
	}
	if r.a.Privileged() {
		return e, nil
	}
	if r.rules.Protection(class, r.a).Hidden[e.Key] {
		return nil, parseerror.Denied(parseerror.OperationForbidden, "This user is not allowed to query %s on class %s", e.Key, owner)
	}
	if r.rules.CheckClass(r.a.Caller, "get", owner) != nil {
		return query.Or{}, nil
	}
	grant, err := r.a.Permit(class, "get", false)
	if err != nil {
		return query.Or{}, nil
	}
	own, err := r.own(owner)
	if err != nil {
		return query.Or{}, nil
	}
	o, err := r.s.Get(r.ctx, class, id)
	if err != nil {
		return nil, err
	}
	if o == nil || !r.a.Admits(o["_rperm"]) || !grant.Admits(o) {
		return query.Or{}, nil
	}
	if p, _ := o["user"].(query.Pointer); own != nil && p.ObjectID != r.a.UserID {
		return query.Or{}, nil
	}
	return e, nil
}

// authDataID is what order may not name: the ids by which users log in.
var authDataID = regexp.MustCompile(`^authData\.[a-zA-Z0-9_]+\.id$`)

// sorts checks the terms of order and drops those about fields that the class doesn't have.
func (r *reading) sorts(order []query.Sort, s scope) ([]query.Sort, error) {
	out := make([]query.Sort, 0, len(order))
	for _, o := range order {
		switch o.Path {
		case "_created_at":
			o.Path = "createdAt"
		case "_updated_at":
			o.Path = "updatedAt"
		}
		root := o.Path.Root()
		if r.secret(s, root) {
			return nil, parseerror.Denied(parseerror.OperationForbidden, "This user is not allowed to sort by %s on class %s", string(o.Path), s.name)
		}
		if authDataID.MatchString(string(o.Path)) {
			return nil, parseerror.New(parseerror.InvalidKeyName, "Cannot sort by %s", string(o.Path))
		}
		if o.Path == "$score" || o.Path == "score" && (s.class == nil || s.class.Fields["score"].Type == "") {
			out = append(out, o)
			continue
		}
		if !schema.ValidFieldName(root, s.name) {
			return nil, parseerror.New(parseerror.InvalidKeyName, "Invalid field name: %s.", string(o.Path))
		}
		if s.class == nil || s.class.Fields[root].Type == "" {
			continue
		}
		out = append(out, o)
	}
	return out, nil
}
