package sqlbuild

import (
	"strconv"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// Builder makes one statement: SQL and Args are its result. It may be used again after Reset, and keeps its memory.
type Builder struct {
	// SQL is the statement, Args its arguments in the order of their numbers.
	SQL  []byte
	Args []any
	// Empty is set when the answer is known to have no rows: the class has no table, or, as on PostgreSQL, the query
	// names a field the class doesn't have.
	Empty bool

	dialect  Dialect
	schema   *schema.Schema
	readers  []string
	foldCase bool
	with     []byte // the common table expressions so far
	withs    int
	aliases  int
	scope    scope
	err      error
}

// scope is the SELECT being built.
type scope struct {
	class   *schema.Class
	alias   int
	unknown bool // it names a field that isn't there
}

// Reset forgets the last statement.
func (b *Builder) Reset(d Dialect) {
	*b = Builder{SQL: b.SQL[:0], Args: b.Args[:0], with: b.with[:0], dialect: d}
}

// Raw appends SQL text that has no user input in it.
func (b *Builder) Raw(s string) { b.SQL = append(b.SQL, s...) }

// Arg binds a value and appends the reference to it.
func (b *Builder) Arg(t schema.Type, v any) {
	b.Args = append(b.Args, v)
	b.SQL = b.dialect.AppendPlaceholder(b.SQL, len(b.Args), t)
}

// Number appends the reference to an argument that was bound before.
func (b *Builder) Number(n int, t schema.Type) { b.SQL = b.dialect.AppendPlaceholder(b.SQL, n, t) }

// Column returns the SQL of a column of the SELECT being built.
func (b *Builder) Column(field string) string {
	dst := append(make([]byte, 0, len(field)+8), 't')
	dst = strconv.AppendInt(dst, int64(b.scope.alias), 10)
	dst = append(dst, '.')
	return string(b.dialect.AppendColumn(dst, b.scope.class.Name, field))
}

func (b *Builder) appendColumn(field string) {
	b.SQL = append(b.SQL, 't')
	b.SQL = strconv.AppendInt(b.SQL, int64(b.scope.alias), 10)
	b.SQL = append(b.SQL, '.')
	b.SQL = b.dialect.AppendColumn(b.SQL, b.scope.class.Name, field)
}

func (b *Builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// unknownField notes that the query names a field that has no column. On PostgreSQL such a statement fails as a whole
// and parse-server answers with no results.
func (b *Builder) unknownField() {
	b.scope.unknown = true
	b.Raw("FALSE")
}

// Find builds the SELECT of the columns, which the class must have, of the objects that f asks for.
func (b *Builder) Find(d Dialect, f *storage.Find, columns []string) error {
	b.start(d, f)
	if len(f.Class.Columns) == 0 {
		return b.nothing(f.Where)
	}
	if f.Limit == 0 {
		b.Empty = true
		return nil
	}
	b.Raw("SELECT ")
	for i, c := range columns {
		if i > 0 {
			b.Raw(",")
		}
		if c == storage.ScoreColumn {
			b.score(f.Where)
			continue
		}
		b.appendColumn(c)
	}
	b.from(f.Where)
	b.sort(f)
	b.limit(f.Limit, f.Skip)
	return b.finish()
}

// Count builds the SELECT of the number of objects that f asks for, whatever its limit and skip.
func (b *Builder) Count(d Dialect, f *storage.Find) error {
	b.start(d, f)
	if len(f.Class.Columns) == 0 {
		return b.nothing(f.Where)
	}
	b.Raw("SELECT count(*)")
	b.from(f.Where)
	return b.finish()
}

// nothing is the answer about a class without a table: no objects, unless the where is one that no class can be asked.
func (b *Builder) nothing(where query.Expr) error {
	b.expr(where)
	b.SQL, b.Args, b.Empty = b.SQL[:0], b.Args[:0], true
	return b.err
}

func (b *Builder) start(d Dialect, f *storage.Find) {
	b.Reset(d)
	b.schema, b.readers, b.foldCase = f.Schema, f.Readers, f.CaseInsensitive
	b.scope = scope{class: f.Class}
}

// from appends FROM and WHERE of the current scope.
func (b *Builder) from(where query.Expr) {
	b.Raw(" FROM ")
	b.SQL = b.dialect.AppendTable(b.SQL, b.scope.class.Name)
	b.Raw(" AS t")
	b.SQL = strconv.AppendInt(b.SQL, int64(b.scope.alias), 10)
	_, hasPerms := b.scope.class.Column("_rperm")
	guarded := b.readers != nil && hasPerms
	if where == nil && !guarded {
		return
	}
	b.Raw(" WHERE ")
	if guarded {
		b.Raw("(")
		b.dialect.Readers(b, b.Column("_rperm"), b.readers)
		b.Raw(")")
		if where == nil {
			return
		}
		b.Raw(" AND ")
	}
	b.expr(where)
}

func (b *Builder) limit(limit, skip int) {
	if limit >= 0 {
		b.Raw(" LIMIT ")
		b.Arg(Integer, int64(limit))
	} else if skip > 0 {
		b.Raw(" LIMIT 9223372036854775807")
	}
	if skip > 0 {
		b.Raw(" OFFSET ")
		b.Arg(Integer, int64(skip))
	}
}

// finish puts the common table expressions in front.
func (b *Builder) finish() error {
	if b.err != nil {
		return b.err
	}
	if b.scope.unknown {
		b.Empty = true
		return nil
	}
	if b.withs > 0 {
		text := append(b.with, b.SQL...)
		b.SQL, b.with = text, b.SQL[:0]
	}
	return nil
}
