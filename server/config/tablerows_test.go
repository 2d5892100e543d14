package config

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// row is one option of the table.
type row struct {
	option, variable, kind, def string
	required                    bool
	majors                      []string
	here                        string
	value, other                any
	with                        map[string]any
}

// table reads testdata/options.tsv.
func table(t testing.TB) []row {
	t.Helper()
	data, err := os.ReadFile("testdata/options.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	parse := func(text string, to any) {
		if text == "" {
			return
		}
		if err := json.Unmarshal([]byte(text), to); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	for line := range strings.Lines(string(data)) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") || cells[0] == "option" {
			continue
		}
		if len(cells) != 10 {
			t.Fatalf("%s has %d cells", cells[0], len(cells))
		}
		r := row{
			option: cells[0], variable: cells[1], kind: cells[2], def: cells[3], required: cells[4] != "", majors: strings.Split(cells[5], ","), here: cells[6],
			value: anyValue(cells[2], cells[3], 0), other: anyValue(cells[2], cells[3], 1),
		}
		parse(cells[7], &r.value)
		parse(cells[8], &r.other)
		parse(cells[9], &r.with)
		rows = append(rows, r)
	}
	if len(rows) < 280 {
		t.Fatalf("the table has %d options only", len(rows))
	}
	return rows
}

// anyValue is a value of a kind, one of two, the first of which isn't the default.
func anyValue(kind, def string, i int) any {
	switch kind {
	case "boolean":
		return (def != "true") == (i == 0)
	case "number":
		return float64(77 + i)
	case "array":
		return []any{[]string{"x", "y"}[i]}
	case "object":
		return map[string]any{[]string{"x", "y"}[i]: true}
	}
	return []string{"x", "y"}[i]
}

func (r *row) nested() bool { return strings.Contains(r.option, ".") }

// config is a configuration with a value for the option; "" as a path means without.
func (r *row) config(t testing.TB, path string, value any) map[string]any {
	t.Helper()
	data, err := json.Marshal(r.with) // a copy
	if err != nil {
		t.Fatal(err)
	}
	c := map[string]any{}
	if err := json.Unmarshal(data, &c); err != nil || c == nil {
		c = map[string]any{}
	}
	for name, v := range map[string]any{"appId": "app", "masterKey": "secret"} {
		if _, ok := c[name]; !ok {
			c[name] = v
		}
	}
	if path == "" {
		return c
	}
	at := c
	parts := strings.Split(path, ".")
	for i, part := range parts {
		name, inList := strings.CutSuffix(part, "[]")
		switch {
		case i == len(parts)-1:
			at[name] = value
		case inList:
			list, _ := at[name].([]any)
			if len(list) == 0 {
				list = []any{map[string]any{}}
				at[name] = list
			}
			at, _ = list[0].(map[string]any)
		default:
			m, _ := at[name].(map[string]any)
			if m == nil {
				m = map[string]any{}
				at[name] = m
			}
			at = m
		}
	}
	return c
}
