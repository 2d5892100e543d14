package sqlite

import (
	"github.com/parsescale/parsescale/server/schema"
	"github.com/parsescale/parsescale/server/storage"
	"github.com/parsescale/parsescale/server/storage/sqlbuild"
	"github.com/parsescale/parsescale/server/storage/sqlite/fulltext"
)

const codeInvalidJSON = 107

// Text implements sqlbuild.Dialect. It isn't FTS5, whose words, stop words and ranks are others than PostgreSQL's.
func (dialect) Text(b *sqlbuild.Builder, f schema.Field, col string, language, term string) error {
	if _, err := fulltext.Parse(language, term); err != nil {
		return &storage.Unsupported{Code: codeInvalidJSON, Message: "bad $text: " + err.Error()}
	}
	search(b, "parse_text", f, col, language, term)
	return nil
}

// TextRank implements sqlbuild.Dialect.
func (dialect) TextRank(b *sqlbuild.Builder, f schema.Field, col string, language, term string) {
	search(b, "parse_text_rank", f, col, language, term)
}

// search appends the call of a function with the language, the term and the text. Of JSON it sees the strings.
func search(b *sqlbuild.Builder, function string, f schema.Field, col, language, term string) {
	if f.Type == schema.Object || f.Type == schema.Array {
		function += "_json"
	}
	b.Raw(function + "(")
	b.Arg(schema.String, language)
	b.Raw(",")
	b.Arg(schema.String, term)
	b.Raw("," + col + ")")
}
