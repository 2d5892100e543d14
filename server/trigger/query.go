package trigger

import (
	"slices"
	"strconv"
	"strings"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
)

// Query is what a find asks for.
type Query struct {
	// Where is the condition in the REST API's form, as {"a":{"$gt":1}}.
	Where map[string]any
	// Limit is the most results; 0: none was given. Skip leaves out the first ones.
	Limit, Skip int
	// Order are field names, with a minus for the other way round.
	Order []string
	// Keys and ExcludeKeys choose fields, Include pointers to resolve.
	Keys, ExcludeKeys, Include []string
	// Explain, Hint and Comment are as they were sent; "" for none.
	Explain, Hint, Comment string
	// IncludeAll resolves all pointers.
	IncludeAll bool
}

var errWhere = parseerror.New(parseerror.InvalidQuery, "where must be a JSON object")

// NewQuery reads the parameters of a find.
func NewQuery(p query.Params) (*Query, error) {
	q := &Query{Where: map[string]any{}}
	if w, ok := p["where"]; ok {
		v, err := query.Decode([]byte(w.String()))
		m, ok := v.(map[string]any)
		if err != nil || !ok && v != nil {
			return nil, errWhere
		}
		if ok {
			q.Where = m
		}
	}
	q.Limit, q.Skip = number(p["limit"]), number(p["skip"])
	for name, to := range map[string]*[]string{"order": &q.Order, "keys": &q.Keys, "excludeKeys": &q.ExcludeKeys, "include": &q.Include} {
		*to = list(p[name])
	}
	for name, to := range map[string]*string{"explain": &q.Explain, "hint": &q.Hint, "comment": &q.Comment} {
		if _, ok := p[name]; ok {
			*to = text(p[name])
		}
	}
	v, err := p["includeAll"].Value()
	q.IncludeAll = err == nil && v != nil && v != false && v != "" && v != 0.0
	return q, nil
}

func number(p query.Param) int {
	v, err := p.Value()
	if n, ok := v.(float64); ok && err == nil && n > 0 && n < 1<<31 {
		return int(n)
	}
	if s, ok := v.(string); ok && err == nil {
		if n, err := strconv.Atoi(s); err == nil && n > 0 {
			return n
		}
	}
	return 0
}

func text(p query.Param) string {
	if v, err := p.Value(); err == nil {
		if s, ok := v.(string); ok {
			return s
		}
	}
	return p.String()
}

func list(p query.Param) []string {
	v, err := p.Value()
	if err != nil {
		return nil
	}
	var out []string
	switch v := v.(type) {
	case string:
		out = strings.Split(v, ",")
	case []any:
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

// Params lays the query over the parameters that it was read from. As in parse-server, what is empty changes nothing, but
// for the condition.
func (q *Query) Params(p query.Params) query.Params {
	out := make(query.Params, len(p)+1)
	for name, v := range p {
		out[name] = v
	}
	out["where"] = query.Param{JSON: query.AppendJSON(nil, q.Where)}
	if q.Limit > 0 {
		out["limit"] = query.Param{JSON: strconv.AppendInt(nil, int64(q.Limit), 10)}
	}
	if q.Skip > 0 {
		out["skip"] = query.Param{JSON: strconv.AppendInt(nil, int64(q.Skip), 10)}
	}
	for name, v := range map[string][]string{"order": q.Order, "keys": q.Keys, "excludeKeys": q.ExcludeKeys, "include": q.Include} {
		if len(v) > 0 {
			out[name] = query.Param{JSON: query.AppendString(nil, strings.Join(v, ","))}
		}
	}
	for name, v := range map[string]string{"hint": q.Hint, "comment": q.Comment} {
		if v != "" && out[name].String() != v {
			out[name] = query.Param{JSON: query.AppendString(nil, v)}
		}
	}
	return out
}

// JSON returns the query as webhooks read it.
func (q *Query) JSON() map[string]any {
	out := map[string]any{"where": q.Where}
	if q.Limit > 0 {
		out["limit"] = float64(q.Limit)
	}
	if q.Skip > 0 {
		out["skip"] = float64(q.Skip)
	}
	for name, v := range map[string][]string{"order": q.Order, "keys": q.Keys, "excludeKeys": q.ExcludeKeys, "include": q.Include} {
		if len(v) > 0 {
			out[name] = strings.Join(v, ",")
		}
	}
	switch q.Explain {
	case "":
	case "true":
		out["explain"] = true
	default:
		out["explain"] = q.Explain
	}
	for name, v := range map[string]string{"hint": q.Hint, "comment": q.Comment} {
		if v != "" {
			out[name] = v
		}
	}
	if q.IncludeAll {
		out["includeAll"] = true
	}
	return out
}
