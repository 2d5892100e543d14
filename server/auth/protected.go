package auth

import (
	"strings"

	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// Protection says which fields of a class are hidden from a caller. The zero value hides none.
type Protection struct {
	// Hidden are the fields that are hidden whatever the object. It is shared: callers don't change it.
	Hidden map[string]bool
	// ByField narrows Hidden for objects of which the field points to the user: only what is in both stays hidden.
	ByField map[string]map[string]bool
	// OwnID is the user whose own object shows everything; "" when there is no such exemption.
	OwnID string

	userID string
}

// Protection returns the protection of the class for the caller. The sets of "*", "authenticated", of each role and of
// the user id that apply are intersected, so that a group with more rights hides less; "userField:x" joins in for
// objects whose x points to the user. Privileged callers see everything.
func (r *Rules) Protection(class *schema.Class, a *Auth) Protection {
	if class != nil && class.Name == schema.Session && a.ReadOnly {
		// With a token whoever may only read would write as its user.
		return Protection{Hidden: map[string]bool{"sessionToken": true}}
	}
	if a.Privileged() || class == nil {
		return Protection{}
	}
	var stored map[string][]string
	if class.Permissions != nil {
		stored = class.Permissions.ProtectedFields
	}
	site := r.o.ProtectedFields[class.Name]
	if len(stored) == 0 && len(site) == 0 {
		return Protection{}
	}
	p := Protection{userID: a.UserID}
	if class.Name == schema.User && r.o.ProtectedFieldsOwnerExempt {
		p.OwnID = a.UserID
	}
	apply := func(who string) {
		s, inSchema := stored[who]
		o, inSite := site[who]
		if !inSchema && !inSite {
			return
		}
		set := make(map[string]bool, len(s)+len(o))
		for _, f := range s {
			set[f] = true
		}
		for _, f := range o {
			set[f] = true
		}
		if p.Hidden != nil {
			set = both(p.Hidden, set)
		}
		p.Hidden = set
	}
	apply("*")
	if a.UserID == "" {
		return p
	}
	apply("authenticated")
	for _, role := range a.Roles {
		apply(role)
	}
	apply(a.UserID)
	for _, source := range []map[string][]string{stored, site} {
		for who, fields := range source {
			name, ok := strings.CutPrefix(who, "userField:")
			if !ok {
				continue
			}
			if p.ByField == nil {
				p.ByField = map[string]map[string]bool{}
			}
			set := p.ByField[name]
			if set == nil {
				set = map[string]bool{}
				p.ByField[name] = set
			}
			for _, f := range fields {
				set[f] = true
			}
		}
	}
	return p
}

// ProtectsAlike reports whether the same fields of a class are hidden from all callers who aren't privileged.
func (r *Rules) ProtectsAlike(class *schema.Class) bool {
	if class == nil {
		return true
	}
	if class.Name == schema.User && r.o.ProtectedFieldsOwnerExempt {
		return false
	}
	for who := range r.o.ProtectedFields[class.Name] {
		if who != "*" {
			return false
		}
	}
	if class.Permissions != nil {
		for who := range class.Permissions.ProtectedFields {
			if who != "*" {
				return false
			}
		}
	}
	return true
}

// None reports whether nothing is ever hidden.
func (p Protection) None() bool { return len(p.Hidden) == 0 }

// PerObject reports whether what is hidden depends on the object.
func (p Protection) PerObject() bool {
	return len(p.Hidden) > 0 && (p.OwnID != "" || len(p.ByField) > 0)
}

// Of returns the fields of one object that are hidden.
func (p Protection) Of(objectID string, o storage.Object) map[string]bool {
	if len(p.Hidden) == 0 || p.OwnID != "" && objectID == p.OwnID {
		return nil
	}
	hidden := p.Hidden
	for field, set := range p.ByField {
		if pointsTo(o[field], p.userID) {
			hidden = both(hidden, set)
		}
	}
	return hidden
}

func both(a, b map[string]bool) map[string]bool {
	out := map[string]bool{}
	for f := range a {
		if b[f] {
			out[f] = true
		}
	}
	return out
}
