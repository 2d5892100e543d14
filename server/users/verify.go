package users

import (
	"context"
	"errors"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/write"
)

// ErrInvalidLink: a link doesn't lead to an account, or no longer; compare with errors.Is.
var ErrInvalidLink = errors.New("the link is invalid")

var errNoMail = errors.New("an emailAdapter is required")

// checkMail refuses what needs mail where none can be sent.
func (u *Users) checkMail() error {
	if u.o.MailConfigured == nil {
		return nil
	}
	return parseerror.New(parseerror.Internal, "An appName, publicServerURL, and emailAdapter are required for password reset and email verification functionality.")
}

// RequestVerification sends a user the link to verify an address once more. email is as it was sent. Unless the site
// says otherwise, it looks the same to callers whether or not somebody has the address.
func (u *Users) RequestVerification(ctx context.Context, c auth.Caller, email any, id string) (*write.Result, error) {
	if err := u.checkMail(); err != nil {
		return nil, err
	}
	address, err := addressOf(email)
	if err != nil {
		return nil, err
	}
	if c.ReadOnly {
		return nil, readOnly()
	}
	return u.writes.Do(ctx, c, id, func(tx storage.Tx, _ *auth.Auth) (*write.Result, error) {
		res := &write.Result{Status: 200, Body: []byte("{}")}
		user, err := locked(ctx, tx, equals("email", address))
		switch {
		case err != nil:
			return nil, err
		case user == nil && !u.o.VerifySuccessOnUnknown:
			return nil, parseerror.New(parseerror.EmailNotFound, "No user found with email %s", address)
		case user != nil && user["emailVerified"] == true && !u.o.VerifySuccessOnUnknown:
			return nil, parseerror.New(parseerror.OtherCause, "Email %s is already verified.", address)
		case user == nil || user["emailVerified"] == true:
			return res, nil
		}
		return res, u.verifyAgain(ctx, tx, res, user)
	})
}

// ResendVerification is RequestVerification for the page of a link that didn't work: the user is known by name, by the
// token of the link, or by both. ErrInvalidLink is returned when there is no such user who has yet to verify.
func (u *Users) ResendVerification(ctx context.Context, name, token string) error {
	where := query.And{}
	if name != "" {
		where = append(where, equals("username", name))
	}
	if token != "" {
		where = append(where, equals("_email_verify_token", token))
	}
	if len(where) == 0 || len(name) > maxField || len(token) > maxField {
		return ErrInvalidLink
	}
	missing := false
	_, err := u.writes.Do(ctx, system, "", func(tx storage.Tx, _ *auth.Auth) (*write.Result, error) {
		res := &write.Result{Status: 200}
		user, err := locked(ctx, tx, where)
		if err != nil {
			return nil, err
		}
		if missing = user == nil || user["emailVerified"] == true; missing {
			return res, nil
		}
		return res, u.verifyAgain(ctx, tx, res, user)
	})
	if err == nil && missing {
		err = ErrInvalidLink
	}
	return err
}

// verifyAgain gives a user a new token, unless the old one is to be used as long as it works, and has it sent.
func (u *Users) verifyAgain(ctx context.Context, tx storage.Tx, res *write.Result, user storage.Object) error {
	v := &u.o.Verification
	if !v.Verify {
		return nil
	}
	until, _ := user["_email_verify_token_expires_at"].(query.Date)
	if reusable := u.o.ReuseVerifyToken && v.TokenValidity > 0 && user["_email_verify_token"] != nil; !reusable || !until.After(u.o.Now()) {
		set, err := v.NewEmailToken(u.o.Random, u.o.Now())
		if err != nil {
			return err
		}
		if err := u.writes.SetUser(ctx, tx, user, set); err != nil {
			return err
		}
		user = with(user, set)
	}
	if v.Send != nil {
		res.After(func() { v.Send(user) })
	}
	return nil
}

// VerifyEmail takes the token of a link for a proof of the address it was sent to.
func (u *Users) VerifyEmail(ctx context.Context, token string) error {
	if !u.o.Verification.Verify || token == "" || len(token) > maxField {
		return ErrInvalidLink
	}
	good := func(user storage.Object) bool {
		if u.o.Verification.TokenValidity == 0 {
			return user["_email_verify_token"] == token
		}
		until, _ := user["_email_verify_token_expires_at"].(query.Date)
		return user["_email_verify_token"] == token && user["emailVerified"] == false && until.After(u.o.Now())
	}
	user, err := u.only(ctx, equals("_email_verify_token", token))
	if err != nil {
		return err
	}
	if user == nil || !good(user) {
		return ErrInvalidLink
	}
	body := `{"emailVerified":true,"_email_verify_token":{"__op":"Delete"}}`
	if u.o.Verification.TokenValidity > 0 {
		body = `{"emailVerified":true,"_email_verify_token":{"__op":"Delete"},"_email_verify_token_expires_at":{"__op":"Delete"}}`
	}
	id, _ := user["objectId"].(string)
	_, err = u.writes.UpdateIf(ctx, maintainer, schema.User, id, []byte(body), func(now storage.Object) error {
		if !good(now) {
			return ErrInvalidLink
		}
		return nil
	})
	return linkError(err)
}

// maintainer is the server itself, when it also writes what no client may.
var maintainer = auth.Caller{Master: true, Maintenance: true}

// linkError makes a user who is gone an invalid link.
func linkError(err error) error {
	if e := parseerror.From(err); e != nil && e.Code == parseerror.ObjectNotFound && !errors.Is(err, ErrInvalidLink) {
		return ErrInvalidLink
	}
	return err
}

// addressOf reads the address that a request names.
func addressOf(v any) (string, error) {
	if !given(v) {
		return "", parseerror.New(parseerror.EmailMissing, "you must provide an email")
	}
	s, ok := v.(string)
	if !ok || len(s) > maxField {
		return "", parseerror.New(parseerror.InvalidEmailAddress, "you must provide a valid email string")
	}
	return s, nil
}

func readOnly() error {
	return parseerror.Denied(parseerror.OperationForbidden, "Cannot perform a write operation when using readOnlyMasterKey")
}

func equals(column, value string) query.Expr {
	return &query.Compare{Path: query.Path(column), Op: query.Eq, Value: value}
}

// with returns a row with columns set; nil unsets.
func with(row, set storage.Object) storage.Object {
	out := make(storage.Object, len(row)+len(set))
	for c, v := range row {
		out[c] = v
	}
	for c, v := range set {
		if v == nil {
			delete(out, c)
		} else {
			out[c] = v
		}
	}
	return out
}
