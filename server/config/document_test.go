package config

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write OPTIONS.md anew")

// TestDocument: OPTIONS.md ends with the table that the other tests check. go test ./server/config -update writes it.
func TestDocument(t *testing.T) {
	const file, mark = "../OPTIONS.md", "<!-- the table is made by go test ./server/config -update -->\n"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(data), mark)
	if !ok {
		t.Fatalf("%s lacks its mark", file)
	}
	var b strings.Builder
	b.WriteString(head + mark + "\n| option | variable | parse-server's default | majors | here |\n|---|---|---|---|---|\n")
	for _, r := range table(t) {
		variable, def := "`"+r.variable+"`", ""
		if r.nested() {
			variable = ""
		}
		if r.def != "" {
			def = "`" + strings.ReplaceAll(r.def, "|", `\|`) + "`"
		}
		if len(def) > 80 {
			def = "a list"
		}
		majors := r.majors[0]
		if last := r.majors[len(r.majors)-1]; last != majors {
			majors += "–" + last
		}
		b.WriteString("| `" + r.option + "` | " + variable + " | " + def + " | " + majors + " | " + r.meaning() + " |\n")
	}
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
	} else if b.String() != string(data) {
		t.Errorf("%s isn't up to date: go test ./server/config -update", file)
	}
}

// meaning says what the server does with an option.
func (r *row) meaning() string {
	word := map[string]string{"honoured": "honoured", "warned": "no effect, and a warning", "refused": "refused, unless it is off"}[r.here]
	n := note(r.option)
	if r.here == "honoured" {
		n = notes[r.option]
	}
	if n != "" {
		return word + ": " + n
	}
	return word
}
