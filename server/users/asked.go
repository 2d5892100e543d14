package users

import (
	"context"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/read"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/trigger"
	"github.com/parsescale/parsescale/server/write"
)

// triggers returns the kinds of triggers that a class has.
func (u *Users) triggers(ctx context.Context, class string) (trigger.Set, error) {
	if u.o.Code == nil {
		return 0, nil
	}
	return u.o.Code.Triggers(ctx, class)
}

// ask asks the app's code about an object in a caller's name. as, if not nil, is whom the code takes for the caller's user.
func (u *Users) ask(ctx context.Context, kind trigger.Kind, c auth.Caller, object *trigger.Object, as map[string]any) error {
	return u.o.Code.Run(ctx, u.request(kind, c, object, as))
}

func (u *Users) request(kind trigger.Kind, c auth.Caller, object *trigger.Object, as map[string]any) *trigger.Request {
	r := trigger.By(kind, object.ClassName, &auth.Auth{Caller: c}, as)
	r.Object = object
	return r
}

// beforeLogIn asks BeforeLogin about a user who has proved to be that user.
func (u *Users) beforeLogIn(ctx context.Context, set trigger.Set, c auth.Caller, userID string) error {
	if !set.Has(trigger.BeforeLogin) {
		return nil
	}
	user, err := u.shown(ctx, c, schema.User, userID)
	if err != nil {
		return err
	}
	return u.ask(ctx, trigger.BeforeLogin, c, trigger.Found(schema.User, user), nil)
}

// afterLogIn tells AfterLogin of a log-in that is done, also when the client is gone meanwhile, and has the triggers of finds
// take part in its answer.
func (u *Users) afterLogIn(ctx context.Context, set trigger.Set, c auth.Caller, userID string, res *write.Result) error {
	if res.Repeated {
		return nil
	}
	answer, err := query.DecodeObject(res.Body)
	if err != nil {
		return err
	}
	token, _ := answer.Values["sessionToken"].(string)
	if set.Has(trigger.AfterLogin) {
		user, err := u.shown(context.WithoutCancel(ctx), c, schema.User, userID)
		if err != nil {
			return err
		}
		user["sessionToken"] = token
		if err := u.ask(ctx, trigger.AfterLogin, c, trigger.Found(schema.User, user), user); err != nil {
			return err
		}
	}
	if set&trigger.Finds == 0 {
		return nil
	}
	if !c.Privileged() {
		c.SessionToken = token
	}
	body := append(query.AppendString([]byte(`{"objectId":`), userID), '}')
	if found, err := u.reads.Get(ctx, c, schema.User, userID, nil); err == nil {
		body = found.Body // else the log-in has succeeded all the same
	}
	o, err := query.DecodeObject(body)
	if err != nil {
		return err
	}
	o.Values["sessionToken"] = token
	if v, there := answer.Values["authDataResponse"]; there {
		o.Values["authDataResponse"] = v
	}
	res.Body = query.AppendJSON(nil, o.Values)
	return nil
}

// shown returns an object as triggers see it.
func (u *Users) shown(ctx context.Context, c auth.Caller, class, id string) (o map[string]any, err error) {
	err = u.store.Read(ctx, func(s storage.Snapshot) error {
		o, err = u.reads.ForTrigger(ctx, s, &auth.Auth{Caller: auth.Caller{Master: true, IP: c.IP}}, class, id)
		return err
	})
	if o == nil {
		o = map[string]any{"objectId": id}
	}
	return o, err
}

// meAsked is Me where triggers of finds take part.
func (u *Users) meAsked(ctx context.Context, c auth.Caller, userID string) (*read.Result, error) {
	res, err := u.reads.Get(ctx, c, schema.User, userID, nil)
	if err != nil || !c.Privileged() {
		return res, err
	}
	o, err := query.DecodeObject(res.Body)
	if err != nil {
		return nil, err
	}
	o.Values["sessionToken"] = c.SessionToken
	res.Body = query.AppendJSON(nil, o.Values)
	return res, nil
}

// loggedOut is what AfterLogout is told of a session that ends.
func (u *Users) loggedOut(ctx context.Context, s storage.Snapshot, a *auth.Auth, session storage.Object) (*trigger.Request, error) {
	id, _ := session["objectId"].(string)
	o, err := u.reads.ForTrigger(ctx, s, &auth.Auth{Caller: auth.Caller{Master: true}}, schema.Session, id)
	if err != nil {
		return nil, err
	}
	user, err := u.reads.User(ctx, s, a)
	if err != nil {
		return nil, err
	}
	r := trigger.By(trigger.AfterLogout, schema.Session, a, user)
	r.Object = trigger.Found(schema.Session, o)
	return r, nil
}
