package query

import (
	"maps"
	"slices"
	"strings"
)

// field appends the conditions on one field: a value to equal, or operators.
func (p *whereParser) field(terms []Expr, path Path, v any) ([]Expr, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return append(terms, direct(path, v)), nil
	}
	var rest map[string]any // members beside the operators
	operators := false
	for name := range m {
		if strings.HasPrefix(name, "$") {
			operators = true
		} else {
			if rest == nil {
				rest = make(map[string]any, len(m))
			}
			rest[name] = m[name]
		}
	}
	if !operators {
		e, err := typed(m)
		if err != nil {
			return nil, err
		}
		return append(terms, direct(path, e)), nil
	}
	if rest != nil {
		e, err := typed(rest)
		if err != nil {
			return nil, err
		}
		terms = append(terms, &Compare{Path: path, Op: Eq, Value: e})
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !strings.HasPrefix(name, "$") || belongs(name, m) {
			continue
		}
		if err := p.count(); err != nil {
			return nil, err
		}
		e, err := p.operator(path, name, m[name], m)
		if err != nil {
			return nil, err
		}
		terms = append(terms, e)
	}
	return terms, nil
}

// direct is {"path": v} for a v without operators. Arrays, Objects, Files and Bytes can be compared with $eq, or inside
// an Object field, but on PostgreSQL not so.
func direct(path Path, v any) Expr {
	dotted := strings.IndexByte(string(path), '.') >= 0
	switch v.(type) {
	case []any, map[string]any, File, Bytes, Relation:
		if v = recogniseAll(v); !dotted {
			return &Unsupported{Path: path, Value: v}
		}
	}
	return &Compare{Path: path, Op: Eq, Value: v}
}

// typed gives an operand its type. A known type with a payload that can't be read is an error: PostgreSQL fails on it.
func typed(v any) (any, error) {
	v = recogniseAll(v)
	if m, ok := v.(map[string]any); ok {
		if kind, _ := m["__type"].(string); knownType(kind) {
			return nil, fail(codeInvalidQuery, "This is not a valid %s", kind)
		}
	}
	return v, nil
}

// comparisons are the operators with one operand.
var comparisons = map[string]Op{"$eq": Eq, "$ne": Ne, "$lt": Lt, "$lte": Lte, "$gt": Gt, "$gte": Gte}

// operator parses {path: {name: v}}; all are the members beside it.
func (p *whereParser) operator(path Path, name string, v any, all map[string]any) (Expr, error) {
	switch name {
	case "$eq", "$ne", "$lt", "$lte", "$gt", "$gte":
		return p.comparison(path, name, v)
	case "$in", "$nin":
		list, ok := v.([]any)
		if !ok {
			return nil, fail(codeInvalidJSON, "bad %s value", name)
		}
		values, err := p.values(flatten(list))
		return &In{Path: path, Values: values, Not: name == "$nin"}, err
	case "$all":
		return p.all(path, v)
	case "$containedBy":
		list, ok := v.([]any)
		if !ok {
			return nil, fail(codeInvalidJSON, "bad $containedBy: should be an array")
		}
		values, err := p.values(list)
		return &ContainedBy{Path: path, Values: values}, err
	case "$exists":
		if _, relative := relativeTime(v); relative {
			return nil, errRelativeTime()
		}
		return &Exists{Path: path, Want: Truthy(v)}, nil
	case "$regex":
		return p.regex(path, v, all)
	case "$inQuery", "$notInQuery":
		sub, err := p.inQuery(name, v)
		return &InQuery{Path: path, Sub: sub, Not: name == "$notInQuery"}, err
	case "$select", "$dontSelect":
		sub, key, err := p.selection(name, v)
		return &Select{Path: path, Sub: sub, Key: key, Not: name == "$dontSelect"}, err
	case "$nearSphere":
		return p.nearSphere(path, v, all)
	case "$within", "$geoWithin", "$geoIntersects":
		if e, err := p.region(path, name, v); e != nil || err != nil {
			return e, err
		}
	case "$text":
		return p.text(path, v)
	}
	return &Unsupported{Path: path, Operator: name, Value: recogniseAll(v)}, nil
}

// belongs tells the members that are part of the operator beside them.
func belongs(name string, all map[string]any) bool {
	switch name {
	case "$options":
		return all["$regex"] != nil
	case "$maxDistance", "$maxDistanceInRadians", "$maxDistanceInMiles", "$maxDistanceInKilometers":
		return all["$nearSphere"] != nil
	}
	return false
}

func (p *whereParser) comparison(path Path, name string, v any) (Expr, error) {
	op := comparisons[name]
	if text, relative := relativeTime(v); relative {
		if op <= Ne {
			return nil, errRelativeTime()
		}
		t, info := resolveRelativeTime(text, p.limits.Now())
		if info != "" {
			return nil, fail(codeInvalidJSON, "bad $relativeTime (%s) value. %s", text, info)
		}
		return &Compare{Path: path, Op: op, Value: Date{t}, Relative: true}, nil
	}
	if v == nil && op > Ne {
		return &Unsupported{Path: path, Operator: name}, nil
	}
	v, err := typed(v)
	return &Compare{Path: path, Op: op, Value: v}, err
}

// flatten takes arrays inside an array apart, one level deep.
func flatten(list []any) []any {
	if !slices.ContainsFunc(list, func(v any) bool { _, ok := v.([]any); return ok }) {
		return list
	}
	var flat []any
	for _, v := range list {
		if inner, ok := v.([]any); ok {
			flat = append(flat, inner...)
		} else {
			flat = append(flat, v)
		}
	}
	return flat
}

func (p *whereParser) values(list []any) ([]any, error) {
	if len(list) > p.limits.Values {
		return nil, fail(codeInvalidQuery, "Number of values in a query condition exceeds maximum allowed of %d", p.limits.Values)
	}
	for i := range list {
		v, err := typed(list[i])
		if err != nil {
			return nil, err
		}
		list[i] = v
	}
	return list, nil
}

func (p *whereParser) all(path Path, v any) (Expr, error) {
	list, ok := v.([]any)
	if !ok {
		return &Unsupported{Path: path, Operator: "$all", Value: recogniseAll(v)}, nil
	}
	var prefixes []string
	for _, v := range list {
		m, _ := v.(map[string]any)
		pattern, _ := m["$regex"].(string)
		if prefix, ok := cutPrefixPattern(pattern); ok {
			prefixes = append(prefixes, prefix)
		}
	}
	switch {
	case len(prefixes) == 0:
		values, err := p.values(list)
		return &All{Path: path, Values: values}, err
	case len(prefixes) < len(list):
		return nil, fail(codeInvalidJSON, "All $all values must be of regex type or none: %s", jsString(list))
	case len(prefixes) > p.limits.Values:
		_, err := p.values(list)
		return nil, err
	}
	return &All{Path: path, Prefixes: prefixes}, nil
}

// cutPrefixPattern takes the literal out of ^\Qliteral\E, which is how SDKs ask for a prefix; they write a \E in the
// literal as \E\\E\Q.
func cutPrefixPattern(pattern string) (string, bool) {
	literal, ok := strings.CutPrefix(pattern, `^\Q`)
	if !ok {
		return "", false
	}
	if literal, ok = strings.CutSuffix(literal, `\E`); !ok {
		return "", false
	}
	parts := strings.Split(literal, `\E\\E\Q`)
	for _, part := range parts {
		if strings.Contains(part, `\E`) {
			return "", false
		}
	}
	return strings.Join(parts, `\E`), true
}

func (p *whereParser) regex(path Path, v any, all map[string]any) (Expr, error) {
	if p.limits.NoRegex {
		return nil, fail(codeInvalidQuery, "$regex operator is not allowed")
	}
	pattern, ok := v.(string)
	if !ok {
		return nil, fail(codeInvalidQuery, "$regex value must be a string")
	}
	if pattern == "" {
		// To PostgreSQL parse-server this is no condition.
		return &Unsupported{Path: path, Operator: "$regex", Value: ""}, nil
	}
	options := ""
	if v, has := all["$options"]; has {
		if options, ok = v.(string); !ok {
			return nil, fail(codeInvalidQuery, "$options value must be a string")
		}
		if options == "" || strings.Trim(options, "imxsu") != "" {
			return nil, fail(codeInvalidQuery, "Bad $options value for query: %s", options)
		}
	}
	if len(pattern) > p.limits.Pattern {
		return nil, fail(codeInvalidQuery, "$regex value exceeds the maximum allowed size of %d bytes", p.limits.Pattern)
	}
	if reason := badPattern(pattern, options); reason != "" {
		return nil, fail(codeInvalidQuery, "Bad $regex value for query: %s", reason)
	}
	return &Regex{Path: path, Pattern: pattern, Options: options}, nil
}
