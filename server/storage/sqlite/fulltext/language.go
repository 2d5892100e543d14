package fulltext

import (
	_ "embed"
	"strings"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
)

// englishStop are the stop words of PostgreSQL's english dictionary, one a line.
//
//go:embed english.stop
var englishStop string

// language turns words into lexemes.
type language struct {
	stop map[string]bool
	stem func(*snowballstem.Env) bool
}

// languages are the configurations by PostgreSQL's names.
var languages = map[string]*language{
	"simple":  {},
	"english": {stop: setOf(englishStop), stem: english.Stem},
}

func languageOf(name string) *language {
	name = strings.ToLower(strings.TrimSpace(name))
	return languages[strings.TrimPrefix(name, "pg_catalog.")]
}

func setOf(lines string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(lines) {
		set[word] = true
	}
	return set
}

// lexeme returns what a token is filed under; "" for a stop word.
func (l *language) lexeme(t token) string {
	word := strings.ToLower(t.text)
	if t.kind != kindWord || l.stem == nil {
		return word
	}
	if l.stop[word] {
		return ""
	}
	if len(word) > maxStem {
		return word
	}
	env := snowballstem.NewEnv(word)
	l.stem(env)
	return env.Current()
}

// maxStem is the longest word that is stemmed, in bytes.
const maxStem = 1000
