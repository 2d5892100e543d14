package rest

import (
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/write"
)

// The handlers of objects. class is the class of the route; "" means that the path names it.

func (c *call) target(class string) (string, string) {
	if class == "" {
		return c.params[0], c.params[1]
	}
	return class, c.params[0]
}

func find(class string) handler {
	return func(a *API, c *call) (*answer, error) {
		class, _ := c.target(class)
		source := &query.Source{Params: c.findParams(), Limits: a.complexity.limits(c.caller)}
		q, err := query.ParseParams(class, source.Params, source.Limits)
		if err != nil {
			return nil, err
		}
		q.Source = source
		res, err := a.o.Reader.Find(c.ctx, c.caller, q)
		if err != nil {
			return nil, err
		}
		return &answer{body: res.Body, reads: &res.Reads, sent: res.Release}, nil
	}
}

func get(class string) handler {
	return func(a *API, c *call) (*answer, error) {
		class, id := c.target(class)
		source := &query.Source{Params: c.findParams(), Limits: a.complexity.limits(c.caller)}
		q, err := query.ParseGetParams(class, source.Params, source.Limits)
		if err != nil {
			return nil, err
		}
		q.Source = source
		res, err := a.o.Reader.Get(c.ctx, c.caller, class, id, q)
		if err != nil {
			if res != nil { // it isn't there, and what that depends on is known
				return &answer{reads: &res.Reads}, err
			}
			return nil, err
		}
		return &answer{body: res.Body, reads: &res.Reads}, nil
	}
}

func create(class string) handler {
	return func(a *API, c *call) (*answer, error) {
		class, _ := c.target(class)
		c.caller.RequestID = a.requestIDs.of(c)
		if class == "_User" {
			return written(a.o.Users.SignUp(c.ctx, c.caller, c.body.json(), c.writeID))
		}
		return written(a.o.Writer.Create(c.ctx, c.caller, class, c.body.json(), c.writeID))
	}
}

func update(class string) handler {
	return func(a *API, c *call) (*answer, error) {
		class, id := c.target(class)
		c.caller.RequestID = a.requestIDs.of(c)
		return written(a.o.Writer.Update(c.ctx, c.caller, class, id, c.body.json(), c.writeID))
	}
}

func remove(class string) handler {
	return func(a *API, c *call) (*answer, error) {
		class, id := c.target(class)
		return written(a.o.Writer.Delete(c.ctx, c.caller, class, id, c.writeID))
	}
}

// written turns the write path's result into an answer.
func written(res *write.Result, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return &answer{status: res.Status, location: res.Location, body: res.Body, result: res}, nil
}

// findParams are the parameters of a find: the body's members, over which the query string's are laid.
func (c *call) findParams() query.Params {
	p := make(query.Params, len(c.query)+len(c.body.members))
	for _, m := range c.body.members {
		p[m.name] = query.Param{JSON: m.value}
	}
	for _, f := range c.query {
		p[f.name] = f.param()
	}
	return p
}

// param is the field as the query parser takes it.
func (f field) param() query.Param {
	if s, ok := f.value.(string); ok {
		return query.Param{Text: s}
	}
	return query.Param{JSON: []byte(f.text())}
}
