package read

import (
	"context"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// Self returns a user's object as the caller sees it, for the answer to a log-in. Where the permissions of _User let
// the caller see nothing, it is the id alone: the log-in has succeeded all the same. extra appends further members.
func (p *Path) Self(ctx context.Context, s storage.Snapshot, a *auth.Auth, id string, extra func([]byte) []byte) ([]byte, error) {
	body, err := p.GetIn(ctx, s, a, schema.User, id, extra, nil)
	if err == nil {
		return body, nil
	}
	e := parseerror.From(err)
	if e.Code != parseerror.ObjectNotFound && e.Code != parseerror.OperationForbidden {
		return nil, err
	}
	body = query.AppendString([]byte(`{"objectId":`), id)
	if extra != nil {
		body = extra(body)
	}
	return append(body, '}'), nil
}

// showAuthData returns a user's authData as the caller sees it, and whether that is anything else than what is stored.
func (r *reading) showAuthData(stored any) (shown map[string]any, changed bool) {
	m, ok := stored.(map[string]any)
	if !ok || r.o.AuthData == nil {
		return m, false
	}
	return r.o.AuthData.Show(m, identity.Viewer{UserID: r.a.UserID, Master: r.a.Master})
}
