package postgres

import (
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
)

// Text implements sqlbuild.Dialect. Whether term and language are any is found out by the database; see queryError.
func (dialect) Text(b *sqlbuild.Builder, _ schema.Field, col string, language, term string) error {
	search(b, col, language, term, " @@ ")
	return nil
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
