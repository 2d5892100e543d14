package pipeline

import (
	"encoding/json"

	"github.com/parsescale/parsescale/server/query"
)

// where reads $match. It is a where, whose fields may have their names of MongoDB. parse-server drops most of what isn't
// a comparison; a condition isn't dropped here.
func (b *builder) where(raw json.RawMessage) error {
	b.p.All = true
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return fail(codeInvalidQuery, "$match is not valid JSON")
	}
	if _, ok := v.(map[string]any); !ok {
		return nil
	}
	data, err := json.Marshal(renamed(v))
	if err != nil {
		return fail(codeInvalidQuery, "$match is not valid JSON")
	}
	e, err := query.ParseWhere(data, query.Limits{Privileged: true})
	if err == nil && e != nil {
		b.match = append(b.match, e)
	}
	return err
}

// renamed gives the fields of a where their own names.
func renamed(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = renamed(v[i])
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, value := range v {
			if name == "$or" || name == "$and" || name == "$nor" {
				value = renamed(value)
			}
			out[column(name)] = value
		}
		return out
	}
	return v
}

func conjunction(terms []query.Expr) query.Expr {
	switch len(terms) {
	case 0:
		return nil
	case 1:
		return terms[0]
	}
	return query.And(terms)
}
