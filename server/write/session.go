package write

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// Session describes a session to open.
type Session struct {
	UserID         string
	InstallationID string // "" for none
	// Action is how it came about: signup, login, create or upgrade; "" leaves createdWith out. Provider is by what
	// the user was known: password, masterkey or names of auth providers; "" leaves it out.
	Action, Provider string
}

// OpenSession opens a session inside a transaction and returns its token. Other sessions of the same user and
// installation end.
func (p *Path) OpenSession(ctx context.Context, tx storage.Tx, s Session) (token string, err error) {
	w, err := p.sessions(ctx, tx)
	if err != nil {
		return "", err
	}
	if err := w.newSession(s); err != nil {
		return "", err
	}
	if err := w.closeDuplicates(w.row); err != nil {
		return "", err
	}
	token, _ = w.row["sessionToken"].(string)
	return token, w.insert()
}

// HoldSession locks the caller's user until the transaction ends, and fails with error 209 if the caller's session has
// ended meanwhile: whoever ends all sessions of a user must see those that are opened with one of them.
func (p *Path) HoldSession(ctx context.Context, tx storage.Tx, a *auth.Auth) error {
	sch, err := tx.Schema(ctx)
	if err != nil {
		return err
	}
	if class := sch.Class(schema.User); class != nil {
		if _, err := tx.Lock(ctx, class, a.UserID); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
	}
	_, err = auth.SessionByToken(ctx, tx, sch, a.SessionToken, p.o.Now())
	return err
}

// CloseSession ends a session, of which row is the row, inside a transaction.
func (p *Path) CloseSession(ctx context.Context, tx storage.Tx, row storage.Object) error {
	w, err := p.sessions(ctx, tx)
	if err != nil {
		return err
	}
	id, _ := row["objectId"].(string)
	return w.remove(w.class, id, row)
}

// sessions returns a writing on the class of sessions, which it makes if it isn't there yet.
func (p *Path) sessions(ctx context.Context, tx storage.Tx) (*writing, error) {
	sch, err := tx.Schema(ctx)
	if err != nil {
		return nil, err
	}
	w := &writing{
		Path: p, ctx: ctx, tx: tx, sch: sch, name: schema.Session, class: sch.Class(schema.Session),
		now: query.Date{Time: p.o.Now().UTC().Truncate(1e6)},
	}
	if w.class == nil {
		err = w.putClass(schema.New(schema.Session, nil), nil, nil)
	}
	return w, err
}

// newSession makes the row of a session.
func (w *writing) newSession(s Session) error {
	id, err := randomString(w.o.Random, w.o.ObjectIDSize)
	if err != nil {
		return err
	}
	token, err := newToken(w.o.Random)
	if err != nil {
		return err
	}
	w.id = id
	if w.row == nil {
		w.row = storage.Object{}
	}
	w.put("objectId", id)
	w.put("createdAt", w.now)
	w.put("updatedAt", w.now)
	w.put("user", query.Pointer{ClassName: schema.User, ObjectID: s.UserID})
	w.put("sessionToken", token)
	if s.Action != "" {
		with := map[string]any{"action": s.Action}
		if s.Provider != "" {
			with["authProvider"] = s.Provider
		}
		w.put("createdWith", with)
	}
	if s.InstallationID != "" {
		w.put("installationId", s.InstallationID)
	}
	if w.o.ExpireInactiveSessions {
		w.put("expiresAt", query.Date{Time: w.now.Add(seconds(w.o.SessionLength))})
	}
	return nil
}

// closeDuplicates ends the other sessions of the row's user and installation: there is one for each.
func (w *writing) closeDuplicates(row storage.Object) error {
	user, _ := row["user"].(query.Pointer)
	installation, _ := row["installationId"].(string)
	if user.ObjectID == "" || installation == "" {
		return nil
	}
	return w.endSessions(query.And{
		&query.Compare{Path: "user", Op: query.Eq, Value: user},
		&query.Compare{Path: "installationId", Op: query.Eq, Value: installation},
	})
}

// closeSessions ends every session of a user.
func (w *writing) closeSessions(userID string) error {
	return w.endSessions(&query.Compare{Path: "user", Op: query.Eq, Value: query.Pointer{ClassName: schema.User, ObjectID: userID}})
}

func (w *writing) endSessions(where query.Expr) error {
	class := w.sch.Class(schema.Session)
	if class == nil {
		return nil
	}
	var ended []storage.Object
	err := w.tx.Find(w.ctx, &storage.Find{Schema: w.sch, Class: class, Where: where, Limit: -1}, func(r storage.Row) error {
		o, err := r.Object()
		ended = append(ended, o)
		return err
	})
	if err != nil {
		return err
	}
	for _, o := range ended {
		id, _ := o["objectId"].(string)
		if err := w.remove(class, id, o); err != nil && !errors.Is(err, storage.ErrNotFound) { // it has ended meanwhile
			return err
		}
	}
	return nil
}

// ownSession reports whether a session is the caller's.
func (w *writing) ownSession(o storage.Object) bool {
	p, _ := o["user"].(query.Pointer)
	return w.a.UserID != "" && p.ObjectID == w.a.UserID
}

// checkSession checks what may be said of a session.
func (w *writing) checkSession() error {
	if !w.a.Privileged() && w.a.UserID == "" {
		return parseerror.New(parseerror.InvalidSessionToken, "Session token required.")
	}
	if w.acl.named {
		return parseerror.New(parseerror.InvalidKeyName, "Cannot set ACL on a Session.")
	}
	if w.id == "" {
		return nil
	}
	for _, name := range []string{"user", "installationId", "sessionToken", "expiresAt", "createdWith"} {
		v, named := w.body.Values[name]
		if !named && !w.reachesInto(name) {
			continue
		}
		switch name {
		case "user":
			if p, _ := v.(query.Pointer); w.a.Privileged() || p.ObjectID == w.a.UserID {
				continue
			}
		case "expiresAt", "createdWith":
			if w.a.Privileged() {
				continue
			}
		}
		return parseerror.New(parseerror.InvalidKeyName, "Invalid key name: %s", name)
	}
	return nil
}

// reachesInto reports whether the body names a place inside a field, as "createdWith.action".
func (w *writing) reachesInto(field string) bool {
	for _, name := range w.body.Names {
		if root, _, inside := strings.Cut(name, "."); inside && root == field {
			return true
		}
	}
	return false
}

// given reports whether the server gives a session this field, whatever the client says.
func given(name string) bool {
	switch name {
	case "objectId", "createdAt", "updatedAt", "user", "sessionToken", "expiresAt", "createdWith":
		return true
	}
	return false
}

// createOwnSession answers a user who asks for a further session. The answer shows all of it, the token too.
func (w *writing) createOwnSession() (*Result, error) {
	own := *w.request
	own.edits = slices.DeleteFunc(slices.Clone(own.edits), func(e edit) bool { return given(e.root) })
	w.request = &own
	w.row = storage.Object{}
	if _, err := w.grow(false); err != nil {
		return nil, err
	}
	if _, err := w.a.Permit(w.class, "create", false); err != nil {
		return nil, err
	}
	var extra []string
	for i := range w.edits {
		e := &w.edits[i]
		if err := checkKeys(e.raw, true); err != nil {
			return nil, err
		}
		if err := w.edit(e); err != nil {
			return nil, err
		}
		if _, there := w.row[e.root]; there && !slices.Contains(extra, e.root) {
			extra = append(extra, e.root)
		}
	}
	if err := w.HoldSession(w.ctx, w.tx, w.a); err != nil {
		return nil, err
	}
	if err := w.newSession(Session{UserID: w.a.UserID, Action: "create"}); err != nil {
		return nil, err
	}
	if err := w.closeDuplicates(w.row); err != nil {
		return nil, err
	}
	if err := w.insert(); err != nil {
		return nil, err
	}
	w.answer = answer{}
	for _, name := range slices.Concat([]string{"sessionToken", "user", "createdWith", "expiresAt"}, extra, []string{"objectId"}) {
		if v, there := w.row[name]; there {
			w.answer.set(name, v)
		}
	}
	return &Result{Status: 201, Location: w.location(), Body: w.answer.body()}, nil
}
