package query

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
)

// Params are a request's parameters by name. Those of the query string are laid over those of a body with
// "_method":"GET"; credentials and "_method" itself are none of them.
type Params map[string]Param

// Param is the value of one parameter: JSON text if it came in a body, else Text as it stood in a query string
// (unescaped), which is read as JSON if it is JSON and as a string if not. "10" and 10 are thus the same.
type Param struct {
	JSON []byte
	Text string
}

// String is the parameter's text, JSON or not.
func (p Param) String() string {
	if p.JSON == nil {
		return p.Text
	}
	return string(p.JSON)
}

// Value decodes a parameter without giving it types; nil if there is none.
func (p Param) Value() (any, error) {
	if p.JSON == nil && p.Text == "" {
		return nil, nil
	}
	return p.value()
}

// value decodes a parameter without giving it types.
func (p Param) value() (any, error) {
	if p.JSON == nil {
		if v, err := decodePlain([]byte(p.Text)); err == nil {
			return v, nil
		}
		return p.Text, nil
	}
	v, err := decodePlain(p.JSON)
	if err != nil {
		return nil, fail(codeInvalidJSON, "invalid JSON: %v", err)
	}
	return v, nil
}

// ParseParams builds the Query of a find on a class from its parameters. A parameter that no find has is an *Error
// with code 102. Explain and the read preferences are kept as they came.
func ParseParams(class string, p Params, l Limits) (*Query, error) {
	for _, name := range slices.Sorted(maps.Keys(p)) {
		switch name {
		case "where", "order", "limit", "skip", "count", "keys", "excludeKeys", "include", "includeAll",
			"redirectClassNameForKey", "readPreference", "includeReadPreference", "subqueryReadPreference",
			"hint", "explain", "comment":
		default:
			return nil, fail(codeInvalidQuery, "Invalid parameter for query: %s", name)
		}
	}
	return parse(class, p, l)
}

// ParseGetParams builds the Query of a get: one object by its id, which the Query doesn't hold. A get has fewer
// parameters.
func ParseGetParams(class string, p Params, l Limits) (*Query, error) {
	for name := range p {
		switch name {
		case "keys", "excludeKeys", "include", "readPreference", "includeReadPreference", "subqueryReadPreference":
		default:
			return nil, fail(codeInvalidQuery, "Improper encode of parameter")
		}
	}
	return parse(class, p, l)
}

func parse(class string, p Params, l Limits) (*Query, error) {
	l = l.withDefaults()
	r := paramReader{params: p, limits: l}
	q := &Query{
		Class:                 class,
		Limit:                 r.amount("limit", -1),
		Skip:                  r.amount("skip", 0),
		Count:                 Truthy(r.value("count")),
		IncludeAll:            Truthy(r.value("includeAll")),
		Keys:                  r.names("keys"),
		ExcludeKeys:           r.names("excludeKeys"),
		Redirect:              r.text("redirectClassNameForKey"),
		Explain:               r.text("explain"),
		Hint:                  r.hint(),
		Comment:               r.string("comment"),
		ReadPreference:        r.string("readPreference"),
		IncludeReadPreference: r.string("includeReadPreference"),
		SubqueryPreference:    r.string("subqueryReadPreference"),
	}
	include := r.names("include")
	q.Order = r.order()
	if w, ok := p["where"]; ok && r.err == nil {
		data := w.JSON
		if data == nil {
			data = []byte(w.Text)
		}
		q.Where, r.err = ParseWhere(data, l)
	}
	if r.err != nil {
		return nil, r.err
	}
	if i := slices.Index(q.Keys, "$score"); i >= 0 {
		q.Keys, q.Score = slices.Delete(q.Keys, i, i+1), true
	}
	q.setInclude(include)
	q.ExcludeKeys = slices.DeleteFunc(q.ExcludeKeys, alwaysShown)
	slices.Sort(q.ExcludeKeys)
	return q, nil
}

// alwaysShown tells the fields that excludeKeys can't hide.
func alwaysShown(key string) bool {
	return key == "objectId" || key == "createdAt" || key == "updatedAt" || key == "ACL"
}

// setInclude adds the parents of every path, and the objects that dotted keys reach into, and sorts by depth.
func (q *Query) setInclude(include []string) {
	for _, keys := range [][]string{q.Keys, q.ExcludeKeys} {
		for _, key := range keys {
			if i := strings.LastIndexByte(key, '.'); i > 0 {
				include = append(include, key[:i])
			}
		}
	}
	if slices.Contains(include, "*") {
		// As in parse-server: all, and one level deep.
		q.IncludeAll = true
		return
	}
	seen := make(map[string]bool, len(include))
	for _, path := range include {
		for i := 0; i <= len(path); i++ {
			if i == len(path) || path[i] == '.' {
				if part := path[:i]; part != "" && !seen[part] {
					seen[part] = true
					q.Include = append(q.Include, Path(part))
				}
			}
		}
	}
	slices.SortFunc(q.Include, func(a, b Path) int {
		return cmp.Or(
			cmp.Compare(strings.Count(string(a), "."), strings.Count(string(b), ".")),
			cmp.Compare(a, b),
		)
	})
}

// paramReader reads parameters as parse-server's JavaScript does, and keeps the first error.
type paramReader struct {
	params Params
	limits Limits
	err    error
}

func (r *paramReader) value(name string) any {
	p, ok := r.params[name]
	if !ok || r.err != nil {
		return nil
	}
	v, err := p.value()
	r.err = err
	return v
}

// text is a parameter of any type as a string, "" if it is falsy.
func (r *paramReader) text(name string) string {
	if v := r.value(name); Truthy(v) {
		return jsString(v)
	}
	return ""
}

// string is a parameter that counts only if it is a string.
func (r *paramReader) string(name string) string {
	s, _ := r.value(name).(string)
	return s
}

func (r *paramReader) hint() string {
	switch v := r.value("hint").(type) {
	case string:
		return v
	case map[string]any, []any:
		return string(AppendJSON(nil, v))
	}
	return ""
}

// amount is limit or skip: a number of objects, rounded as PostgreSQL does.
func (r *paramReader) amount(name string, otherwise int) int {
	v := r.value(name)
	if _, isNumber := v.(float64); !isNumber && !Truthy(v) {
		return otherwise
	}
	n, ok := jsNumber(v)
	switch {
	case r.err != nil:
		return otherwise
	case !ok:
		r.err = fail(codeInvalidQuery, "Invalid value for %s: it must be a number", name)
		return otherwise
	case n <= -0.5:
		r.err = fail(codeInvalidQuery, "Invalid value for %s: it must not be negative", name)
		return otherwise
	}
	return int(math.Round(min(max(n, 0), math.MaxInt32)))
}

// names is a comma list, or an array of them, without empty and repeated names; nil if the parameter is absent.
func (r *paramReader) names(name string) []string {
	v := r.value(name)
	if v == nil {
		return nil
	}
	names := []string{}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(jsString(v), ",") {
		if part != "" && !seen[part] {
			seen[part] = true
			names = append(names, part)
		}
	}
	r.bound(name, len(names))
	return names
}

func (r *paramReader) bound(name string, n int) {
	if n > r.limits.Fields && r.err == nil {
		r.err = fail(codeInvalidQuery, "Number of fields in %s (%d) exceeds maximum allowed (%d)", name, n, r.limits.Fields)
	}
}

// order is a comma list of fields, each with a "-" before it for descending order. Of a repeated field the first place
// and the last direction count.
func (r *paramReader) order() []Sort {
	text := r.text("order")
	if text == "" || r.err != nil {
		return nil
	}
	fields := strings.Split(text, ",")
	r.bound("order", len(fields))
	var order []Sort
	for _, field := range fields {
		if r.err != nil {
			return nil
		}
		field, desc := strings.CutPrefix(strings.TrimSpace(field), "-")
		switch field {
		case "_created_at":
			field = "createdAt"
		case "_updated_at":
			field = "updatedAt"
		}
		if !validSort(field) {
			r.err = fail(codeInvalidKeyName, "Invalid field name: %s.", field)
			return nil
		}
		if isAuthDataID(field) {
			r.err = fail(codeInvalidKeyName, "Cannot sort by %s", field)
			return nil
		}
		term := Sort{Path: Path(field), Desc: desc}
		if i := slices.IndexFunc(order, func(s Sort) bool { return s.Path == term.Path }); i >= 0 {
			order[i] = term
			continue
		}
		order = append(order, term)
	}
	return order
}

// validSort takes field names, dotted or not, and $score.
func validSort(field string) bool {
	root := Path(field).Root()
	return field == "$score" || isFieldPath(field) && root != "length" && root != "className"
}

func isAuthDataID(field string) bool {
	provider, ok := strings.CutPrefix(field, "authData.")
	provider, isID := strings.CutSuffix(provider, ".id")
	return ok && isID && provider != "" && !strings.Contains(provider, ".")
}
