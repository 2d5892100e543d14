package users

import (
	"context"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/write"
)

// Upgrade opens a further session for the caller's user and answers with it. It once turned tokens of old apps into
// sessions; those of databases that parse-server itself has made on SQL are sessions already.
func (u *Users) Upgrade(ctx context.Context, c auth.Caller, id string) (*write.Result, error) {
	if c.ReadOnly {
		return nil, readOnly()
	}
	if token := c.SessionToken; token != "" && !c.Privileged() && (len(token) < 2 || token[:2] != "r:") {
		return nil, parseerror.New(parseerror.InvalidSessionToken, "invalid legacy session token")
	}
	return u.writes.Do(ctx, c, id, func(tx storage.Tx, a *auth.Auth) (*write.Result, error) {
		if a.UserID == "" {
			return nil, parseerror.New(parseerror.ObjectNotFound, "invalid session")
		}
		if err := u.writes.HoldSession(ctx, tx, a); err != nil {
			return nil, err
		}
		token, err := u.writes.OpenSession(ctx, tx, write.Session{UserID: a.UserID, InstallationID: c.InstallationID, Action: "upgrade"})
		if err != nil {
			return nil, err
		}
		sch, err := tx.Schema(ctx)
		if err != nil {
			return nil, err
		}
		session, err := auth.SessionByToken(ctx, tx, sch, token, u.o.Now())
		if err != nil {
			return nil, err
		}
		sessionID, _ := session["objectId"].(string)
		body, err := u.reads.GetIn(ctx, tx, a, schema.Session, sessionID, nil, nil)
		return &write.Result{Status: 200, Body: body}, err
	})
}
