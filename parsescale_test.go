package parsescale

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/parsescale/parsescale"

// folder is one package of the tree, tests left out.
type folder struct {
	path    string              // "" for the root, else with slashes
	name    string              // of the package
	comment string              // the package's
	imports map[string][]string // import path → files
	lines   map[string]int      // file → lines
}

// tree reads every package, whatever system its files are for.
func tree(t *testing.T) []*folder {
	t.Helper()
	byPath := map[string]*folder{}
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && file != "." && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "node_modules") {
			return filepath.SkipDir // as the go command does; packages of others among the npm ones
		}
		if entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ParseComments|parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := strings.TrimPrefix(path.Dir(filepath.ToSlash(file)), ".")
		f := byPath[dir]
		if f == nil {
			f = &folder{path: dir, name: parsed.Name.Name, imports: map[string][]string{}, lines: map[string]int{}}
			byPath[dir] = f
		}
		if ast.IsGenerated(parsed) {
			return nil
		}
		if parsed.Doc != nil && len(parsed.Doc.Text()) > len(f.comment) {
			f.comment = parsed.Doc.Text()
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f.imports[imported] = append(f.imports[imported], file)
		}
		f.lines[file] = bytes.Count(source, []byte("\n"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(byPath) < 5 {
		t.Fatalf("found only the packages %v: the test looks at the wrong folder", slices.Sorted(maps.Keys(byPath)))
	}
	var folders []*folder
	for _, dir := range slices.Sorted(maps.Keys(byPath)) {
		folders = append(folders, byPath[dir])
	}
	return folders
}

// within reports whether a package is root or below it.
func within(dir, root string) bool { return dir == root || strings.HasPrefix(dir, root+"/") }

// arrows are who may import whom among our own packages: the first that fits a package holds for it.
var arrows = []struct {
	from string
	to   []string // these and what is below them; besides, every package may import what is below itself
}{
	{"server/query", nil},
	{"server/change", []string{"server/query"}},
	{"server", []string{"server"}},
	{"policies", []string{"policies", "server/query", "server/change"}},
	{"examples/cloudcode", []string{"server"}},
	{"caddymodule/e2e", []string{"server/testservices"}},
	{"caddymodule", []string{"caddymodule", "policies", "server"}},
}

// mayImport says whether package from may import package to, both ours.
func mayImport(from, to string) bool {
	if from == "" { // the root only registers the module
		return to == "caddymodule"
	}
	if to == "server/testservices" { // it is for tests, which aren't looked at
		return within(from, "server/testservices") || within(from, "server/users/apptest") || within(from, "caddymodule/e2e")
	}
	for _, a := range arrows {
		if within(from, a.from) {
			return within(to, a.from) || slices.ContainsFunc(a.to, func(root string) bool { return within(to, root) })
		}
	}
	return false
}

// TestArrows checks that packages import each other in the designed directions only.
func TestArrows(t *testing.T) {
	for _, f := range tree(t) {
		for imported, files := range f.imports {
			ours, ok := strings.CutPrefix(imported, module)
			if ok && !mayImport(f.path, strings.TrimPrefix(ours, "/")) {
				t.Errorf("%s imports %s (in %v): that is against the arrows", f.path, imported, files)
			}
			if strings.HasPrefix(imported, "github.com/caddyserver/") && !within(f.path, "caddymodule") {
				t.Errorf("%s imports %s (in %v): only caddymodule knows Caddy", f.path, imported, files)
			}
		}
	}
}

// TestArrowRules checks the rules themselves.
func TestArrowRules(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"", "caddymodule", true},
		{"", "server", false},
		{"caddymodule", "policies/cache", true},
		{"caddymodule/supervisor", "server/rest", true},
		{"caddymodule/cmd/parsescale", "caddymodule", true},
		{"policies/cache", "server/query", true},
		{"policies/cache", "server/change", true},
		{"policies/cache", "policies/feed", true},
		{"policies/cache", "server/storage", false},
		{"policies/cache", "server", false},
		{"policies/cache", "caddymodule", false},
		{"server/query", "server/schema", false},
		{"server/change", "server/query", true},
		{"server/change", "server/schema", false},
		{"server/rest", "server/write", true},
		{"server", "policies/cache", false},
		{"server/storage/sqlite", "server/storage/sqlbuild", true},
		{"server/storage", "caddymodule", false},
		{"server/storage", "server/testservices", false},
		{"caddymodule/e2e", "policies/cache", false},
		{"examples/cloudcode", "server", true},
		{"examples/cloudcode", "policies/cache", false},
	} {
		if got := mayImport(c.from, c.to); got != c.want {
			t.Errorf("%q may import %q: %v, want %v", c.from, c.to, got, c.want)
		}
	}
}

// TestPackageComments checks that every package says what it is for.
func TestPackageComments(t *testing.T) {
	for _, f := range tree(t) {
		want := "Package " + f.name + " "
		if f.name == "main" {
			want = "Command " + path.Base(f.path) + " "
		}
		if !strings.HasPrefix(f.comment, want) {
			t.Errorf("%s: the package comment starts with %.30q, want %q", f.path, f.comment, want)
		}
	}
}

// shapeless are names that say nothing about what is in a package.
var shapeless = []string{"base", "common", "core", "helper", "helpers", "lib", "manager", "misc", "shared", "tools", "types", "util", "utils"}

// TestPackageNames checks that a package is named for one idea, like its folder.
func TestPackageNames(t *testing.T) {
	for _, f := range tree(t) {
		if slices.Contains(shapeless, f.name) {
			t.Errorf("%s: the name %s says nothing", f.path, f.name)
		}
		if base := path.Base(f.path); f.path != "" && f.name != "main" && f.name != base {
			t.Errorf("%s: the package is called %s", f.path, f.name)
		}
	}
}

// longFile is how many lines a file may have before it should be divided by subject.
const longFile = 500

// TestFileLength names the files that are too long for one subject.
func TestFileLength(t *testing.T) {
	for _, f := range tree(t) {
		for file, lines := range f.lines {
			if lines > longFile {
				t.Errorf("%s has %d lines, more than %d: divide it by subject", file, lines, longFile)
			}
		}
	}
}

// topLevel is what the root folder holds. A folder in it is a decision about the design.
var topLevel = []string{
	"caddymodule", "docs", "examples", "policies", "server",
	"CHANGELOG.md", "CONTRIBUTING.md", "Caddyfile", "LICENSE", "Makefile", "README.md", "SECURITY.md", "go.mod", "go.sum",
	"parsescale.go", "parsescale_test.go",
	"data", "parsescale", "caddy", // what running and building here leaves behind; git ignores it
}

// TestTopLevel checks that nothing stands in the root folder that the layout doesn't know. Hidden files are no part of it.
func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if name := entry.Name(); !strings.HasPrefix(name, ".") && !slices.Contains(topLevel, name) && !strings.HasSuffix(name, ".test") && !strings.HasSuffix(name, ".prof") {
			t.Errorf("%s has no place in the root folder", name)
		}
	}
}
