package read

import (
	"slices"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// appendRecord appends a record as JSON: the columns in their order, then relations, the ACL and what names the class.
func (r *reading) appendRecord(dst []byte, rec *record, extra func([]byte) []byte) ([]byte, error) {
	if r.o.MaxAnswer > 0 && len(dst) > r.o.MaxAnswer {
		return dst, r.tooLarge()
	}
	dst = append(dst, '{')
	empty := true
	name := func(n string) {
		if !empty {
			dst = append(dst, ',')
		}
		empty = false
		dst = append(query.AppendString(dst, n), ':')
	}
	var err error
	for _, col := range rec.class.Columns {
		v, there := rec.o[col]
		if !there || !rec.visible(col) && !r.internal(col, rec) {
			continue
		}
		name(col)
		if dst, err = r.appendField(dst, col, v); err != nil {
			return dst, err
		}
	}
	if score, there := rec.o[storage.ScoreColumn]; there {
		name("score")
		dst = query.AppendJSON(dst, score)
	}
	for _, rel := range relations(rec.class) {
		if rec.visible(rel) {
			name(rel)
			dst = query.AppendJSON(dst, query.Relation{ClassName: rec.class.Fields[rel].TargetClass})
		}
	}
	if acl, ok := aclOf(rec.o["_rperm"], rec.o["_wperm"]); ok {
		name("ACL")
		dst = query.AppendJSON(dst, acl)
	}
	if rec.embed {
		name("__type")
		dst = append(dst, `"Object"`...)
		name("className")
		dst = query.AppendString(dst, rec.name)
	}
	if extra != nil {
		dst = extra(dst)
	}
	return append(dst, '}'), nil
}

// internal reports whether a column that no one else sees is shown to the maintenance key.
func (r *reading) internal(col string, rec *record) bool {
	return r.a.Maintenance && col[0] == '_' && col != "_hashed_password" && col != "_rperm" && col != "_wperm" && !rec.fields.drop[col] && (rec.fields.keep == nil || rec.fields.keep[col])
}

func (r *reading) appendField(dst []byte, col string, v any) ([]byte, error) {
	switch v := v.(type) {
	case query.Date:
		if col == "createdAt" || col == "updatedAt" {
			return append(query.AppendTime(append(dst, '"'), v.Time), '"'), nil
		}
	case query.File:
		return r.appendFile(dst, v.Name), nil
	}
	return r.appendValue(dst, v)
}

// appendValue is query.AppendJSON for values that may hold records.
func (r *reading) appendValue(dst []byte, v any) ([]byte, error) {
	var err error
	switch v := v.(type) {
	case *record:
		return r.appendRecord(dst, v, nil)
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = r.appendValue(dst, e); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case map[string]any:
		dst = append(dst, '{')
		for i, n := range query.AppendNames(nil, v) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(query.AppendString(dst, n), ':')
			if dst, err = r.appendValue(dst, v[n]); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	}
	return query.AppendJSON(dst, v), nil
}

func relations(class *schema.Class) []string {
	var out []string
	for n, f := range class.Fields {
		if f.Type == schema.Relation {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// aclOf joins the halves of an ACL; ok is false when the object has none.
func aclOf(read, write any) (acl map[string]any, ok bool) {
	if read == nil && write == nil {
		return nil, false
	}
	acl = map[string]any{}
	for right, half := range map[string]any{"read": read, "write": write} {
		list, _ := half.([]any)
		for _, e := range list {
			who, _ := e.(string)
			rights, _ := acl[who].(map[string]any)
			if rights == nil {
				rights = map[string]any{}
				acl[who] = rights
			}
			rights[right] = true
		}
	}
	return acl, true
}
