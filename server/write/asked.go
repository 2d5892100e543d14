package write

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/trigger"
)

// Asked is a write that the app's code was asked about, and that is yet to be done. The code takes its time, so it is asked
// before the transaction, of what there is then; all that must hold is checked again inside.
type Asked struct {
	set trigger.Set
	ask *trigger.Request
	// body is what is to be written; nil where the code changed nothing.
	body []byte
	// told are the members of the answer that come of what the code changed.
	told *query.Object
	// relations are those that the body changes.
	relations []string
	// claim is what was found out of the body's authData, if claimed. logIn: the sign-up turned out to be a log-in.
	claim   *Claim
	claimed bool
	logIn   bool
	// shown is the object as it was stored, or as it was before it was deleted; nil: nothing came of the write.
	shown map[string]any
	// refused: the object is kept, although the write is answered with an error.
	refused bool
	// room is how many bytes AfterSave may still make of the answers that are given together; nil: as many as it likes.
	room *int
	// hidden are the fields that the answer doesn't show, whatever the code says.
	hidden map[string]bool
	// ready is the write of a user, whose password is hashed, and of whom auth providers were asked; nil: that is yet to be
	// done.
	ready *request
}

// errAskedOtherwise: the app's code was asked about a sign-up that is a log-in now, or the other way round, because users came or
// went meanwhile.
var errAskedOtherwise = parseerror.Busy()

// overtaken reports whether the code wasn't asked about what a sign-up is now.
func (a *Asked) overtaken(logIn bool) bool {
	if a == nil || !a.claimed || a.logIn == logIn {
		return false
	}
	return a.set.Has(map[bool]trigger.Kind{true: trigger.BeforeLogin, false: trigger.BeforeSave}[logIn])
}

type askedKey struct{}

// With returns a context in which the next write is one that the app's code was asked about already.
func With(ctx context.Context, a *Asked) context.Context {
	return context.WithValue(ctx, askedKey{}, a)
}

// Share bounds what AfterSave makes of the answer, in bytes, by what others with the same room have left of it. An answer
// that finds no room stays as it was before: the write is done. Nil is no Asked, and needs none.
func (a *Asked) Share(room *int) {
	if a != nil {
		a.room = room
	}
}

// fits reports whether there is room for an answer, and takes it.
func (a *Asked) fits(body []byte) bool {
	if a.room == nil {
		return true
	}
	if len(body) > *a.room {
		return false
	}
	*a.room -= len(body)
	return true
}

// Ask is for a write that is to be part of a transaction: it does all of it that takes its time. The app's code is asked, for
// which op is create, update or delete; objectID is "" for a new object. Passwords are hashed, and auth providers asked. Nil:
// there is nothing of that.
func (p *Path) Ask(ctx context.Context, c auth.Caller, op, class, objectID string, body []byte) (*Asked, error) {
	asked, err := p.askCode(ctx, c, op, class, objectID, body)
	if err != nil || op == "delete" || class != schema.User {
		return asked, err
	}
	ready, err := p.request(ctx, c, class, objectID, body, asked)
	if err != nil {
		return nil, err
	}
	if asked == nil {
		asked = &Asked{}
	}
	asked.ready = ready
	return asked, nil
}

// askCode asks the app's code about a write. Nil: the class has no triggers. A write that the caller may not do is refused before.
func (p *Path) askCode(ctx context.Context, c auth.Caller, op, class, objectID string, body []byte) (*Asked, error) {
	if a, ok := ctx.Value(askedKey{}).(*Asked); ok {
		return a, nil
	}
	if p.code == nil {
		return nil, nil
	}
	set, err := p.code.Triggers(ctx, class)
	if err != nil {
		return nil, err
	}
	switch {
	case op == "delete" && set&trigger.Deletes != 0:
		return p.askDelete(ctx, c, class, objectID, set)
	case op != "delete" && set&trigger.Saves != 0:
		return p.askSave(ctx, c, op, class, objectID, body, set)
	case op == "create" && set.Has(trigger.BeforeLogin):
		return p.askSave(ctx, c, op, class, objectID, body, set)
	}
	return nil, nil
}

// askSave asks BeforeSave; where a sign-up turns out to be a log-in, BeforeLogin.
func (p *Path) askSave(ctx context.Context, c auth.Caller, op, class, objectID string, body []byte, set trigger.Set) (*Asked, error) {
	o, err := query.DecodeObject(body)
	if err != nil {
		return nil, parseerror.New(parseerror.InvalidJSON, "invalid JSON")
	}
	req := &request{body: o}
	if class == schema.Installation {
		req.err = normalInstallation(o)
	}
	if req.err == nil {
		req.err = req.parse(p.denied)
	}
	asked := &Asked{set: set}
	err = p.rehearse(ctx, c, op, class, objectID, req, asked)
	if err != nil {
		return nil, err
	}
	if asked.claim, asked.claimed = p.claimBody(ctx, c, class, objectID, o), true; asked.claim != nil {
		if asked.claim.err != nil {
			return nil, asked.claim.err
		}
		if asked.logIn = asked.claim.purpose == forSignUp && asked.claim.subject != ""; asked.logIn {
			return asked, p.askLogIn(ctx, asked)
		}
	}
	object := asked.ask.Object
	for i := range req.edits {
		e := &req.edits[i]
		if strings.HasPrefix(e.root, "_") {
			continue
		}
		v, err := e.apply(object.Get(e.root), objectID == "")
		if err != nil {
			v = object.Get(e.root) // what is wrong is said when it is written
		}
		if e.kind == relation {
			v = query.Relation{ClassName: e.want.TargetClass}
			asked.relations = append(asked.relations, e.root)
		}
		object.Pending(e.name, e.raw, v)
	}
	if req.acl.named {
		object.Pending("ACL", req.acl.raw, req.acl.raw)
	}
	if !set.Has(trigger.BeforeSave) {
		return asked, nil
	}
	if err := p.code.Run(ctx, asked.ask); err != nil {
		return nil, err
	}
	asked.take(o, objectID != "")
	return asked, nil
}

// rehearse finds out whether the caller may do the write, and what the code is told of it.
func (p *Path) rehearse(ctx context.Context, c auth.Caller, op, class, objectID string, req *request, asked *Asked) error {
	return p.store.Read(ctx, func(s storage.Snapshot) error {
		a, err := auth.ResolveAt(ctx, s, c, p.o.Now())
		if err != nil {
			return err
		}
		if c.RequestID != "" {
			if err := p.checkOnce(ctx, s, c.RequestID); err != nil {
				return err
			}
		}
		if op == "delete" && class == schema.User && !a.Privileged() && a.UserID == "" {
			return insufficient()
		}
		w, err := p.begin(ctx, rehearsal{s}, a, op, class, req)
		if err != nil {
			return err
		}
		w.id = objectID
		was, err := w.rehearse(op)
		if err != nil {
			return w.hideMissing(err)
		}
		user, err := p.reads.User(ctx, s, a)
		if err != nil {
			return err
		}
		kind := trigger.BeforeSave
		if op == "delete" {
			kind = trigger.BeforeDelete
		}
		asked.ask = trigger.By(kind, class, a, user)
		asked.ask.Object = trigger.NewObject(class, was)
		if was != nil && op != "delete" {
			asked.ask.Original = trigger.NewObject(class, was)
		}
		return nil
	})
}

// rehearse goes through the checks that come before a trigger, and returns the object as it is; nil: it is a new one.
func (w *writing) rehearse(op string) (map[string]any, error) {
	switch op {
	case "create":
		if err := w.rehearseCreate(); err != nil {
			return nil, err
		}
		if w.id != "" { // the device is known
			return map[string]any{"objectId": w.id}, nil
		}
		return nil, nil
	case "update":
		if err := w.checkUpdate(); err != nil {
			return nil, err
		}
		if w.name == schema.Installation {
			id, err := w.resolveInstallation()
			if err != nil {
				return nil, err
			}
			w.id = id
		}
		if err := w.lock("update", false); err != nil {
			return nil, err
		}
	case "delete":
		if w.class == nil {
			return nil, missing()
		}
		if err := w.lock("delete", false); err != nil {
			if e := parseerror.From(err); e.Code == parseerror.ObjectNotFound {
				return nil, missing()
			}
			return nil, err
		}
	}
	return w.reads.ForTrigger(w.ctx, w.tx, w.a, w.name, w.id)
}

// missing is the error of an object that is to be deleted, where the class has triggers.
func missing() error {
	return parseerror.New(parseerror.ObjectNotFound, "Object not found for delete.")
}

func insufficient() error {
	return parseerror.New(parseerror.SessionMissing, "Insufficient auth to delete user")
}

func (w *writing) rehearseCreate() error {
	if err := w.checkNewID(); err != nil {
		return err
	}
	switch w.name {
	case schema.Installation:
		id, err := w.resolveInstallation()
		if w.id = id; err != nil {
			return err
		}
	case schema.User:
		if err := w.checkSignUp(); err != nil {
			return err
		}
	}
	for i := range w.edits {
		if err := checkKeys(w.edits[i].raw, true); err != nil {
			return err
		}
	}
	_, err := w.a.Permit(w.class, "create", false)
	return err
}

// changed reports whether the body is what the app's code has made of it.
func (w *writing) changed() bool { return w.asked != nil && w.asked.told != nil }

// take reads what the code has made of the body.
func (a *Asked) take(body *query.Object, update bool) {
	names, ops, reverted := a.ask.Object.Changes()
	for _, n := range body.Names {
		if n[:min(1, len(n))] == "_" && !slices.Contains(names, n) {
			names = append(names, n)
			ops[n] = body.Values[n]
		}
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == "objectId" && (update || !query.Truthy(ops[n])) })
	a.body = appendObject(nil, names, ops)
	a.told = &query.Object{Values: map[string]any{}}
	tell := func(name string, v any) {
		a.told.Names = append(a.told.Names, name)
		a.told.Values[name] = v
	}
	for _, n := range names {
		if n != "objectId" && n != "createdAt" && n != "updatedAt" && !reflect.DeepEqual(ops[n], body.Values[n]) {
			tell(n, ops[n])
		}
	}
	for _, field := range reverted {
		if was := a.ask.Object.Was(field); was != nil {
			tell(field, was)
		} else {
			tell(field, map[string]any{"__op": "Delete"})
		}
	}
	if authData, there := ops["authData"]; !there || !reflect.DeepEqual(authData, body.Values["authData"]) {
		a.claimed = false
	}
}

// askLogIn asks BeforeLogin about the user whom a sign-up turned out to be.
func (p *Path) askLogIn(ctx context.Context, asked *Asked) error {
	if !asked.set.Has(trigger.BeforeLogin) {
		return nil
	}
	user, err := p.shown(ctx, schema.User, asked.claim.subject)
	if err != nil {
		return err
	}
	ask := asked.ask.Then(trigger.BeforeLogin)
	ask.Object = trigger.Found(schema.User, user)
	return p.code.Run(ctx, ask)
}

// shown returns an object as triggers see it who aren't asked in anybody's name.
func (p *Path) shown(ctx context.Context, class, id string) (o map[string]any, err error) {
	err = p.store.Read(ctx, func(s storage.Snapshot) error {
		o, err = p.reads.ForTrigger(ctx, s, &auth.Auth{Caller: auth.Caller{Master: true}}, class, id)
		return err
	})
	return o, err
}

// askDelete asks BeforeDelete.
func (p *Path) askDelete(ctx context.Context, c auth.Caller, class, objectID string, set trigger.Set) (*Asked, error) {
	asked := &Asked{set: set}
	if err := p.rehearse(ctx, c, "delete", class, objectID, nil, asked); err != nil {
		return nil, err
	}
	if !set.Has(trigger.BeforeDelete) {
		return asked, nil
	}
	return asked, p.code.Run(ctx, asked.ask)
}
