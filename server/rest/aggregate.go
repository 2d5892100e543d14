package rest

import (
	"encoding/json"
	"strings"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/pipeline"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/read"
)

// aggregate serves GET /aggregate/:className: the different values of a field, or a pipeline. The stages are the
// parameter pipeline, else all parameters that aren't options.
func (a *API) aggregate(c *call) (*answer, error) {
	if c.caller.ReadOnly && !a.o.Config.AllowAggregationForReadOnlyMasterKey {
		return nil, parseerror.New(parseerror.OperationForbidden, "Cannot run an aggregation pipeline when using the readOnlyMasterKey")
	}
	params, own, err := a.o.Analyst.Refine(c.ctx, c.caller, c.params[0], c.findParams())
	if err != nil {
		return nil, err
	}
	if own != nil {
		return &answer{body: own.Body, reads: &own.Reads}, nil
	}
	q := &read.Aggregation{Class: c.params[0], Explain: given(params, "explain")}
	for _, name := range [...]string{"rawValues", "rawFieldNames"} {
		v, err := params[name].Value()
		if err != nil {
			return nil, err
		}
		if raw, ok := v.(bool); ok {
			q.Raw = q.Raw || raw
			delete(params, name)
		}
	}
	for _, name := range [...]string{"explain", "hint", "comment", "readPreference"} {
		if given(params, name) {
			delete(params, name)
		}
	}
	if q.Pipeline, err = pipeline.Parse(stages(params)); err != nil {
		return nil, err
	}
	if given(params, "distinct") {
		return a.distinct(c, params)
	}
	if _, ok := params["where"]; ok && !given(params, "pipeline") {
		return nil, parseerror.New(parseerror.InvalidQuery, "where goes with distinct; a pipeline has $match")
	}
	res, err := a.o.Analyst.Aggregate(c.ctx, c.caller, q)
	if err != nil {
		return nil, err
	}
	return &answer{body: res.Body, reads: &res.Reads}, nil
}

func (a *API) distinct(c *call, params query.Params) (*answer, error) {
	v, err := params["distinct"].Value()
	if err != nil {
		return nil, err
	}
	field, isText := v.(string)
	if !isText {
		field = params["distinct"].String()
	}
	for part := range strings.SplitSeq(field, ".") {
		if !pipeline.IsName(part) {
			return nil, parseerror.New(parseerror.InvalidKeyName, "Invalid field name: %s", field)
		}
	}
	var where query.Expr
	if text := params["where"].String(); text != "" {
		if where, err = query.ParseWhere([]byte(text), a.complexity.limits(c.caller)); err != nil {
			return nil, err
		}
	}
	res, err := a.o.Analyst.Distinct(c.ctx, c.caller, c.params[0], query.Path(field), where)
	if err != nil {
		return nil, err
	}
	return &answer{body: res.Body, reads: &res.Reads}, nil
}

// given reports whether a parameter is there and not falsy.
func given(p query.Params, name string) bool {
	param, ok := p[name]
	if !ok {
		return false
	}
	switch strings.TrimSpace(param.String()) {
	case "", "false", "null", "0", `""`:
		return false
	}
	return true
}

// stages is the JSON of a pipeline: the parameter of that name, or an object of all that are left, $project last.
func stages(params query.Params) []byte {
	if given(params, "pipeline") {
		return value(params["pipeline"])
	}
	out := []byte{'{'}
	add := func(name string) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(query.AppendString(out, name), ':')
		out = append(out, value(params[name])...)
	}
	for name := range params {
		if name != "$project" && name != "distinct" && name != "where" {
			add(name)
		}
	}
	if _, ok := params["$project"]; ok {
		add("$project")
	}
	return append(out, '}')
}

// value is a parameter as JSON; text that is none is a string.
func value(p query.Param) []byte {
	text := []byte(p.String())
	if json.Valid(text) {
		return text
	}
	return query.AppendString(nil, string(text))
}
