package users

import (
	"context"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/read"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/trigger"
)

// Me answers with the user whose session token the caller sent, and with the token.
func (u *Users) Me(ctx context.Context, c auth.Caller) (*read.Result, error) {
	if c.SessionToken == "" {
		return nil, parseerror.Denied(parseerror.InvalidSessionToken, "Invalid session token")
	}
	set, err := u.triggers(ctx, schema.User)
	if err != nil {
		return nil, err
	}
	res, userID := &read.Result{}, ""
	err = u.bySession(ctx, c, res, func(s storage.Snapshot, a *auth.Auth, session storage.Object) (err error) {
		p, _ := session["user"].(query.Pointer)
		if userID = p.ObjectID; set&trigger.Finds != 0 {
			return nil
		}
		res.Body, err = u.reads.GetIn(ctx, s, overt(a), schema.User, p.ObjectID, sessionToken(c.SessionToken), &res.Reads)
		if err != nil && c.Privileged() && parseerror.From(err).Code == parseerror.ObjectNotFound {
			return parseerror.Denied(parseerror.InvalidSessionToken, "Invalid session token")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if set&trigger.Finds != 0 {
		return u.meAsked(ctx, c, userID)
	}
	return res, nil
}

// CurrentSession answers with the session of the token that the caller sent.
func (u *Users) CurrentSession(ctx context.Context, c auth.Caller) (*read.Result, error) {
	if c.SessionToken == "" {
		return nil, parseerror.New(parseerror.InvalidSessionToken, "Session token required.")
	}
	res := &read.Result{}
	err := u.bySession(ctx, c, res, func(s storage.Snapshot, a *auth.Auth, session storage.Object) (err error) {
		id, _ := session["objectId"].(string)
		res.Body, err = u.reads.GetIn(ctx, s, a, schema.Session, id, nil, &res.Reads)
		return err
	})
	if e := parseerror.From(err); e != nil && e.Code == parseerror.InvalidSessionToken && e.Message == "Invalid session token" {
		return nil, parseerror.New(parseerror.InvalidSessionToken, "Session token not found.")
	}
	if err != nil {
		return nil, err
	}
	return res, nil
}

// bySession calls f with the session of the caller's token. A privileged caller has no session of its own, but may ask
// about one.
func (u *Users) bySession(ctx context.Context, c auth.Caller, res *read.Result, f func(storage.Snapshot, *auth.Auth, storage.Object) error) error {
	return u.store.Read(ctx, func(s storage.Snapshot) error {
		res.Reads = read.Reads{}
		a, err := auth.ResolveAt(ctx, s, c, u.o.Now())
		if err != nil {
			return err
		}
		a.Reads(&res.Reads)
		sch, err := s.Schema(ctx)
		if err != nil {
			return err
		}
		session, err := auth.SessionByToken(ctx, s, sch, c.SessionToken, u.o.Now())
		if err != nil {
			return err
		}
		return f(s, a, session)
	})
}
