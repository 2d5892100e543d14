package write

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// anonymous is the auth provider of users who have no account yet: {"anonymous":{"id":"…"}}.
const anonymous = "anonymous"

// maxDecisions is how often a claim is decided again at most because users came or went meanwhile.
const maxDecisions = 3

// Errors of claims that were overtaken. Clients read the same of both.
var (
	// errMoved: other users than were known own what is claimed. It is worth another decision.
	errMoved = parseerror.New(parseerror.ScriptFailed, "Invalid auth data")
	// errUsed: what the user had at the providers has changed. A code that is good once has been used, perhaps this one.
	errUsed = parseerror.New(parseerror.ScriptFailed, "Invalid auth data")
	// errLinked: somebody else was linked with an id at the same time, as the unique index of the provider tells. It is
	// worth another decision: a sign-up becomes a log-in.
	errLinked = parseerror.New(parseerror.AccountAlreadyLinked, "this auth is already used")
)

func alreadyLinked() error {
	return parseerror.New(parseerror.AccountAlreadyLinked, "this auth is already used")
}

// identifies reports whether authData says who the user is, so that no name and password are needed.
func identifies(authData map[string]any) bool {
	for _, data := range authData {
		if m, ok := data.(map[string]any); ok && len(m) > 0 {
			return true
		}
	}
	return false
}

// authData returns the providers of the body, nil where one is being unlinked.
func (w *writing) authData() map[string]any {
	m, _ := w.body.Values["authData"].(map[string]any)
	return m
}

// Decided calls do, which settles a claim in a transaction, and decides the claim again if others came first.
func (p *Path) Decided(ctx context.Context, cl *Claim, do func() (*Result, error)) (*Result, error) {
	for n := 0; ; n++ {
		res, err := do()
		if !errors.Is(err, errMoved) && !errors.Is(err, errLinked) || cl == nil || cl.err != nil || n == maxDecisions {
			return res, err
		}
		p.decide(ctx, cl)
	}
}

// settle checks inside the transaction that the verdict on a claim still holds, and locks the user it is about.
func (p *Path) settle(ctx context.Context, tx storage.Tx, a *auth.Auth, cl *Claim) error {
	if cl.err != nil {
		return cl.err
	}
	st, err := p.stand(ctx, tx, a, cl)
	if err != nil {
		return err
	}
	before := &cl.standing
	same := func(a, b owner) bool { return a.id == b.id && a.locked == b.locked }
	if st.caller != before.caller || (st.target == nil) != (before.target == nil) || !slices.EqualFunc(st.owners, before.owners, same) {
		return errMoved
	}
	if cl.subject == "" {
		return nil
	}
	sch, err := tx.Schema(ctx)
	if err != nil {
		return err
	}
	o, err := tx.Lock(ctx, sch.Class(schema.User), cl.subject)
	if errors.Is(err, storage.ErrNotFound) || err == nil && o == nil {
		return errMoved
	}
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(ownerOf(o).authData, before.authDataOf(cl.subject)) {
		return errUsed
	}
	return nil
}

// authDataOf returns the authData of one of the users of a standing.
func (s *standing) authDataOf(id string) map[string]any {
	if s.target != nil && s.target.id == id {
		return s.target.authData
	}
	for _, o := range s.owners {
		if o.id == id {
			return o.authData
		}
	}
	return nil
}

// settleBody settles the claim of the body, if it has authData.
func (w *writing) settleBody() error {
	v, named := w.body.Values["authData"]
	switch {
	case !named:
		return nil
	case !query.Truthy(v):
		return unsupportedProvider()
	case len(w.authData()) == 0:
		return nil
	case w.claim == nil:
		return errUsed // it wasn't made, because nothing could come of it
	}
	return w.settle(w.ctx, w.tx, w.a, w.claim)
}

// linked returns authData with what a claim links added to and what it unlinks taken from what there was; nil for none.
func (cl *Claim) linked(old map[string]any) map[string]any {
	if cl == nil {
		return old
	}
	out := maps.Clone(old)
	if out == nil {
		out = map[string]any{}
	}
	for provider, data := range cl.save {
		if data == nil {
			delete(out, provider)
		} else {
			out[provider] = data
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// link stores what a settled claim links to a user who is logging in. As in parse-server, that doesn't count as an update
// of the user.
func (p *Path) link(ctx context.Context, tx storage.Tx, cl *Claim) error {
	if len(cl.save) == 0 {
		return nil
	}
	sch, err := tx.Schema(ctx)
	if err != nil {
		return err
	}
	row, err := tx.Lock(ctx, sch.Class(schema.User), cl.subject)
	if err != nil {
		return err
	}
	old, _ := row["authData"].(map[string]any)
	linked := cl.linked(old)
	if reflect.DeepEqual(linked, old) {
		return nil
	}
	return p.SetUser(ctx, tx, row, storage.Object{"authData": columnOf(linked)})
}

// columnOf returns authData as a column holds it: nil for none.
func columnOf(linked map[string]any) any {
	if linked == nil {
		return nil
	}
	return linked
}

// SettleLogIn settles the claim of a user who has proved a password, inside the transaction, and stores what it links. A
// result that isn't nil is the answer.
func (p *Path) SettleLogIn(ctx context.Context, tx storage.Tx, a *auth.Auth, cl *Claim) (*Result, error) {
	if err := p.settle(ctx, tx, a, cl); err != nil {
		return nil, err
	}
	return cl.outcome(), p.link(ctx, tx, cl)
}

// outcome is the answer of a claim from which nothing follows; nil if it goes on.
func (cl *Claim) outcome() *Result {
	if cl.then == nil {
		return nil
	}
	return &Result{Refusal: cl.then}
}

// Refused reports whether nothing can come of the claim.
func (cl *Claim) Refused() bool { return cl != nil && cl.err != nil }

// AppendResponse appends the member authDataResponse to an answer, if the claim has one.
func (cl *Claim) AppendResponse(dst []byte) []byte {
	if cl == nil || !cl.answered {
		return dst
	}
	return query.AppendJSON(append(dst, `,"authDataResponse":`...), cl.told())
}

// told is what the client is told.
func (cl *Claim) told() map[string]any {
	if cl.response == nil {
		return map[string]any{}
	}
	return cl.response
}

// answerAuthData adds what the providers tell the client to the answer.
func (w *writing) answerAuthData() {
	if w.claim != nil && w.claim.answered {
		w.answer.set("authDataResponse", w.claim.told())
	}
}

// session describes the session that a body with authData opens: as in parse-server, even that of a new user is a log-in.
func (w *writing) session(s Session) Session {
	if names := slices.Sorted(maps.Keys(w.authData())); len(names) > 0 {
		s.Action, s.Provider = "login", strings.Join(names, ",")
	}
	return s
}

// logInByAuthData answers a sign-up that turned out to be a log-in: the user, and a session unless the caller is that
// user already.
func (w *writing) logInByAuthData() (*Result, error) {
	w.id = w.claim.subject
	if err := w.link(w.ctx, w.tx, w.claim); err != nil {
		return nil, err
	}
	if res := w.claim.outcome(); res != nil {
		return res, nil
	}
	a, token := w.a, ""
	if a.UserID == "" {
		var err error
		if token, err = w.openSession(w.session(Session{UserID: w.id})); err != nil {
			return nil, err
		}
	}
	if a.UserID == "" && !a.Privileged() {
		var err error
		if a, err = auth.As(w.ctx, w.tx, w.a.Caller, w.id); err != nil {
			return nil, err
		}
	}
	res := &Result{Status: 200, Location: w.location()}
	var err error
	res.Body, err = w.reads.Self(w.ctx, w.tx, a, w.id, func(dst []byte) []byte {
		if token != "" {
			dst = query.AppendString(append(dst, `,"sessionToken":`...), token)
		}
		return w.claim.AppendResponse(dst)
	})
	return res, err
}

func unsupportedProvider() error {
	return parseerror.New(parseerror.UnsupportedService, "This authentication method is unsupported.")
}
