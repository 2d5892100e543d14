package write

import (
	"context"
	"maps"
	"slices"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// purpose is what a client sends authData for.
type purpose uint8

const (
	forSignUp purpose = iota // a new user, or a log-in of the one who has it
	forChange                // of a user
	forLogIn                 // beside a password
)

// Claim is what a client says of itself at auth providers, and what they say to that. Providers are slow, so they are
// asked before the transaction. What their verdict depended on is looked at again inside, by settle.
type Claim struct {
	purpose purpose
	caller  auth.Caller
	// target is the user who is changed or logs in; "" at a sign-up.
	target string
	// sent is the authData by provider, as it is after identify: an object, or nil for what is to be unlinked.
	sent map[string]any
	// echoes are the providers of which nothing else was sent than was stored.
	echoes map[string]bool

	// standing is how the database stood to it when it was decided.
	standing standing
	// subject is the user whom the verdict is about, "" for a new one.
	subject string

	// save is what is to be stored by provider, nil for what is to be unlinked; response what the client is told.
	save, response map[string]any
	// answered: the client is told response, be it empty.
	answered bool
	// then, if not nil, is the answer once save is stored.
	then *parseerror.Error
	// err is what is wrong with the claim. Who repeats a write, or may not write at all, hears something else.
	err error
}

// standing is how the database stands to a claim.
type standing struct {
	caller string // the user of the caller's session
	// owners are the users who have one of the ids that are claimed, by their ids.
	owners []owner
	// target is the claim's target; admitted: its ACL lets the caller change it.
	target   *owner
	admitted bool
}

// owner is a user with authData.
type owner struct {
	id       string
	authData map[string]any
	locked   bool // nobody but a privileged key may read or change that user
}

func ownerOf(o storage.Object) owner {
	id, _ := o["objectId"].(string)
	data, _ := o["authData"].(map[string]any)
	return owner{id: id, authData: data, locked: auth.LockedOut(o)}
}

// visible are the owners but for those who are locked out.
func (s *standing) visible(c auth.Caller) []owner {
	if c.Privileged() {
		return s.owners
	}
	return slices.DeleteFunc(slices.Clone(s.owners), func(o owner) bool { return o.locked })
}

// stand finds out how the database stands to a claim.
func (p *Path) stand(ctx context.Context, s storage.Snapshot, a *auth.Auth, cl *Claim) (standing, error) {
	st := standing{caller: a.UserID}
	sch, err := s.Schema(ctx)
	if err != nil {
		return st, err
	}
	class := sch.Class(schema.User)
	if class == nil {
		return st, nil
	}
	if cl.target != "" {
		o, err := s.Get(ctx, class, cl.target)
		if err != nil {
			return st, err
		}
		if o != nil {
			t := ownerOf(o)
			st.target, st.admitted = &t, a.Privileged() || a.UserID != "" && a.Admits(o["_wperm"])
		}
	}
	for _, provider := range slices.Sorted(maps.Keys(cl.sent)) {
		id := idOf(cl.sent[provider])
		if id == "" || !p.providers.Has(provider) {
			continue
		}
		err := s.Find(ctx, &storage.Find{
			Schema: sch, Class: class, Limit: 2,
			Where: &query.Compare{Path: query.Path("authData." + provider + ".id"), Op: query.Eq, Value: id},
		}, func(r storage.Row) error {
			o, err := r.Object()
			if err == nil && !slices.ContainsFunc(st.owners, func(known owner) bool { return known.id == r.ObjectID() }) {
				st.owners = append(st.owners, ownerOf(o))
			}
			return err
		})
		if err != nil {
			return st, err
		}
	}
	return st, nil
}

// look is stand in a snapshot of its own.
func (p *Path) look(ctx context.Context, cl *Claim) (st standing, err error) {
	err = p.store.Read(ctx, func(s storage.Snapshot) error {
		a, err := auth.ResolveAt(ctx, s, cl.caller, p.o.Now())
		if err == nil {
			st, err = p.stand(ctx, s, a, cl)
		}
		return err
	})
	return st, err
}

// idOf returns the id in a provider's authData, "" for none.
func idOf(data any) string {
	m, _ := data.(map[string]any)
	id, _ := m["id"].(string)
	return id
}

// claimBody makes the claim of the body of a user; nil if there is nothing to ask providers for.
func (p *Path) claimBody(ctx context.Context, c auth.Caller, class, objectID string, b *query.Object) *Claim {
	sent, _ := b.Values["authData"].(map[string]any)
	if class != schema.User || len(sent) == 0 || c.ReadOnly {
		return nil
	}
	cl := &Claim{purpose: forSignUp, caller: c, target: objectID, sent: sent}
	if objectID != "" {
		cl.purpose = forChange
		if !c.Privileged() && c.SessionToken == "" {
			return nil
		}
	} else if !identifies(sent) && !namesUser(b) {
		return nil
	}
	p.examine(ctx, cl)
	return cl
}

// namesUser reports whether a body has what a new user needs who isn't known by authData.
func namesUser(b *query.Object) bool {
	name, _ := b.Values["username"].(string)
	password, _ := b.Values["password"].(string)
	return name != "" && password != ""
}

// ClaimLogIn makes the claim of a user who has proved a password. sent is the authData as it came, of any type.
func (p *Path) ClaimLogIn(ctx context.Context, c auth.Caller, userID string, sent any) *Claim {
	cl := &Claim{purpose: forLogIn, caller: c, target: userID, answered: query.Truthy(sent)}
	switch v := sent.(type) {
	case map[string]any:
		cl.sent = v
	case string:
		cl.sent = unknownProviders(len(v))
	case []any:
		cl.sent = unknownProviders(len(v))
	}
	if !c.ReadOnly { // else it comes to nothing
		p.examine(ctx, cl)
	}
	return cl
}

// unknownProviders is what parse-server takes a text or a list for: each character or element for a provider.
func unknownProviders(n int) map[string]any {
	if n == 0 {
		return nil
	}
	return map[string]any{"0": map[string]any{}}
}

// examine has providers find out the ids of a claim, and then decides it.
func (p *Path) examine(ctx context.Context, cl *Claim) {
	var stored map[string]any
	if cl.purpose != forSignUp {
		// What can't come to anything, no provider is asked about.
		st, err := p.look(ctx, &Claim{caller: cl.caller, target: cl.target})
		switch {
		case err != nil:
			cl.err = err
		case st.target == nil || cl.purpose == forChange && !st.admitted:
			cl.err = errMoved // and not there, or not to be changed, in the transaction, or this is its error
		case cl.purpose == forLogIn:
			cl.err = p.checkLogIn(cl, *st.target)
		}
		if cl.err != nil {
			return
		}
		if cl.purpose == forChange {
			stored = st.target.authData
		}
	}
	if cl.sent, cl.echoes, cl.err = p.identify(ctx, cl.sent, stored); cl.err == nil {
		p.decide(ctx, cl)
	}
}

// checkLogIn checks that what is sent is enough to log the user in.
func (p *Path) checkLogIn(cl *Claim, user owner) error {
	return p.providers.CheckLogIn(cl.sent, user.authData, identity.Request{
		UserID: user.id, Master: cl.caller.Master, IP: cl.caller.IP, InstallationID: cl.caller.InstallationID,
	})
}
