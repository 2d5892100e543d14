package write

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/parsescale/parsescale/server/identity"
	"github.com/parsescale/parsescale/server/parseerror"
)

// maxID bounds the ids of users at providers, in bytes: they stand in an index.
const maxID = 2000

// identify has providers find out the ids that users are looked up by. What says nothing else than is stored is an echo: the
// provider isn't asked.
func (p *Path) identify(ctx context.Context, sent, stored map[string]any) (out map[string]any, echoes map[string]bool, err error) {
	out, echoes = maps.Clone(sent), map[string]bool{}
	for _, provider := range slices.Sorted(maps.Keys(sent)) {
		// Whoever isn't known is refused later, by decide, and nobody is looked up by it.
		if sent[provider] == nil || !p.providers.Has(provider) {
			continue
		}
		data, ok := sent[provider].(map[string]any)
		if !ok {
			return nil, nil, badID(provider)
		}
		if len(data) > 0 && within(data, stored[provider]) {
			echoes[provider] = true
		} else if data, err = p.providers.Identify(ctx, provider, data); err != nil {
			return nil, nil, err
		}
		if id, there := data["id"]; there && id != nil {
			text, ok := id.(string)
			if !ok || len(text) > maxID || strings.ContainsRune(text, 0) {
				return nil, nil, badID(provider)
			}
		}
		out[provider] = data
	}
	return out, echoes, nil
}

func badID(provider string) error {
	return parseerror.New(parseerror.InvalidValue, "Invalid authData id for provider '%s'.", provider)
}

// within reports whether every member of an object is one of another's.
func within(part map[string]any, whole any) bool {
	m, ok := whole.(map[string]any)
	if !ok {
		return false
	}
	for k, v := range part {
		if !reflect.DeepEqual(v, m[k]) {
			return false
		}
	}
	return true
}

// news is what of a claim isn't stored already.
func news(sent, stored map[string]any) map[string]any {
	out := map[string]any{}
	for provider, v := range sent {
		data, _ := v.(map[string]any)
		if v == nil || stored[provider] == nil || !within(data, stored[provider]) {
			out[provider] = v
		}
	}
	return out
}

// decide asks the providers. The steps, and which error wins, are parse-server's; in particular, providers are asked before
// the client learns that somebody else has an account.
func (p *Path) decide(ctx context.Context, cl *Claim) {
	cl.save, cl.response, cl.then, cl.subject = nil, nil, nil, ""
	if cl.standing, cl.err = p.look(ctx, cl); cl.err != nil {
		return
	}
	owners := cl.standing.visible(cl.caller)
	hidden := len(owners) < len(cl.standing.owners)
	self := cl.target
	if cl.purpose == forSignUp {
		self = cl.standing.caller
	}
	switch {
	case cl.purpose != forSignUp && cl.standing.target == nil:
		cl.err = errMoved
	case len(owners) > 1 || len(owners) == 1 && self != "" && owners[0].id != self:
		if cl.err = p.ask(ctx, cl, owners[0], identity.LogIn, cl.sent); cl.err == nil {
			cl.err = alreadyLinked()
		}
	case cl.purpose == forSignUp && len(owners) == 0:
		cl.answered = true
		cl.err = p.ask(ctx, cl, owner{}, identity.SetUp, cl.sent)
	case cl.purpose == forSignUp:
		cl.err = p.decideReturn(ctx, cl, owners[0])
	case cl.purpose == forLogIn:
		cl.err = p.ask(ctx, cl, *cl.standing.target, identity.LogIn, cl.sent)
	default:
		cl.err = p.decideChange(ctx, cl, len(owners) == 1)
	}
	if cl.err == nil && hidden {
		cl.err = alreadyLinked()
	}
}

// decideReturn decides the log-in of a user who is known by authData.
func (p *Path) decideReturn(ctx context.Context, cl *Claim, user owner) error {
	if err := p.checkLogIn(cl, user); err != nil {
		return err
	}
	if cl.standing.caller == "" && !cl.caller.Master {
		cl.answered = true
		return p.ask(ctx, cl, user, identity.LogIn, cl.sent)
	}
	// Whoever is logged in already, or has the master key, need not prove again what is known.
	fresh := news(cl.sent, user.authData)
	stage := identity.Update
	if cl.standing.caller == "" {
		stage = identity.LogIn
	}
	cl.answered = asks(fresh)
	return p.ask(ctx, cl, user, stage, fresh)
}

// decideChange decides what a user, or whoever may change one, changes.
func (p *Path) decideChange(ctx context.Context, cl *Claim, owns bool) error {
	fresh := news(cl.sent, cl.standing.target.authData)
	for provider := range fresh {
		if cl.echoes[provider] {
			return errUsed // it is one no longer, and the provider wasn't asked who that is
		}
	}
	cl.answered = !owns || asks(fresh)
	return p.ask(ctx, cl, *cl.standing.target, identity.Update, fresh)
}

// asks reports whether news are such as parse-server has an answer to.
func asks(fresh map[string]any) bool {
	for provider := range fresh {
		if provider != anonymous {
			return true
		}
	}
	return false
}

// ask asks the providers one after the other, so that none is asked in vain, with a user in mind. A provider that the user
// doesn't have is one to set up, whatever the stage.
func (p *Path) ask(ctx context.Context, cl *Claim, user owner, stage identity.Stage, sent map[string]any) error {
	cl.subject = user.id
	cl.save, cl.response = map[string]any{}, map[string]any{}
	for _, provider := range slices.Sorted(maps.Keys(sent)) {
		if sent[provider] == nil {
			cl.save[provider] = nil
			continue
		}
		if !p.providers.Has(provider) {
			return identity.Unsupported()
		}
		data, _ := sent[provider].(map[string]any)
		stored, has := user.authData[provider].(map[string]any)
		r := identity.Request{
			Provider: provider, Stage: stage, AuthData: data, UserID: user.id, Stored: stored,
			Master: cl.caller.Master, IP: cl.caller.IP, InstallationID: cl.caller.InstallationID,
		}
		if !has {
			r.Stage = identity.SetUp
		}
		out, err := p.providers.Validate(ctx, &r)
		if err != nil {
			return err
		}
		if out.Then != nil {
			// Nothing else comes of this claim than what the next one needs.
			cl.save, cl.then = map[string]any{provider: out.Save}, parseerror.From(out.Then)
			return nil
		}
		if out.Response != nil {
			cl.response[provider] = out.Response
		}
		if out.Save != nil {
			cl.save[provider] = out.Save
		} else if !out.DoNotSave {
			cl.save[provider] = data
		}
	}
	return nil
}
