package write

import (
	"maps"
	"slices"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
)

// aclEdit is what a body says of the ACL.
type aclEdit struct {
	raw   any
	named bool // the body has a member ACL
	sent  bool // and it isn't null, false, 0 or ""
}

// parseACL reads the member ACL of a body.
func parseACL(body *query.Object) (aclEdit, error) {
	v, named := body.Values["ACL"]
	a := aclEdit{raw: v, named: named, sent: query.Truthy(v)}
	if m, ok := v.(map[string]any); ok && query.Truthy(m["*unresolved"]) {
		return a, parseerror.New(parseerror.InvalidACL, "Invalid ACL.")
	}
	return a, nil
}

// halves returns an ACL as it is stored: who may read and who may write, sorted. Anything but an object grants nothing
// to anybody, as in parse-server. A self that isn't "" is granted both.
func halves(v any, self string) (read, write []any) {
	read, write = []any{}, []any{}
	m, _ := v.(map[string]any)
	if m["__op"] != nil {
		m = nil
	}
	if self != "" {
		if m == nil {
			m = map[string]any{}
		} else {
			m = maps.Clone(m)
		}
		m[self] = map[string]any{"read": true, "write": true}
	}
	for _, who := range slices.Sorted(maps.Keys(m)) {
		rights, _ := m[who].(map[string]any)
		if query.Truthy(rights["read"]) {
			read = append(read, who)
		}
		if query.Truthy(rights["write"]) {
			write = append(write, who)
		}
	}
	return read, write
}

// putACL sets the ACL of the row.
func (w *writing) putACL(v any, self string) {
	read, write := halves(v, self)
	w.put("_rperm", read)
	w.put("_wperm", write)
}

// defaultACL returns the ACL that the class gives to new objects, if any, with currentUser replaced by the caller.
func (w *writing) defaultACL() (map[string]any, bool) {
	if w.class == nil || w.class.Permissions == nil {
		return nil, false
	}
	stored := w.class.Permissions.ACL
	public := stored["*"]
	if stored == nil || len(stored) == 1 && len(public) == 2 && public["read"] && public["write"] {
		return nil, false
	}
	out := map[string]any{}
	for who, rights := range stored {
		if who == "currentUser" {
			if w.a.UserID == "" {
				continue
			}
			who = w.a.UserID
		}
		r := map[string]any{}
		for right, ok := range rights {
			r[right] = ok
		}
		out[who] = r
	}
	return out, true
}
