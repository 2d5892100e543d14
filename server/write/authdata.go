package write

import (
	"maps"
	"slices"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// anonymous is the one auth provider there is: {"anonymous":{"id":"…"}}.
const anonymous = "anonymous"

func alreadyLinked() error {
	return parseerror.New(parseerror.AccountAlreadyLinked, "this auth is already used")
}

// authData returns the providers of the body, nil where one is being unlinked.
func (w *writing) authData() map[string]any {
	m, _ := w.body.Values["authData"].(map[string]any)
	return m
}

// identifies reports whether the body's authData says who the user is, so that no name and password are needed.
func (w *writing) identifies() bool {
	for _, data := range w.authData() {
		if m, ok := data.(map[string]any); ok && len(m) > 0 {
			return true
		}
	}
	return false
}

// checkAuthData checks the providers of the body. It returns the user that is linked with them, unless it is the one of
// the given id. Somebody else's is error 208.
func (w *writing) checkAuthData(id string) (storage.Object, error) {
	v, named := w.body.Values["authData"]
	if !named {
		return nil, nil
	}
	if !truthy(v) {
		return nil, unsupportedProvider()
	}
	if id == "" {
		id = w.a.UserID
	}
	var found storage.Object
	for _, provider := range slices.Sorted(maps.Keys(w.authData())) {
		data := w.authData()[provider]
		if data == nil {
			continue
		}
		if provider != anonymous || !w.o.EnableAnonymousUsers {
			return nil, unsupportedProvider()
		}
		m, _ := data.(map[string]any)
		key, _ := m["id"].(string)
		if key == "" {
			return nil, parseerror.New(parseerror.InvalidValue, "Invalid authData id for provider '%s'.", provider)
		}
		user, err := w.userOf(provider, key)
		if err != nil {
			return nil, err
		}
		if user == nil {
			continue
		}
		if id != "" && user["objectId"] != id {
			return nil, alreadyLinked()
		}
		found = user
	}
	return found, nil
}

func unsupportedProvider() error {
	return parseerror.New(parseerror.UnsupportedService, "This authentication method is unsupported.")
}

// userOf returns the user linked with an id of a provider, or nil.
func (w *writing) userOf(provider, id string) (storage.Object, error) {
	class := w.sch.Class(schema.User)
	if class == nil {
		return nil, nil
	}
	var found storage.Object
	err := w.tx.Find(w.ctx, &storage.Find{
		Schema: w.sch, Class: class, Limit: 1,
		Where: &query.Compare{Path: query.Path("authData." + provider + ".id"), Op: query.Eq, Value: id},
	}, func(r storage.Row) (err error) {
		found, err = r.Object()
		return err
	})
	return found, err
}

// linked returns authData with the body's providers added to and taken from what there was.
func (w *writing) linked(old map[string]any) map[string]any {
	out := maps.Clone(old)
	if out == nil {
		out = map[string]any{}
	}
	for provider, data := range w.authData() {
		if data == nil {
			delete(out, provider)
		} else {
			out[provider] = data
		}
	}
	return out
}

// logInByAuthData answers a sign-up that turned out to be a log-in: the user, and a session unless the caller is that
// user already.
func (w *writing) logInByAuthData(user storage.Object) (*Result, error) {
	id, _ := user["objectId"].(string)
	w.id = id
	// Users whom nobody but the master key may read have been locked out.
	if auth.LockedOut(user) && !w.a.Privileged() {
		return nil, alreadyLinked()
	}
	res := &Result{Status: 200, Location: w.location()}
	a := w.a
	var extra func([]byte) []byte
	if !a.Privileged() && a.UserID == "" {
		token, err := w.openSession(Session{UserID: id, Action: "login", Provider: w.provider()})
		if err != nil {
			return nil, err
		}
		if a, err = auth.As(w.ctx, w.tx, w.a.Caller, id); err != nil {
			return nil, err
		}
		extra = func(dst []byte) []byte {
			if token != "" {
				dst = query.AppendString(append(dst, `,"sessionToken":`...), token)
			}
			return append(dst, `,"authDataResponse":{}`...)
		}
	}
	var err error
	res.Body, err = w.reads.Self(w.ctx, w.tx, a, id, extra)
	return res, err
}
