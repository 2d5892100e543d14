package rest

import (
	"encoding/json"

	"github.com/parsescale/parsescale/server/cloud"
	"github.com/parsescale/parsescale/server/parseerror"
)

// The handlers of webhooks: of functions, and of triggers.

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

func (a *API) triggerHook(c *call) (*answer, error) {
	h, err := a.o.Cloud.Trigger(c.ctx, c.params[0], c.params[1])
	if err != nil {
		return nil, err
	}
	return &answer{body: appendHook(nil, h)}, nil
}

// createHook registers the webhook that the body describes. As in parse-server the path doesn't say of what it is.
func (a *API) createHook(c *call) (*answer, error) {
	if err := c.checkHookWrite("create"); err != nil {
		return nil, err
	}
	h := cloud.Hook{}
	h.URL, _ = c.body.text("url")
	if h.FunctionName, _ = c.body.text("functionName"); h.FunctionName == "" {
		h.ClassName, _ = c.body.text("className")
		h.TriggerName, _ = c.body.text("triggerName")
	}
	if err := a.o.Cloud.Create(c.ctx, h, c.writeID); err != nil {
		return nil, err
	}
	return &answer{body: appendHook(nil, h)}, nil
}

func (a *API) changeFunctionHook(c *call) (*answer, error) {
	return a.changeHook(c, cloud.Hook{FunctionName: c.params[0]})
}

func (a *API) changeTriggerHook(c *call) (*answer, error) {
	return a.changeHook(c, cloud.Hook{ClassName: c.params[0], TriggerName: c.params[1]})
}

// changeHook changes a webhook's address, or takes the webhook away.
func (a *API) changeHook(c *call, h cloud.Hook) (*answer, error) {
	if err := c.checkHookWrite("modify"); err != nil {
		return nil, err
	}
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
