package sqlbuild

import (
	"strings"

	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
)

// order appends ORDER BY: what is missing comes last ascending and first descending, as on PostgreSQL. A field that the
// class doesn't have, or that has no order, is left out.
func (b *Builder) order(terms []query.Sort, scored bool) {
	sep := " ORDER BY "
	for _, s := range terms {
		root := s.Path.Root()
		f, ok := b.scope.class.Column(root)
		if !ok {
			switch isScore := s.Path == storage.ScoreColumn || s.Path == "score"; {
			case isScore && scored:
				b.Raw(sep + "score DESC")
				sep = ","
			case isScore, b.scope.class.Fields[root].Type == schema.Relation:
				// There is no such column, and PostgreSQL parse-server finds nothing.
				b.scope.unknown = true
			}
			continue
		}
		var path []string
		if len(root) < len(s.Path) {
			path = strings.Split(string(s.Path[len(root)+1:]), ".")
		}
		json := f.Type == schema.Object || f.Type == schema.Array
		switch {
		case json && validPath(path):
			b.Raw(sep)
			b.dialect.PathOrder(b, b.Column(root), path, s.Desc)
		case path == nil && ordered(f.Type):
			b.Raw(sep)
			b.appendColumn(root)
			b.Raw(direction(s.Desc, root != "objectId"))
		default:
			continue
		}
		sep = ","
	}
}

func validPath(path []string) bool {
	for _, part := range path {
		if !isWord(part) {
			return false
		}
	}
	return true
}

// direction is what follows a term of ORDER BY.
func direction(desc, nullable bool) string {
	switch {
	case desc && nullable:
		return " DESC NULLS FIRST"
	case desc:
		return " DESC"
	case nullable:
		return " ASC NULLS LAST"
	}
	return " ASC"
}

// Direction is what follows a term of ORDER BY over values that may be NULL.
func Direction(desc bool) string { return direction(desc, true) }
