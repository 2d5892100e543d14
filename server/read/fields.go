package read

import (
	"slices"
	"sort"
	"strings"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
)

// fields is what keys, excludeKeys and include make of a class.
type fields struct {
	// keep are the fields to show; nil: all. objectId, createdAt, updatedAt, the ACL and, as on PostgreSQL, relations
	// are shown regardless.
	keep map[string]bool
	// drop are fields not to show.
	drop map[string]bool
	// include are the pointer paths to resolve, parents first.
	include []includePath
}

// includePath is one pointer path with the fields wanted of the objects it leads to.
type includePath struct {
	path          []string
	keys, exclude []string
}

// always are the fields that can't be left out.
func always(name string) bool {
	return name == "objectId" || name == "createdAt" || name == "updatedAt" || name == "ACL"
}

// choose works out the fields and includes a query asks for.
func (r *reading) choose(class *schema.Class, q *query.Query) (fields, error) {
	var f fields
	if q.Keys != nil {
		f.keep = rootsOf(q.Keys)
	}
	paths := map[string]bool{}
	add := func(path string) {
		for i := 0; i <= len(path); i++ {
			if i == len(path) || path[i] == '.' {
				paths[path[:i]] = true
			}
		}
	}
	for _, p := range q.Include {
		add(string(p))
	}
	// Keys that reach into an object ask for it to be included.
	for _, list := range [][]string{q.Keys, q.ExcludeKeys} {
		for _, k := range list {
			if i := strings.LastIndexByte(k, '.'); i > 0 {
				add(k[:i])
			}
		}
	}
	if q.IncludeAll && class != nil {
		for name, field := range class.Fields {
			if field.Type == schema.Pointer || field.Type == schema.Array {
				paths[name] = true
				if f.keep != nil {
					f.keep[name] = true
				}
			}
		}
	}
	for _, k := range q.ExcludeKeys {
		if always(k) {
			continue
		}
		delete(f.keep, k)
		if f.drop == nil {
			f.drop = map[string]bool{}
		}
		f.drop[k] = true
	}
	if class != nil && f.keep != nil {
		for name, field := range class.Fields {
			if field.Type == schema.Relation {
				f.keep[name] = true
			}
		}
	}
	err := r.includes(&f, paths, q)
	return f, err
}

func (r *reading) includes(f *fields, paths map[string]bool, q *query.Query) error {
	deepest := 0
	for p := range paths {
		path := strings.Split(p, ".")
		deepest = max(deepest, len(path))
		if root := path[0]; f.drop[root] || f.keep != nil && !f.keep[root] {
			continue
		}
		f.include = append(f.include, includePath{path: path, keys: below(q.Keys, path, false), exclude: below(q.ExcludeKeys, path, true)})
	}
	sort.Slice(f.include, func(i, j int) bool {
		a, b := f.include[i].path, f.include[j].path
		if len(a) != len(b) {
			return len(a) < len(b)
		}
		return slices.Compare(a, b) < 0
	})
	if r.a.Privileged() {
		return nil
	}
	if limit := r.o.IncludeDepth; limit >= 0 && deepest > limit {
		return parseerror.New(parseerror.InvalidQuery, "Include depth of %d exceeds maximum allowed depth of %d", deepest, limit)
	}
	count := len(paths)
	if q.IncludeAll {
		count += 2 // to parse-server _rperm and _wperm are arrays like others
	}
	if limit := r.o.IncludeCount; limit >= 0 && count > limit {
		return parseerror.New(parseerror.InvalidQuery, "Number of include fields (%d) exceeds maximum allowed (%d)", count, limit)
	}
	return nil
}

// below returns what keys say of the objects a path leads to: the component that follows the path, of all keys that
// begin with it, or (last) only of those that end there. Nil when none do.
func below(keys []string, path []string, last bool) []string {
	var out []string
	for _, k := range keys {
		parts := strings.Split(k, ".")
		if len(parts) <= len(path) || !slices.Equal(parts[:len(path)], path) || last && len(parts) != len(path)+1 {
			continue
		}
		if name := parts[len(path)]; !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func rootsOf(keys []string) map[string]bool {
	out := make(map[string]bool, len(keys))
	for _, k := range keys {
		out[query.Path(k).Root()] = true
	}
	return out
}

// shows reports whether a field is among those asked for.
func (f *fields) shows(name string) bool {
	return !f.drop[name] && (f.keep == nil || f.keep[name] || always(name))
}

// columns returns the columns to read; nil: all.
func (f *fields) columns(class *schema.Class, p auth.Protection) []string {
	if f.keep == nil || class == nil {
		return nil
	}
	out := make([]string, 0, len(f.keep)+8)
	for _, name := range class.Columns {
		switch name {
		case "objectId", "createdAt", "updatedAt", "_rperm", "_wperm":
			out = append(out, name)
		default:
			// What protected fields depend on is read even if it isn't asked for.
			if _, decides := p.ByField[name]; f.keep[name] || decides {
				out = append(out, name)
			}
		}
	}
	return out
}
