package query

// inQuery parses the operand of $inQuery and $notInQuery. As in parse-server, its order, limit and skip play no part.
func (p *whereParser) inQuery(name string, v any) (*SubQuery, error) {
	m, _ := v.(map[string]any)
	if _, ok := m["where"].(map[string]any); !ok {
		return nil, fail(codeInvalidQuery, "improper usage of %s", name)
	}
	return p.subQuery(name, m)
}

// selection parses the operand of $select and $dontSelect, which has exactly the members query and key.
func (p *whereParser) selection(name string, v any) (*SubQuery, Path, error) {
	m, _ := v.(map[string]any)
	inner, _ := m["query"].(map[string]any)
	key, _ := m["key"].(string)
	if inner == nil || len(m) != 2 || !isFieldPath(key) {
		return nil, "", fail(codeInvalidQuery, "improper usage of %s", name)
	}
	sub, err := p.subQuery(name, inner)
	return sub, Path(key), err
}

func (p *whereParser) subQuery(name string, m map[string]any) (*SubQuery, error) {
	class, _ := m["className"].(string)
	where, ok := m["where"].(map[string]any)
	if class == "" || !ok && m["where"] != nil {
		return nil, fail(codeInvalidQuery, "improper usage of %s", name)
	}
	redirect, ok := m["redirectClassNameForKey"].(string)
	if !ok && m["redirectClassNameForKey"] != nil {
		return nil, fail(codeInvalidQuery, "improper usage of %s", name)
	}
	if p.subQueries++; p.subQueries > p.limits.SubQueries {
		return nil, fail(codeInvalidQuery, "Subquery nesting depth exceeds maximum allowed depth of %d", p.limits.SubQueries)
	}
	defer func() { p.subQueries-- }()
	e, err := p.top(where)
	if err != nil {
		return nil, err
	}
	return &SubQuery{Class: class, Where: e, Redirect: redirect}, nil
}
