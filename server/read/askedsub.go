package read

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/trigger"
)

// withoutSubQueries answers the sub-queries of a where that are about classes with triggers of finds, and puts what they
// find in their place, as parse-server does with all of them.
func (f *asking) withoutSubQueries(params query.Params) (query.Params, error) {
	text := params["where"].String()
	if !strings.Contains(text, "$") {
		return params, nil
	}
	v, err := query.Decode([]byte(text))
	if err != nil {
		return params, nil //nolint:nilerr // what is wrong with it is said when it is parsed
	}
	changed := false
	if v, err = f.answered(v, &changed); err != nil || !changed {
		return params, err
	}
	params = maps.Clone(params)
	params["where"] = query.Param{JSON: query.AppendJSON(nil, v)}
	return params, nil
}

// answered returns a part of a where with the sub-queries in it answered, the innermost first.
func (f *asking) answered(v any, changed *bool) (any, error) {
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			var err error
			if v[i], err = f.answered(e, changed); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			var err error
			if v[name], err = f.answered(v[name], changed); err != nil {
				return nil, err
			}
		}
		for name, in := range map[string]string{"$inQuery": "$in", "$notInQuery": "$nin", "$select": "$in", "$dontSelect": "$nin"} {
			m, ok := v[name].(map[string]any)
			if !ok {
				continue
			}
			values, asked, err := f.subQuery(name, m)
			if err != nil {
				return nil, err
			}
			if !asked {
				continue
			}
			*changed = true
			delete(v, name)
			if list, ok := v[in].([]any); ok {
				values = append(slices.Clone(list), values...)
			}
			v[in] = values
		}
	}
	return v, nil
}

// subQuery answers one sub-query, if its class has triggers.
func (f *asking) subQuery(name string, m map[string]any) (values []any, asked bool, err error) {
	q, key := m, ""
	if name == "$select" || name == "$dontSelect" {
		q, _ = m["query"].(map[string]any)
		key, _ = m["key"].(string)
		if key == "" {
			return nil, false, nil
		}
	}
	class, _ := q["className"].(string)
	set, err := f.triggers(class)
	if set&trigger.Finds == 0 || err != nil {
		return nil, false, err
	}
	if err := f.rules.CheckClass(f.c, "find", class); err != nil {
		return nil, false, err
	}
	params := query.Params{}
	for _, name := range [...]string{"where", "order", "limit", "skip", "redirectClassNameForKey"} {
		if v, there := q[name]; there {
			params[name] = query.Param{JSON: query.AppendJSON(nil, v)}
		}
	}
	found, err := f.find(class, params, method{sub: true})
	if err != nil {
		return nil, false, err
	}
	values = []any{}
	for _, item := range found.items {
		o, err := decoded(item)
		if err != nil {
			return nil, false, err
		}
		v := at(o, key)
		if key == "" {
			of, _ := o["className"].(string)
			if of == "" {
				of = class
			}
			id, _ := o["objectId"].(string)
			v = query.Pointer{ClassName: of, ObjectID: id}
		}
		if v != nil {
			values = append(values, v)
		}
		if len(values) > maxAnswered {
			return nil, false, parseerror.New(parseerror.InvalidQuery, "A sub-query of class %s has more than %s results", class, strconv.Itoa(maxAnswered))
		}
	}
	return values, true, nil
}

// maxAnswered bounds the results of one sub-query that is answered by itself.
const maxAnswered = 30000

// at returns what is at a path of an object; nil: nothing.
func at(v any, path string) any {
	if path == "" {
		return nil
	}
	for part := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[part]
	}
	return v
}
