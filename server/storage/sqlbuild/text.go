package sqlbuild

import (
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

func (b *Builder) text(e *query.Text) {
	t, ok := b.resolve(e.Path)
	switch {
	case !ok:
	case !t.searchable():
		b.Raw("FALSE")
	default:
		if err := b.dialect.Text(b, t.field, t.col, e.Language, e.Term); err != nil {
			b.fail(err)
		}
	}
}

func (t target) searchable() bool { return t.text() || t.path == nil && t.json() }

// score appends the rank by the first $text of a where.
func (b *Builder) score(where query.Expr) {
	e := textOf(where)
	if e == nil {
		b.fail(&storage.Unsupported{Code: codeInvalidQuery, Message: "$score needs a $text condition"})
		return
	}
	if t, ok := b.resolve(e.Path); ok && t.searchable() {
		b.dialect.TextRank(b, t.field, t.col, e.Language, e.Term)
	} else {
		b.Raw("NULL")
	}
	b.Raw(" AS score")
}

func textOf(e query.Expr) *query.Text {
	var terms []query.Expr
	switch e := e.(type) {
	case *query.Text:
		return e
	case query.And:
		terms = e
	case query.Or:
		terms = e
	}
	for _, term := range terms {
		if t := textOf(term); t != nil {
			return t
		}
	}
	return nil
}

// sort appends ORDER BY of a find: by distance, by score, or as it asks.
func (b *Builder) sort(f *storage.Find) {
	if list := nearest(f.Where, nil); len(list) > 0 {
		sep := " ORDER BY "
		for _, e := range list {
			if t, ok := b.resolve(e.Path); ok && t.path == nil && t.field.Type == schema.GeoPoint {
				b.Raw(sep)
				b.dialect.Distance(b, t.col, e.Point)
				sep = ","
			}
		}
		return
	}
	b.order(f.Order, f.Score)
}
