package rest

import (
	"maps"
	"strings"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/cloud"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
)

// asker is the caller's user as the app's code sees it; nil: nobody is logged in.
func (a *API) asker(c *call, who *auth.Auth) (map[string]any, error) {
	if who.UserID == "" {
		return nil, nil
	}
	me, err := a.o.Users.Me(c.ctx, c.caller)
	if err != nil {
		return nil, err
	}
	v, err := query.Decode(me.Body)
	if err != nil {
		return nil, err
	}
	user, _ := v.(map[string]any)
	return user, nil
}

// callFunction runs a cloud function. Its parameters are the body's members, over which the query string's are laid.
func (a *API) callFunction(c *call) (*answer, error) {
	name := c.params[0]
	r := &cloud.Request{
		FunctionName: name, Params: map[string]any{}, Context: map[string]any{}, Headers: map[string]string{},
		Master: c.caller.Master, ReadOnly: c.caller.ReadOnly, InstallationID: c.caller.InstallationID, IP: c.caller.IP,
		Log: a.o.Logger,
	}
	if o := c.caller.Origin; o != nil {
		r.Headers = o.Headers()
	}
	who, err := a.resolve(c)
	if err != nil {
		return nil, err
	}
	body, err := query.DecodeObject(c.body.json())
	if err != nil {
		return nil, parseerror.New(parseerror.InvalidJSON, "invalid JSON")
	}
	maps.Copy(r.Params, body.Values)
	if r.User, err = a.asker(c, who); err != nil {
		return nil, err
	}
	if len(c.context) > 0 {
		v, err := query.Decode(c.context)
		if err != nil {
			return nil, errContext
		}
		r.Context, _ = v.(map[string]any)
	}
	for _, role := range who.Roles {
		r.Roles = append(r.Roles, strings.TrimPrefix(role, "role:"))
	}
	if c.http != nil && isForm(c.http.Header) {
		if r.Params, err = readForm(c.http, a.limit); err != nil {
			return nil, err
		}
	}
	if id := a.requestIDs.of(c); id != "" {
		// A function's effects are its own: the id is kept before it runs.
		caller := c.caller
		caller.RequestID = id
		if err := a.o.Once.Once(c.ctx, caller); err != nil {
			return nil, err
		}
	}
	for _, f := range c.query {
		r.Params[f.name] = f.value
	}
	out, err := a.o.Cloud.Call(c.ctx, r)
	if err != nil {
		return nil, err
	}
	if out == nil {
		return &answer{body: []byte("{}")}, nil
	}
	return &answer{body: append(query.AppendJSON([]byte(`{"result":`), out), '}')}, nil
}
