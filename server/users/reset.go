package users

import (
	"context"
	"errors"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/trigger"
	"github.com/parsescale/parsescale/server/write"
)

// Errors of a link to reset a password; compare with errors.Is. Their texts are parse-server's, and are shown.
var (
	ErrInvalidReset = errors.New("Failed to reset password: username / email / token is invalid") //nolint:revive,staticcheck // parse-server's words
	ErrExpiredReset = errors.New("The password reset link has expired")                           //nolint:revive,staticcheck // parse-server's words
)

// RequestReset sends a user a link to reset the password. The user is known by an address, by the name if that has no
// address beside it, or by the token of a link that has expired. Both are as they were sent. Unless the site says
// otherwise, it looks the same to callers whether or not there is such a user.
func (u *Users) RequestReset(ctx context.Context, c auth.Caller, email, token any, id string) (*write.Result, error) {
	if err := u.checkMail(); err != nil {
		return nil, err
	}
	if !given(email) && !given(token) {
		return nil, parseerror.New(parseerror.EmailMissing, "you must provide an email")
	}
	if given(token) {
		s, ok := token.(string)
		if !ok {
			return nil, parseerror.New(parseerror.InvalidValue, "token must be a string")
		}
		user, err := u.expired(ctx, s)
		if err != nil {
			return nil, err
		}
		if address := user["email"]; given(address) {
			email = address
		}
	}
	address, ok := email.(string)
	if !ok || len(address) > maxField {
		return nil, parseerror.New(parseerror.InvalidEmailAddress, "you must provide a valid email string")
	}
	if c.ReadOnly {
		return nil, readOnly()
	}
	if err := u.beforeReset(ctx, c, address); err != nil {
		return nil, err
	}
	return u.writes.Do(ctx, c, id, func(tx storage.Tx, _ *auth.Auth) (*write.Result, error) {
		res := &write.Result{Status: 200, Body: []byte("{}")}
		user, err := reachable(func(where query.Expr) (storage.Object, error) { return locked(ctx, tx, where) }, address)
		switch {
		case err != nil:
			return nil, err
		case user == nil && !u.o.Reset.SuccessOnUnknown:
			return nil, parseerror.New(parseerror.ObjectNotFound, "A user with that email does not exist.")
		case user == nil:
			return res, nil
		}
		if user, err = u.resettable(ctx, tx, user); err != nil {
			return nil, err
		}
		if send := u.o.Reset.Send; send != nil {
			res.After(func() { send(user) })
		}
		return res, nil
	})
}

// beforeReset asks BeforePasswordResetRequest about the user who is to be sent a link, if there is one.
func (u *Users) beforeReset(ctx context.Context, c auth.Caller, address string) error {
	set, err := u.triggers(ctx, schema.User)
	if err != nil || !set.Has(trigger.BeforePasswordResetRequest) {
		return err
	}
	var ask *trigger.Request
	err = u.store.Read(ctx, func(s storage.Snapshot) error {
		ask = nil
		a, err := auth.ResolveAt(ctx, s, c, u.o.Now())
		if err != nil {
			return err
		}
		row, err := reachable(func(where query.Expr) (storage.Object, error) {
			found, err := matching(ctx, s, where)
			if len(found) != 1 {
				return nil, err
			}
			return found[0], err
		}, address)
		if row == nil || err != nil {
			return err
		}
		id, _ := row["objectId"].(string)
		o, err := u.reads.ForTrigger(ctx, s, &auth.Auth{Caller: auth.Caller{Master: true}}, schema.User, id)
		if err != nil {
			return err
		}
		user, err := u.reads.User(ctx, s, a)
		ask = trigger.By(trigger.BeforePasswordResetRequest, schema.User, a, user)
		ask.Object = trigger.Found(schema.User, o)
		return err
	})
	if ask == nil || err != nil {
		return err
	}
	return u.o.Code.Run(ctx, ask)
}

// expired returns the user whose link to reset the password has expired; nil: there is none.
func (u *Users) expired(ctx context.Context, token string) (storage.Object, error) {
	if len(token) > maxField {
		return nil, nil
	}
	user, err := u.only(ctx, equals("_perishable_token", token))
	if until, ok := user["_perishable_token_expires_at"].(query.Date); err != nil || !ok || !until.Before(u.o.Now()) {
		return nil, err
	}
	return user, nil
}

// reachable returns the user with the address, else the one with that name and no address.
func reachable(only func(query.Expr) (storage.Object, error), address string) (storage.Object, error) {
	user, err := only(equals("email", address))
	if user != nil || err != nil {
		return user, err
	}
	user, err = only(equals("username", address))
	if _, has := user["email"]; has {
		return nil, err
	}
	return user, err
}

// resettable gives a user a token, unless the present one is to be used as long as it works.
func (u *Users) resettable(ctx context.Context, tx storage.Tx, user storage.Object) (storage.Object, error) {
	now, r := u.o.Now(), &u.o.Reset
	until, _ := user["_perishable_token_expires_at"].(query.Date)
	if r.ReuseToken && r.TokenValidity > 0 && user["_perishable_token"] != nil && until.After(now) {
		return user, nil
	}
	token, err := write.NewToken(u.o.Random)
	if err != nil {
		return nil, err
	}
	set := storage.Object{"_perishable_token": token}
	if r.TokenValidity > 0 {
		set["_perishable_token_expires_at"] = dateOf(now.Add(r.TokenValidity))
	}
	return with(user, set), u.writes.SetUser(ctx, tx, user, set)
}

// CheckReset reports whether a token is one to reset a password with: nil, ErrInvalidReset or ErrExpiredReset.
func (u *Users) CheckReset(ctx context.Context, token string) error {
	_, err := u.byReset(ctx, token)
	return err
}

func (u *Users) byReset(ctx context.Context, token string) (storage.Object, error) {
	if token == "" || len(token) > maxField {
		return nil, ErrInvalidReset
	}
	user, err := u.only(ctx, equals("_perishable_token", token))
	if err != nil {
		return nil, err
	}
	if user == nil {
		return nil, ErrInvalidReset
	}
	return user, u.goodReset(user, token)
}

// goodReset checks that a user's token is that one and still works.
func (u *Users) goodReset(user storage.Object, token string) error {
	until, ends := user["_perishable_token_expires_at"].(query.Date)
	switch {
	case user["_perishable_token"] != token:
		return ErrInvalidReset
	case ends && u.o.Reset.TokenValidity > 0 && until.Before(u.o.Now()):
		return ErrExpiredReset
	}
	return nil
}

// ResetPassword gives a user the password that came with the token of a link. A token works once. What is wrong with
// the password is a parseerror.Error.
func (u *Users) ResetPassword(ctx context.Context, token, password string) error {
	user, err := u.byReset(ctx, token)
	if err != nil {
		return err
	}
	body := append([]byte(`{"password":`), query.AppendString(nil, password)...)
	if u.o.Lockout.Threshold > 0 && u.o.Lockout.UnlockOnReset {
		body = append(body, `,"_failed_login_count":{"__op":"Delete"},"_account_lockout_expires_at":{"__op":"Delete"}`...)
	}
	id, _ := user["objectId"].(string)
	_, err = u.writes.UpdateIf(ctx, maintainer, schema.User, id, append(body, '}'), func(now storage.Object) error {
		return u.goodReset(now, token)
	})
	if e := parseerror.From(err); e != nil && e.Code == parseerror.ObjectNotFound {
		return ErrInvalidReset
	}
	return err
}
