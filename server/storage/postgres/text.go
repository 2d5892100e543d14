package postgres

import (
	"regexp"
	"strconv"

	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

// languageName is the form of a text search configuration's name. What else the database takes (numbers, names in quotes)
// has errors of its own when it is none.
var languageName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$`)

// Text implements sqlbuild.Dialect. Whether there is such a language, and the term is one, the database finds out; see textError.
func (dialect) Text(b *sqlbuild.Builder, _ schema.Field, col string, language, term string) error {
	if !languageName.MatchString(language) {
		return unknownLanguage(strconv.Quote(language))
	}
	search(b, col, language, term, " @@ ")
	return nil
}

func unknownLanguage(quoted string) error {
	return &storage.Unsupported{Code: codeInvalidJSON, Message: "bad $text: unknown text search configuration " + quoted}
}

// TextRank implements sqlbuild.Dialect. A rank has the digits of a real.
func (dialect) TextRank(b *sqlbuild.Builder, _ schema.Field, col string, language, term string) {
	b.Raw("ts_rank_cd(")
	search(b, col, language, term, ", ")
	b.Raw(", 32)::text::double precision")
}

// search appends the vector of the column and the query for the term.
func search(b *sqlbuild.Builder, col, language, term, between string) {
	b.Raw("to_tsvector(")
	bind(b, storable(language), "regconfig")
	b.Raw(", " + col + ")" + between + "to_tsquery(")
	bind(b, storable(language), "regconfig")
	b.Raw(", ")
	bind(b, storable(term), "text")
	b.Raw(")")
}
