package sqlbuild

import (
	"strconv"
	"strings"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
)

// sub builds the SELECT of one column of a sub-query as a common table expression with the column v, without NULLs, and
// returns its name. The readers' filter holds in it too. A sub-query that can have no result becomes an empty table; what
// no class can be asked is refused in it too.
func (b *Builder) sub(s *query.SubQuery, key query.Path, want schema.Type) (name string, f schema.Field) {
	class := b.schema.Class(b.className(s))
	if class == nil {
		class = &schema.Class{Name: s.Class}
	}
	f, value, ok := b.yield(class, key, want)
	outer, sql := b.scope, b.SQL
	with, withs, args := len(b.with), b.withs, len(b.Args)
	b.aliases++
	b.scope = scope{class: class, alias: b.aliases, unknown: !ok}
	b.SQL = nil
	if ok {
		b.Raw("SELECT v FROM (SELECT ")
		value()
		b.Raw(" AS v")
		b.from(s.Where)
		if s.Limit > 0 || s.Skip > 0 {
			b.order(s.Order, false)
			limit := s.Limit
			if limit == 0 {
				limit = -1
			}
			b.limit(limit, s.Skip)
		}
		b.Raw(") AS s WHERE v IS NOT NULL")
	} else {
		b.expr(s.Where)
	}
	text := b.SQL
	if b.scope.unknown {
		b.with, b.withs, b.Args = b.with[:with], withs, b.Args[:args]
		text = b.noValues(value, ok)
	}
	b.scope, b.SQL = outer, sql
	return b.define(text), f
}

// yield finds what a key of a class stands for: a column, or what is inside a JSON column, if it has the wanted type. It
// returns the type of the values and what appends one to the SELECT.
func (b *Builder) yield(class *schema.Class, key query.Path, want schema.Type) (f schema.Field, value func(), ok bool) {
	root := key.Root()
	f, ok = class.Column(root)
	if len(root) == len(key) {
		return f, func() { b.appendColumn(root) }, ok
	}
	path := strings.Split(string(key[len(root)+1:]), ".")
	inside := map[schema.Type]func(*Builder, string, []string){
		schema.String: b.dialect.PathText, schema.Number: b.dialect.PathNumber, schema.Boolean: b.dialect.PathBool,
	}[want]
	if !(target{field: f}).json() || !validPath(path) || inside == nil {
		return f, nil, false
	}
	return schema.Field{Type: want}, func() { inside(b, b.Column(root), path) }, true
}

// noValues is the SELECT of no values, with the type of the column if there is one.
func (b *Builder) noValues(value func(), typed bool) []byte {
	if !typed {
		return []byte("SELECT NULL AS v WHERE FALSE")
	}
	b.SQL = append(make([]byte, 0, 64), "SELECT "...)
	value()
	b.Raw(" AS v FROM ")
	b.SQL = b.dialect.AppendTable(b.SQL, b.scope.class.Name)
	b.Raw(" AS t")
	b.SQL = strconv.AppendInt(b.SQL, int64(b.scope.alias), 10)
	b.Raw(" WHERE FALSE")
	return b.SQL
}

// className is the class a sub-query asks: its own, or the one that its Redirect relation leads to.
func (b *Builder) className(s *query.SubQuery) string {
	if class := b.schema.Class(s.Class); s.Redirect != "" && class != nil && class.Fields[s.Redirect].Type == schema.Relation {
		return class.Fields[s.Redirect].TargetClass
	}
	return s.Class
}

// define adds a common table expression.
func (b *Builder) define(text []byte) string {
	b.withs++
	name := "q" + strconv.Itoa(b.withs)
	if b.withs == 1 {
		b.with = append(b.with, "WITH "...)
	} else {
		b.with = append(b.with, ", "...)
	}
	b.with = append(b.with, name...)
	b.with = append(b.with, "(v) AS MATERIALIZED ("...)
	b.with = append(b.with, text...)
	b.with = append(b.with, ") "...)
	return name
}

func (b *Builder) inQuery(e *query.InQuery) {
	name, _ := b.sub(e.Sub, "objectId", schema.String)
	t, ok := b.resolve(e.Path)
	if !ok {
		return
	}
	pointer := schema.Field{Type: schema.Pointer, TargetClass: b.className(e.Sub)}
	if t.field.Type == schema.Relation {
		b.relationSub(e.Path.Root(), name, e.Not)
		return
	}
	b.among(t, pointer, name, e.Not)
}

func (b *Builder) selectQuery(e *query.Select) {
	t, ok := b.resolve(e.Path)
	if !ok {
		return
	}
	if t.field.Type == schema.Relation {
		b.unsupported(map[string]any{"$select": map[string]any{"key": string(e.Key)}})
		return
	}
	name, f := b.sub(e.Sub, e.Key, t.field.Type)
	b.among(t, f, name, e.Not)
}

// among compares a column with the values v of a sub-query, which are those of a column of field f. As $in and $nin with
// the list the sub-query gives: an empty list asks for objects without the field, or for all of them; a value of
// another type is none of them.
func (b *Builder) among(t target, f schema.Field, sub string, not bool) {
	empty := func() { b.Raw("NOT EXISTS (SELECT 1 FROM " + sub + ")") }
	same := t.field.Type == f.Type || t.text() && (f.Type == schema.String || f.Type == schema.Pointer)
	b.Raw("(")
	switch {
	case t.path != nil:
		b.unsupported(map[string]any{"$in": []any{}})
	case t.field.Type == schema.Array && not:
		empty()
		b.Raw(" OR NOT ")
		b.dialect.ArrayAnyOf(b, t.col, f, sub)
	case t.field.Type == schema.Array:
		b.isNull(t, true)
		b.Raw(" AND ")
		empty()
		b.Raw(" OR ")
		b.dialect.ArrayAnyOf(b, t.col, f, sub)
	case not:
		empty()
		if same && ordered(t.field.Type) {
			b.Raw(" OR " + t.col + " NOT IN (SELECT v FROM " + sub + ")")
		} else {
			b.Raw(" OR " + t.col + " IS NOT NULL")
		}
	default:
		b.isNull(t, true)
		b.Raw(" AND ")
		empty()
		if same && ordered(t.field.Type) {
			b.Raw(" OR " + t.col + " IN (SELECT v FROM " + sub + ")")
		}
	}
	b.Raw(")")
}

func (b *Builder) relatedTo(e *query.RelatedTo) {
	owner := b.schema.Class(e.Object.ClassName)
	if owner == nil || owner.Fields[e.Key].Type != schema.Relation {
		b.Raw("FALSE")
		return
	}
	b.appendColumn("objectId")
	b.Raw(` IN (SELECT "relatedId" FROM `)
	b.SQL = b.dialect.AppendTable(b.SQL, schema.JoinTable(e.Object.ClassName, e.Key))
	b.Raw(` WHERE "owningId" = `)
	b.Arg(schema.String, e.Object.ObjectID)
	b.Raw(")")
}

// relationCompare asks which objects have a member in the relation. Anything but a pointer matches nothing.
func (b *Builder) relationCompare(e *query.Compare) {
	p, ok := e.Value.(query.Pointer)
	switch {
	case e.Op == query.Eq && ok:
		b.relation(e.Path.Root(), []any{p}, false)
	case e.Op == query.Ne && ok:
		b.relation(e.Path.Root(), []any{p}, true)
	default:
		b.Raw("FALSE")
	}
}

func (b *Builder) relationIn(e *query.In) { b.relation(e.Path.Root(), e.Values, e.Not) }

func (b *Builder) relation(field string, members []any, not bool) {
	ids := make([]any, 0, len(members))
	for _, m := range members {
		if p, ok := m.(query.Pointer); ok {
			ids = append(ids, p.ObjectID)
		}
	}
	b.owners(field, not, func() {
		if len(ids) == 0 {
			b.Raw(`"relatedId" IS NULL`)
			return
		}
		b.dialect.In(b, `"relatedId"`, schema.Field{Type: schema.String}, ids, false)
	})
}

func (b *Builder) relationSub(field, sub string, not bool) {
	b.owners(field, not, func() { b.Raw(`"relatedId" IN (SELECT v FROM ` + sub + ")") })
}

func (b *Builder) owners(field string, not bool, related func()) {
	b.appendColumn("objectId")
	if not {
		b.Raw(" NOT")
	}
	b.Raw(` IN (SELECT "owningId" FROM `)
	b.SQL = b.dialect.AppendTable(b.SQL, schema.JoinTable(b.scope.class.Name, field))
	b.Raw(" WHERE ")
	related()
	b.Raw(")")
}
