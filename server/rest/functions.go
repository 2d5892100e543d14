package rest

import (
	"encoding/json"
	"strings"

	"github.com/parsescale/parsescale/server/cloud"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
)

// callFunction runs a cloud function. Its parameters are the body's members, over which the query string's are laid.
func (a *API) callFunction(c *call) (*answer, error) {
	name := c.params[0]
	r := &cloud.Request{
		FunctionName: name, Params: map[string]any{}, Context: map[string]any{}, Headers: map[string]string{},
		Master: c.caller.Master, ReadOnly: c.caller.ReadOnly, InstallationID: c.caller.InstallationID, IP: c.caller.IP,
		Log: a.o.Logger,
	}
	if c.http != nil && strings.HasPrefix(strings.ToLower(c.http.Header.Get("Content-Type")), "multipart/") {
		return nil, parseerror.New(parseerror.CommandUnavailable, "multipart/form-data is not supported yet.")
	}
	who, err := a.resolve(c)
	if err != nil {
		return nil, err
	}
	body, err := query.DecodeObject(c.body.json())
	if err != nil {
		return nil, parseerror.New(parseerror.InvalidJSON, "invalid JSON")
	}
	for k, v := range body.Values {
		r.Params[k] = v
	}
	for _, f := range c.query {
		r.Params[f.name] = f.value
	}
	if who.UserID != "" {
		me, err := a.o.Users.Me(c.ctx, c.caller)
		if err != nil {
			return nil, err
		}
		user, err := query.Decode(me.Body)
		if err != nil {
			return nil, err
		}
		r.User, _ = user.(map[string]any)
	}
	if len(c.context) > 0 {
		v, err := query.Decode(c.context)
		if err != nil {
			return nil, errContext
		}
		r.Context, _ = v.(map[string]any)
	}
	if c.http != nil {
		for k := range c.http.Header {
			if !secretField(k) {
				r.Headers[strings.ToLower(k)] = header(c.http.Header, k)
			}
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
	out, err := a.o.Cloud.Call(c.ctx, r)
	if err != nil {
		return nil, err
	}
	if out == nil {
		return &answer{body: []byte("{}")}, nil
	}
	return &answer{body: append(query.AppendJSON([]byte(`{"result":`), out), '}')}, nil
}

// secretField reports whether a header field holds a key, which isn't an app's code's business.
func secretField(name string) bool {
	switch name {
	case "X-Parse-Master-Key", "X-Parse-Maintenance-Key", "Authorization":
		return true
	}
	return false
}

func appendHook(dst []byte, h cloud.Hook) []byte {
	m := map[string]string{"url": h.URL}
	if h.FunctionName != "" {
		m["functionName"] = h.FunctionName
	} else {
		m["className"], m["triggerName"] = h.ClassName, h.TriggerName
	}
	text, err := json.Marshal(m)
	if err != nil {
		return append(dst, "{}"...) // a map of texts can be encoded
	}
	return append(dst, text...)
}

func hooks(triggers bool) handler {
	return func(a *API, c *call) (*answer, error) {
		all, err := a.o.Cloud.Hooks(c.ctx, triggers)
		if err != nil {
			return nil, err
		}
		out := []byte{'['}
		for i, h := range all {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendHook(out, h)
		}
		return &answer{body: append(out, ']')}, nil
	}
}

func (a *API) functionHook(c *call) (*answer, error) {
	h, err := a.o.Cloud.Function(c.ctx, c.params[0])
	if err != nil {
		return nil, cloud.Explain(c.params[0], err)
	}
	return &answer{body: appendHook(nil, h)}, nil
}

func (c *call) checkHookWrite(doing string) error {
	if c.caller.ReadOnly {
		return parseerror.Denied(parseerror.OperationForbidden, "read-only masterKey isn't allowed to %s a hook.", doing)
	}
	return nil
}

func (a *API) createFunctionHook(c *call) (*answer, error) {
	if err := c.checkHookWrite("create"); err != nil {
		return nil, err
	}
	name, _ := c.body.text("functionName")
	url, _ := c.body.text("url")
	h := cloud.Hook{FunctionName: name, URL: url}
	if err := a.o.Cloud.Create(c.ctx, h, c.writeID); err != nil {
		return nil, err
	}
	return &answer{body: appendHook(nil, h)}, nil
}

func (a *API) changeFunctionHook(c *call) (*answer, error) {
	if err := c.checkHookWrite("modify"); err != nil {
		return nil, err
	}
	h := cloud.Hook{FunctionName: c.params[0]}
	if op, _ := c.body.text("__op"); op == "Delete" {
		if err := a.o.Cloud.Remove(c.ctx, h, c.writeID); err != nil {
			return nil, err
		}
		return &answer{body: []byte("{}")}, nil
	}
	h.URL, _ = c.body.text("url")
	if err := a.o.Cloud.Update(c.ctx, h, c.writeID); err != nil {
		return nil, err
	}
	return &answer{body: appendHook(nil, h)}, nil
}

// changeTriggerHook takes a trigger's webhook away. Others can't be registered: this server doesn't call them yet.
func (a *API) changeTriggerHook(c *call) (*answer, error) {
	if err := c.checkHookWrite("modify"); err != nil {
		return nil, err
	}
	if op, _ := c.body.text("__op"); op == "Delete" && c.params[1] != "" {
		if err := a.o.Cloud.Remove(c.ctx, cloud.Hook{ClassName: c.params[0], TriggerName: c.params[1]}, c.writeID); err != nil {
			return nil, err
		}
		return &answer{body: []byte("{}")}, nil
	}
	return nil, parseerror.New(parseerror.CommandUnavailable, "Webhooks for triggers are not supported yet.")
}
