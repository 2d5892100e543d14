package query

import (
	"errors"
	"maps"
	"slices"
)

// ParseWhere parses a where, the JSON object that selects objects; {} selects all and gives a nil Expr. Errors are
// *Error with parse-server's code and message; what parse-server answers with an internal error is 102 or 107 here.
func ParseWhere(data []byte, l Limits) (Expr, error) {
	l = l.withDefaults()
	if len(data) > l.Bytes {
		return nil, fail(codeInvalidQuery, "The where parameter exceeds the maximum allowed size of %d bytes", l.Bytes)
	}
	v, err := decodePlain(data)
	if text, ok := v.(string); ok && err == nil {
		v, err = decodePlain([]byte(text))
	}
	switch {
	case errors.Is(err, ErrTooDeep):
		return nil, fail(codeInvalidQuery, "Query condition nesting depth exceeds maximum allowed depth of %d", maxDepth)
	case err != nil:
		return nil, fail(codeInvalidJSON, "where parameter is not valid JSON")
	case v == nil:
		return nil, nil
	}
	where, ok := v.(map[string]any)
	if !ok {
		return nil, fail(codeInvalidQuery, "where parameter is not an object")
	}
	p := whereParser{limits: l}
	return p.top(where)
}

// whereParser builds the tree from decoded JSON whose objects are all still maps. Names are taken in alphabetical
// order, so that the same where gives the same tree, or the same error, however it was written.
type whereParser struct {
	limits      Limits
	constraints int
	depth       int // of logical operators
	subQueries  int // depth of sub-queries
}

// top parses the where of a query or of a sub-query.
func (p *whereParser) top(where map[string]any) (Expr, error) {
	if !p.limits.Privileged {
		// The permission check puts its own condition in their place.
		delete(where, "_rperm")
		delete(where, "_wperm")
	}
	terms, err := p.where(where)
	if err != nil {
		return nil, err
	}
	return conjunction(terms), nil
}

func conjunction(terms []Expr) Expr {
	switch len(terms) {
	case 0:
		return nil
	case 1:
		return terms[0]
	}
	return And(terms)
}

func (p *whereParser) where(where map[string]any) ([]Expr, error) {
	var terms []Expr
	for _, name := range slices.Sorted(maps.Keys(where)) {
		var err error
		if terms, err = p.condition(terms, name, where[name]); err != nil {
			return nil, err
		}
	}
	return terms, nil
}

// condition appends what one member of a where stands for.
func (p *whereParser) condition(terms []Expr, name string, v any) ([]Expr, error) {
	if err := p.count(); err != nil {
		return nil, err
	}
	switch name {
	case "$and", "$or", "$nor":
		e, err := p.logical(name, v)
		return append(terms, e), err
	case "$relatedTo":
		e, err := relatedTo(v)
		return append(terms, e), err
	case "ACL":
		return nil, fail(codeInvalidQuery, "Cannot query on ACL.")
	}
	if !p.validKey(name) {
		return nil, fail(codeInvalidKeyName, "Invalid key name: %s", name)
	}
	return p.field(terms, Path(name), v)
}

func (p *whereParser) count() error {
	if p.constraints++; p.constraints > p.limits.Constraints {
		return fail(codeInvalidQuery, "Number of query conditions exceeds maximum allowed of %d", p.limits.Constraints)
	}
	return nil
}

func (p *whereParser) logical(name string, v any) (Expr, error) {
	list, ok := v.([]any)
	switch {
	case name == "$nor" && (!ok || len(list) == 0), ok && len(list) == 0:
		return nil, fail(codeInvalidQuery, "Bad %s format - use an array of at least 1 value.", name)
	case !ok:
		return nil, fail(codeInvalidQuery, "Bad %s format - use an array value.", name)
	}
	if p.depth++; p.depth > p.limits.Depth {
		return nil, fail(codeInvalidQuery, "Query condition nesting depth exceeds maximum allowed depth of %d", p.limits.Depth)
	}
	defer func() { p.depth-- }()
	terms := make([]Expr, 0, len(list))
	for _, item := range list {
		where, ok := item.(map[string]any)
		if !ok {
			return nil, fail(codeInvalidQuery, "Bad %s format - use an array of objects.", name)
		}
		if err := p.count(); err != nil {
			return nil, err
		}
		conditions, err := p.where(where)
		if err != nil {
			return nil, err
		}
		// On PostgreSQL an empty condition takes no part, in $or and $nor too.
		if e := conjunction(conditions); e != nil {
			terms = append(terms, e)
		}
	}
	switch {
	case len(terms) == 0:
		return nil, fail(codeInvalidQuery, "Bad %s format - use an array of at least 1 condition.", name)
	case name == "$nor":
		return Nor(terms), nil
	case name == "$or":
		return Or(terms), nil
	}
	return And(terms), nil
}

func relatedTo(v any) (Expr, error) {
	if m, ok := v.(map[string]any); ok {
		object, isPointer := recogniseAll(m["object"]).(Pointer)
		key, _ := m["key"].(string)
		if isPointer && key != "" {
			return &RelatedTo{Object: object, Key: key}, nil
		}
	}
	return nil, fail(codeInvalidQuery, "improper usage of $relatedTo")
}

// validKey is parse-server's rule: ^[a-zA-Z][a-zA-Z0-9_\.]*$, and some internal fields for the master key.
func (p *whereParser) validKey(name string) bool {
	if p.limits.Privileged {
		switch name {
		case "_rperm", "_wperm", "_email_verify_token", "_perishable_token", "_perishable_token_expires_at",
			"_email_verify_token_expires_at", "_failed_login_count", "_account_lockout_expires_at",
			"_password_changed_at", "_password_history", "_tombstone", "_session_token":
			return true
		}
	}
	return isFieldPath(name)
}

func isFieldPath(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c != '_' && c != '.' && (c < '0' || c > '9')) {
			return false
		}
	}
	return name != ""
}
