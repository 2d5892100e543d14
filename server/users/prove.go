package users

import (
	"context"
	"errors"
	"fmt"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/users/password"
)

// maxField bounds the name, address and password of a log-in, in bytes.
const maxField = 4 << 10

func wrongPassword() error {
	return parseerror.New(parseerror.ObjectNotFound, "Invalid username/password.")
}

// prove returns the row of the user whose name (or address) and password were sent. Whatever is wrong, from an unknown
// name on, takes one comparison of hashes and gives the same error, so that nothing can be learned of who has an
// account.
func (u *Users) prove(ctx context.Context, c auth.Caller, l LogIn) (storage.Object, error) {
	// What a failed log-in leaves, its count, must stay, and comparing a hash takes too long to keep others waiting.
	if storage.Inside(ctx) {
		return nil, parseerror.New(parseerror.CommandUnavailable, "Passwords can't be checked within a transaction.")
	}
	if !given(l.Username) && !given(l.Email) {
		return nil, parseerror.New(parseerror.UsernameMissing, "username/email is required.")
	}
	if !given(l.Password) {
		return nil, parseerror.New(parseerror.PasswordMissing, "password is required.")
	}
	name, nameOK := text(l.Username)
	email, emailOK := text(l.Email)
	plain, plainOK := text(l.Password)
	if !nameOK || !emailOK || !plainOK {
		return nil, wrongPassword()
	}
	user, err := u.find(ctx, name, email)
	if err != nil {
		return nil, err
	}
	hash, _ := user["_hashed_password"].(string)
	right, err := u.passwords.Compare(ctx, hash, plain)
	if errors.Is(err, password.ErrBusy) {
		return nil, parseerror.Busy()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot compare a password: %w", err)
	}
	if err := u.attempt(ctx, user, right); err != nil {
		return nil, err
	}
	if !right || auth.LockedOut(user) && !c.Master {
		return nil, wrongPassword()
	}
	if v := &u.o.Verification; v.Verify && v.PreventLogin && user["emailVerified"] != true && !(c.Privileged() && given(l.IgnoreEmailVerification)) {
		return nil, parseerror.New(parseerror.EmailNotFound, "User email is not verified.")
	}
	return user, nil
}

// find returns the user with the name and address; a name alone may be an address. If that leaves two, it is the one of
// that name. Nil: there is none.
func (u *Users) find(ctx context.Context, name, email string) (storage.Object, error) {
	byName, byEmail := equals("username", name), equals("email", email)
	var where query.Expr
	switch {
	case name != "" && email != "":
		where = query.And{byName, byEmail}
	case email != "":
		where = byEmail
	default:
		where = query.Or{byName, equals("email", name)}
	}
	found, err := u.lookUp(ctx, where)
	if err != nil || len(found) == 1 {
		return first(found), err
	}
	for _, o := range found {
		if o["username"] == name && name != "" {
			return o, nil
		}
	}
	return nil, nil
}

// given reports whether a field was sent, by JavaScript's idea of truth.
func given(v any) bool { return v != nil && v != "" && v != false && v != 0.0 }

// text returns a field that must be a string, if it is there at all.
func text(v any) (string, bool) {
	if !given(v) {
		return "", true
	}
	s, ok := v.(string)
	return s, ok && len(s) <= maxField
}
