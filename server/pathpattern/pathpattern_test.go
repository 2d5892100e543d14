package pathpattern

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// The answers in testdata are those of path-to-regexp 8.4.2.
func TestLikePathToRegexp(t *testing.T) {
	data, err := os.ReadFile("testdata/patterns.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Paths    []string
		Patterns []struct {
			Pattern string
			Refused bool
			Matches []string
		}
	}
	if err := json.Unmarshal(data, &table); err != nil {
		t.Fatal(err)
	}
	if len(table.Patterns) < 60 || len(table.Paths) < 60 {
		t.Fatal("the table is not whole")
	}
	for _, row := range table.Patterns {
		p, err := Compile(row.Pattern)
		if (err != nil) != row.Refused {
			t.Errorf("%s: %v, refused should be %v", row.Pattern, err, row.Refused)
		}
		if err != nil {
			continue
		}
		var matches []string
		for _, path := range table.Paths {
			if p.Match(path) {
				matches = append(matches, path)
			}
		}
		if !slices.Equal(matches, row.Matches) {
			source, _ := expression(row.Pattern)
			t.Errorf("%s (%s)\nmatches %q\nwant    %q", row.Pattern, source, matches, row.Matches)
		}
	}
}

func TestBounds(t *testing.T) {
	for name, pattern := range map[string]string{
		"length": "/" + strings.Repeat("a", maxLength), "groups": strings.Repeat("{a}", 9), "depth": strings.Repeat("{", 200) + strings.Repeat("}", 200),
		"nested combinations": strings.Repeat("{a", 40) + strings.Repeat("{b}", 40) + strings.Repeat("}", 40),
	} {
		if _, err := Compile(pattern); err == nil {
			t.Errorf("%s: compiles", name)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{"/classes/:name{/:id}", "/functions/*path", `/:"a\"b"`, `/\:x`, "/*a-:b{-*c}", "{{{", "/(x)"} {
		f.Add(seed, "/classes/A/b")
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		p, err := Compile(pattern)
		if err != nil {
			return
		}
		p.Match(path)
		// A pattern of plain text matches itself.
		if !strings.ContainsAny(pattern, `:*{}\`) && strings.ToValidUTF8(pattern, "") == pattern && !p.Match(pattern) {
			t.Errorf("%q doesn't match itself", pattern)
		}
	})
}
