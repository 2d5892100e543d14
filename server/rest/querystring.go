package rest

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/parsescale/parsescale/server/query"
)

// The bounds of npm's qs, which parse-server reads query strings with. What exceeds them is ignored, as there.
const (
	maxParameters = 1000
	maxBrackets   = 5
	maxIndex      = 20
)

// field is one top-level parameter of a query string: a string, or with brackets or repeats a []any or map[string]any
// of such values.
type field struct {
	name  string
	value any
}

// json returns the value as JSON text when it isn't a plain string.
func (f field) text() string {
	if s, ok := f.value.(string); ok {
		return s
	}
	return string(query.AppendJSON(nil, f.value))
}

// parseQueryString reads a query string in the "extended" form of Express: a=1, a[b][$gt]=1, a[]=1, a[0]=1, repeats.
// It never fails: what can't be decoded stands for itself.
func parseQueryString(raw string) []field {
	if raw == "" {
		return nil
	}
	root := &node{}
	for n := 0; n < maxParameters && raw != ""; n++ {
		var part string
		part, raw, _ = strings.Cut(raw, "&")
		if part == "" {
			continue
		}
		name, value := cutParameter(part)
		path := splitBrackets(unescape(name))
		if path[0] == "" {
			continue
		}
		root.insert(path, unescape(value))
	}
	fields := make([]field, 0, len(root.names))
	for i, name := range root.names {
		fields = append(fields, field{name, root.children[i].build()})
	}
	return fields
}

// brackets undoes the escaping of brackets, which counts for nothing.
var brackets = strings.NewReplacer("%5B", "[", "%5b", "[", "%5D", "]", "%5d", "]")

// cutParameter cuts at the equals sign after the last bracket of the name, if it has brackets.
func cutParameter(part string) (name, value string) {
	part = brackets.Replace(part)
	if i := strings.Index(part, "]="); i >= 0 {
		return part[:i+1], part[i+2:]
	}
	name, value, _ = strings.Cut(part, "=")
	return name, value
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return strings.ToValidUTF8(u, "\uFFFD")
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "+", " "), "\uFFFD")
}

// splitBrackets turns "a[b][c]" into its steps. Brackets beyond the bound are one literal step.
func splitBrackets(name string) []string {
	i := strings.IndexByte(name, '[')
	if i <= 0 {
		return []string{name}
	}
	path := []string{name[:i]}
	rest := name[i:]
	for len(rest) > 0 {
		if len(path) > maxBrackets {
			return append(path, rest)
		}
		end := strings.IndexByte(rest, ']')
		if rest[0] != '[' || end < 0 {
			if len(path) == 1 {
				return []string{name} // an unbalanced bracket is part of the name
			}
			return path
		}
		path = append(path, rest[1:end])
		rest = rest[end+1:]
	}
	return path
}

// node is a value in the making: text, a list, or an object with names in the order they came.
type node struct {
	texts    []string
	names    []string
	children []*node
	list     bool // made by [] or [0] alone so far
}

// insert puts a value where path leads.
func (n *node) insert(path []string, value string) {
	if len(path) == 0 {
		n.texts = append(n.texts, value)
		return
	}
	step := path[0]
	if step == "__proto__" {
		return
	}
	if step == "" { // "[]" appends
		step = strconv.Itoa(len(n.names))
	}
	if len(n.names) == 0 {
		n.list = true
	}
	if i, err := strconv.Atoi(step); err != nil || i < 0 || i > maxIndex && i != len(n.names) || strconv.Itoa(i) != step {
		n.list = false
	}
	i := slices.Index(n.names, step)
	if i < 0 {
		i = len(n.names)
		n.names = append(n.names, step)
		n.children = append(n.children, &node{})
	}
	n.children[i].insert(path[1:], value)
}

// build makes the value.
func (n *node) build() any {
	if len(n.names) == 0 {
		if len(n.texts) == 1 {
			return n.texts[0]
		}
		list := make([]any, len(n.texts))
		for i, t := range n.texts {
			list[i] = t
		}
		return list
	}
	if n.list {
		order := make([]int, len(n.names))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int {
			x, _ := strconv.Atoi(n.names[a])
			y, _ := strconv.Atoi(n.names[b])
			return x - y
		})
		list := make([]any, 0, len(n.names)+len(n.texts))
		for _, t := range n.texts {
			list = append(list, t)
		}
		for _, i := range order {
			list = append(list, n.children[i].build())
		}
		return list
	}
	m := make(map[string]any, len(n.names)+len(n.texts))
	for i, name := range n.names {
		m[name] = n.children[i].build()
	}
	for _, t := range n.texts {
		m[t] = true // as qs does for a=x&a[b]=y
	}
	return m
}
