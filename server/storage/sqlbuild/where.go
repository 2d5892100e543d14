package sqlbuild

import (
	"fmt"
	"strings"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// Codes of the Parse API that a query is refused with.
const (
	codeInvalidQuery = 102
	codeInvalidKey   = 105
	codeInvalidJSON  = 107
	codeForbidden    = 119
)

func (b *Builder) expr(e query.Expr) {
	switch e := e.(type) {
	case nil:
		b.Raw("TRUE")
	case query.And:
		b.join(e, " AND ", "TRUE")
	case query.Or:
		b.join(e, " OR ", "FALSE")
	case query.Nor:
		b.Raw("NOT ")
		b.join(e, " OR ", "FALSE")
	case *query.Compare:
		b.compare(e)
	case *query.In:
		b.in(e)
	case *query.All:
		b.all(e)
	case *query.ContainedBy:
		b.containedBy(e)
	case *query.Exists:
		b.exists(e)
	case *query.Regex:
		b.regex(e)
	case *query.Near:
		b.near(e)
	case *query.Box:
		b.place(e.Path, schema.GeoPoint, func(col string) { b.dialect.InBox(b, col, e.Corner, e.Other) })
	case *query.Inside:
		b.place(e.Path, schema.GeoPoint, func(col string) { b.dialect.Inside(b, col, e.Polygon) })
	case *query.Covers:
		b.place(e.Path, schema.Polygon, func(col string) { b.dialect.Covers(b, col, e.Point) })
	case *query.Text:
		b.text(e)
	case *query.InQuery:
		b.inQuery(e)
	case *query.Select:
		b.selectQuery(e)
	case *query.RelatedTo:
		b.relatedTo(e)
	case *query.Unsupported:
		if e.Operator == "" {
			b.unsupported(e.Value)
			return
		}
		b.unsupported(map[string]any{e.Operator: e.Value})
	default:
		b.fail(fmt.Errorf("cannot build SQL for a query node of type %T", e))
	}
}

// join appends the terms as a balanced tree: databases bound the depth of an expression, and a long chain of ORs is as
// deep as it is long.
func (b *Builder) join(terms []query.Expr, op, none string) {
	switch len(terms) {
	case 0:
		b.Raw(none)
	case 1:
		b.Raw("(")
		b.expr(terms[0])
		b.Raw(")")
	default:
		half := len(terms) / 2
		b.Raw("(")
		b.join(terms[:half], op, none)
		b.Raw(op)
		b.join(terms[half:], op, none)
		b.Raw(")")
	}
}

func (b *Builder) unsupported(v any) {
	b.fail(&storage.Unsupported{Code: codeForbidden, Message: "Postgres doesn't support this query type yet " + string(query.AppendJSON(nil, v))})
}

// target is the place a constraint is about.
type target struct {
	field schema.Field
	col   string
	path  []string // below the column; nil: the column itself
}

// resolve finds what a path stands for. It reports false when there is nothing to compare with and the condition has
// been appended already. A relation is left to the caller.
func (b *Builder) resolve(p query.Path) (target, bool) {
	root := p.Root()
	f, ok := b.scope.class.Column(root)
	if !ok {
		if rel, isField := b.scope.class.Fields[root]; isField && rel.Type == schema.Relation && root == string(p) {
			return target{field: rel}, true
		}
		b.unknownField()
		return target{}, false
	}
	t := target{field: f, col: b.Column(root)}
	if len(root) < len(p) {
		t.path = strings.Split(string(p[len(root)+1:]), ".")
		for _, part := range t.path {
			if !isWord(part) {
				b.fail(&storage.Unsupported{Code: codeInvalidKey, Message: "Invalid key name: " + string(p)})
				return target{}, false
			}
		}
	}
	return t, true
}

func isWord(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != ""
}

// text reports whether the column holds one text that strings compare with.
func (t target) text() bool {
	return t.path == nil && (t.field.Type == schema.String || t.field.Type == schema.Pointer || t.field.Type == schema.File)
}

func (b *Builder) isNull(t target, null bool) {
	switch {
	case t.path != nil && !t.json():
		// Nothing is inside a text or a number.
		if null {
			b.Raw("TRUE")
		} else {
			b.Raw("FALSE")
		}
	case t.path != nil && null:
		b.Raw("NOT ")
		fallthrough
	case t.path != nil:
		b.dialect.PathExists(b, t.col, t.path)
	case null:
		b.Raw(t.col)
		b.Raw(" IS NULL")
	default:
		b.Raw(t.col)
		b.Raw(" IS NOT NULL")
	}
}

func (b *Builder) exists(e *query.Exists) {
	if _, ok := b.scope.class.Column(e.Path.Root()); !ok && !e.Want {
		// The one constraint that PostgreSQL parse-server drops when the field isn't there.
		b.Raw("TRUE")
		return
	}
	t, ok := b.resolve(e.Path)
	if !ok {
		return
	}
	if t.field.Type == schema.Relation {
		b.Raw("FALSE")
		return
	}
	b.isNull(t, !e.Want)
}

func (b *Builder) regex(e *query.Regex) {
	t, ok := b.resolve(e.Path)
	if !ok {
		return
	}
	operand := func() { b.Raw(t.col) }
	switch {
	case t.path != nil && t.json():
		operand = func() { b.dialect.PathText(b, t.col, t.path) }
	case !t.text():
		b.Raw("FALSE")
		return
	}
	if err := b.dialect.Regex(b, operand, e.Pattern, e.Options); err != nil {
		b.fail(err)
	}
}

// json reports whether the column is JSON, so that a path can lead into it.
func (t target) json() bool { return t.field.Type == schema.Object || t.field.Type == schema.Array }

func (b *Builder) all(e *query.All) {
	t, ok := b.resolve(e.Path)
	switch {
	case !ok:
	case t.path == nil && t.field.Type == schema.Array && len(e.Prefixes) > 0:
		b.dialect.ArrayPrefix(b, t.col, e.Prefixes)
	case t.path == nil && t.field.Type == schema.Array && len(e.Values) == 0:
		b.Raw("FALSE")
	case t.path == nil && t.field.Type == schema.Array:
		b.dialect.ArrayAll(b, t.col, e.Values)
	case len(e.Values)+len(e.Prefixes) == 1:
		// All that PostgreSQL parse-server makes of $all on another field than an array: one pointer.
		var p query.Pointer
		if len(e.Values) == 1 {
			p, _ = e.Values[0].(query.Pointer)
		}
		if p.ObjectID == "" || !t.text() {
			b.Raw("FALSE")
			return
		}
		b.Raw(t.col)
		b.Raw(" = ")
		b.Arg(schema.Pointer, p.ObjectID)
	default:
		b.unsupported(map[string]any{"$all": e.Values})
	}
}

func (b *Builder) containedBy(e *query.ContainedBy) {
	t, ok := b.resolve(e.Path)
	switch {
	case !ok:
	case t.path == nil && t.field.Type == schema.Array:
		b.dialect.ArrayWithin(b, t.col, e.Values)
	default:
		b.Raw("FALSE")
	}
}
