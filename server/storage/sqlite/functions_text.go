package sqlite

import (
	"cmp"
	"database/sql/driver"
	stdjson "encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/parsescale/parsescale/server/storage/sqlite/fulltext"
	driversqlite "modernc.org/sqlite"
)

// textFunctions are the functions of full text search: parse_text and parse_text_rank of (language, term, text), and the
// same with _json for the strings in JSON. NULL makes NULL.
func textFunctions() map[string]*driversqlite.FunctionImpl {
	type ask struct{ language, term string }
	queries := newMemo(func(a ask) (*fulltext.Query, error) { return fulltext.Parse(a.language, a.term) })
	function := func(texts func(string) ([]string, error), answer func(*fulltext.Query, []string) (driver.Value, error)) *driversqlite.FunctionImpl {
		return scalar(3, func(args []string) (driver.Value, error) {
			q, err := queries.get(ask{args[0], args[1]})
			if err != nil {
				return nil, err
			}
			list, err := texts(args[2])
			if err != nil {
				return nil, err
			}
			return answer(q, list)
		})
	}
	plain := func(text string) ([]string, error) { return []string{text}, nil }
	match := func(q *fulltext.Query, texts []string) (driver.Value, error) { return boolean(q.Match(texts...), nil) }
	rank := func(q *fulltext.Query, texts []string) (driver.Value, error) {
		// PostgreSQL's rank is a float4: the double with the same digits is shown.
		return strconv.ParseFloat(strconv.FormatFloat(float64(q.Rank(texts...)), 'g', -1, 32), 64)
	}
	return map[string]*driversqlite.FunctionImpl{
		"parse_text":           function(plain, match),
		"parse_text_rank":      function(plain, rank),
		"parse_text_json":      function(stringsOf, match),
		"parse_text_rank_json": function(stringsOf, rank),
	}
}

// stringsOf returns the strings in JSON, in the order in which they are stored.
func stringsOf(text string) ([]string, error) {
	var v any
	if err := stdjson.Unmarshal([]byte(text), &v); err != nil {
		return nil, fmt.Errorf("cannot read stored JSON: %w", err)
	}
	return appendStrings(nil, v), nil
}

func appendStrings(list []string, v any) []string {
	switch v := v.(type) {
	case string:
		list = append(list, v)
	case []any:
		for _, e := range v {
			list = appendStrings(list, e)
		}
	case map[string]any:
		for _, name := range slices.SortedFunc(maps.Keys(v), func(a, b string) int {
			return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
		}) {
			list = appendStrings(list, v[name])
		}
	}
	return list
}
