package rest

import (
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/write"
)

// config answers with the app's parameters, without those that the master key alone may read.
func (a *API) config(c *call) (*answer, error) {
	who, err := a.resolve(c)
	if err != nil {
		return nil, err
	}
	var row storage.Object
	err = a.o.Store.Read(c.ctx, func(s storage.Snapshot) error {
		sch, err := s.Schema(c.ctx)
		if err == nil {
			row, err = s.Get(c.ctx, sch.Class(schema.GlobalConfig), write.ConfigID)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if row == nil {
		return &answer{body: []byte(`{"params":{}}`)}, nil
	}
	return &answer{body: shownConfig(row, who.Master)}, nil
}

// shownConfig is the answer of a configuration's row. As in parse-server a parameter is the master key's alone if JavaScript takes
// its mark for true.
func shownConfig(row storage.Object, master bool) []byte {
	params, _ := row["params"].(map[string]any)
	only, _ := row["masterKeyOnly"].(map[string]any)
	shown, marks := make(map[string]any, len(params)), make(map[string]any, len(only))
	for name, v := range params {
		if master || !query.Truthy(only[name]) {
			shown[name] = v
		}
	}
	for name, v := range only {
		if _, there := params[name]; master || !there || !query.Truthy(v) {
			marks[name] = v
		}
	}
	body := query.AppendJSON([]byte(`{"params":`), shown)
	if row["masterKeyOnly"] != nil {
		body = query.AppendJSON(append(body, `,"masterKeyOnly":`...), marks)
	}
	return append(body, '}')
}

// putConfig changes parameters.
func (a *API) putConfig(c *call) (*answer, error) {
	if c.caller.ReadOnly {
		return nil, parseerror.Denied(parseerror.OperationForbidden, "read-only masterKey isn't allowed to update the config.")
	}
	params, err := c.object("params")
	if err != nil {
		return nil, err
	}
	only, err := c.object("masterKeyOnly")
	if err != nil {
		return nil, err
	}
	return written(a.o.Configs.PutConfig(c.ctx, c.caller, params, only, c.writeID))
}

// object reads a member of the body that must be an object; it is empty when the member isn't there.
func (c *call) object(name string) (*query.Object, error) {
	v := c.body.get(name)
	if !truthy(v) {
		return &query.Object{Values: map[string]any{}}, nil
	}
	o, err := query.DecodeObject(v)
	if err != nil {
		return nil, parseerror.New(parseerror.InvalidJSON, "%s must be an object", name)
	}
	return o, nil
}
