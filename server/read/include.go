package read

import (
	"maps"
	"slices"

	"github.com/parsescale/parsescale/server/parseerror"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// includeBatch is how many ids one query for included objects names.
const includeBatch = 1000

// record is a row as a tree, in which pointers can be replaced by the objects they lead to.
type record struct {
	class  *schema.Class
	name   string
	o      storage.Object
	fields *fields
	hidden map[string]bool
	embed  bool
}

// included appends the objects of a find with what they include. Each path is resolved with one find per class (and per
// thousand objects), with the caller's rights in that class. What isn't there, or isn't to be seen, is left out.
func (r *reading) included(out []byte, k *question, f *storage.Find, extra func([]byte) []byte) ([]byte, error) {
	rows, err := r.records(k, f)
	if err != nil {
		return out, err
	}
	for i := range k.fields.include {
		if err := r.include(rows, &k.fields.include[i]); err != nil {
			return out, err
		}
	}
	for i, rec := range rows {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = r.appendRecord(out, rec, extra); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (r *reading) records(k *question, f *storage.Find) ([]*record, error) {
	var rows []*record
	err := r.look(f, func() { rows = nil }, func(row storage.Row) error {
		o, err := row.Object()
		if err != nil {
			return err
		}
		rows = append(rows, r.record(k, row.ObjectID(), o))
		return nil
	})
	return rows, err
}

func (r *reading) record(k *question, id string, o storage.Object) *record {
	if k.name == schema.User {
		sees := r.a.Privileged() || id == r.a.UserID && !k.embed
		// Included users show their authData to the master key alone.
		if k.embed && !r.a.Master {
			sees = false
		}
		if !sees || emptyAuthData(o["authData"]) {
			delete(o, "authData")
		} else if shown, changed := r.showAuthData(o["authData"]); changed {
			o["authData"] = shown
		}
		delete(o, "password")
		delete(o, "sessionToken")
	}
	return &record{class: k.class, name: k.name, o: o, fields: &k.fields, hidden: k.protect.Of(id, o), embed: k.embed}
}

// include replaces the pointers at the end of a path.
func (r *reading) include(rows []*record, p *includePath) error {
	classes, wanted := leadsTo(rows, p.path)
	found := map[query.Pointer]any{}
	for _, class := range classes {
		if err := r.fetchAll(class, wanted[class], p, found); err != nil {
			return err
		}
	}
	if len(classes) > 0 {
		resolve(rows, p.path, found)
	}
	return nil
}

// fetchAll is fetch for an answer that depends on what isn't there, too.
func (r *reading) fetchAll(class string, ids []string, p *includePath, found map[query.Pointer]any) error {
	if err := r.fetch(class, ids, p, found); err != nil {
		return err
	}
	for _, id := range ids {
		if found[query.Pointer{ClassName: class, ObjectID: id}] == nil {
			r.d.Add(class, id)
		}
	}
	return nil
}

// leadsTo returns what the pointers at the end of a path lead to: ids by class, and the classes sorted.
func leadsTo(rows []*record, path []string) (classes []string, wanted map[string][]string) {
	wanted = map[string][]string{}
	seen := map[query.Pointer]bool{}
	visit(rows, path, func(ptr query.Pointer) (any, bool) {
		if !seen[ptr] {
			seen[ptr] = true
			wanted[ptr.ClassName] = append(wanted[ptr.ClassName], ptr.ObjectID)
		}
		return ptr, true
	})
	return slices.Sorted(maps.Keys(wanted)), wanted
}

// resolve puts what was found in the place of the pointers at the end of a path.
func resolve(rows []*record, path []string, found map[query.Pointer]any) {
	visit(rows, path, func(ptr query.Pointer) (any, bool) {
		to := found[ptr]
		return to, to != nil
	})
}

// fetch finds objects of one class to include. As in parse-server, one that asks for get of the class is refused as a
// whole by its class-level permissions.
func (r *reading) fetch(class string, ids []string, p *includePath, found map[query.Pointer]any) error {
	k, own, err := r.embedded(class, ids, p)
	if k == nil || err != nil {
		return err
	}
	for chunk := range slices.Chunk(ids, includeBatch) {
		k.where = and(oneOf(chunk), own)
		f, err := r.permitted(k, "get")
		if err != nil {
			return err
		}
		f.Columns = k.fields.columns(k.class, k.protect)
		rows, err := r.records(k, f)
		if err != nil {
			return err
		}
		for _, rec := range rows {
			id, _ := rec.o["objectId"].(string)
			found[query.Pointer{ClassName: class, ObjectID: id}] = rec
		}
	}
	return nil
}

func oneOf(ids []string) query.Expr {
	values := make([]any, len(ids))
	for i, id := range ids {
		values[i] = id
	}
	return &query.In{Path: "objectId", Values: values}
}

// embedded returns the question after objects of one class to include, and the condition that limits sessions to the
// caller's. A class that isn't there has none.
func (r *reading) embedded(class string, ids []string, p *includePath) (*question, query.Expr, error) {
	method := "find"
	if len(ids) == 1 {
		method = "get"
	}
	if err := r.rules.CheckClass(r.a.Caller, method, class); err != nil {
		return nil, nil, err
	}
	own, err := r.own(class)
	if err != nil {
		return nil, nil, err
	}
	k := &question{name: class, class: r.sch.Class(class), op: "get", embed: true}
	if k.class == nil {
		return nil, nil, r.rules.CheckExists(r.a.Caller, r.sch, class)
	}
	k.protect = r.rules.Protection(k.class, r.a)
	r.alike(class, k.class)
	k.fields, err = r.choose(k.class, &query.Query{Keys: p.keys, ExcludeKeys: p.exclude})
	return k, own, err
}

// visitor replaces the pointers at the end of a path: to what replace returns, or, ok false, takes them away from where
// they are, be it an array or an object.
type visitor struct {
	replace func(query.Pointer) (any, bool)
	// seen are the included objects that were walked through already. One object may be included by many others, and
	// walking through it for each would cost their product.
	seen map[*record]bool
}

func visit(rows []*record, path []string, replace func(query.Pointer) (any, bool)) {
	v := visitor{replace: replace, seen: make(map[*record]bool, len(rows))}
	for _, rec := range rows {
		v.visit(rec, path)
	}
}

// visit returns what takes the place of a value.
func (v *visitor) visit(value any, path []string) (to any, ok bool) {
	switch value := value.(type) {
	case query.Pointer:
		if len(path) == 0 {
			return v.replace(value)
		}
	case []any:
		kept := value[:0]
		for _, e := range value {
			if e, ok := v.visit(e, path); ok {
				kept = append(kept, e)
			}
		}
		clear(value[len(kept):])
		return kept, true
	case *record:
		if len(path) > 0 && !v.seen[value] && value.visible(path[0]) {
			v.seen[value] = true
			v.member(value.o, path)
		}
	case map[string]any:
		if len(path) > 0 {
			v.member(value, path)
		}
	}
	return value, true
}

func (v *visitor) member(m map[string]any, path []string) {
	old, there := m[path[0]]
	if !there {
		return
	}
	if to, ok := v.visit(old, path[1:]); ok {
		m[path[0]] = to
	} else {
		delete(m, path[0])
	}
}

// visible reports whether a field of the record is shown.
func (rec *record) visible(name string) bool {
	return name != "" && name[0] != '_' && !rec.hidden[name] && rec.fields.shows(name)
}

// tooLarge is the error of an answer that outgrew its bound.
func (p *Path) tooLarge() error {
	return parseerror.New(parseerror.InvalidQuery, "The results exceed the maximum size of an answer of %d bytes", p.o.MaxAnswer)
}
