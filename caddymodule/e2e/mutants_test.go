package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/caddymodule/e2e/linearity"
	"github.com/parsescale/parsescale/server/testservices"
)

// mutants are ways to break the cache's coherence, each in one place of the source. All are in one program, since each build takes
// seconds, and a variable of the environment chooses one: CHOSEN stands for whether it is this one. Each is put into what those
// before it have left.
var mutants = []struct {
	name, file, is, becomes string
	// register, history: who has to notice it; without a register in it, the history of the contended objects alone.
	register, history bool
	// start and disturbed: what it takes to show.
	start     func(t *testing.T, program string) (*gateway, *coherence)
	disturbed bool
}{
	{
		name: "prepare is ignored", file: "policies/feed/stream.go",
		is:       "finish := h.applier.Prepare(f.Changes)",
		becomes:  "finish := func() {}\nif !CHOSEN {\nfinish = h.applier.Prepare(f.Changes)\n}",
		register: true, history: true,
	},
	{
		name: "entries are dropped after the commit", file: "policies/feed/stream.go",
		is:       "finish = h.applier.Prepare(f.Changes)",
		becomes:  "if CHOSEN {\nfinish = func() { time.Sleep(5 * time.Millisecond); h.applier.Prepare(f.Changes)() }\n} else {\nfinish = h.applier.Prepare(f.Changes)\n}",
		register: true, // at once it is noticed too, but it may take minutes
	},
	{
		name: "what a dead worker prepared is settled before the database says so", file: "caddymodule/supervisor/slot.go",
		is:      `if session == "" || stream.Err() == nil {`,
		becomes: `if CHOSEN || session == "" || stream.Err() == nil {`,
		history: true, start: slowlyCommitting, disturbed: true,
	},
	{
		name: "a fill is stored although a change touched it", file: "policies/cache/prepare.go",
		is:       "fl.dirty = true\n\t\t\tif c.flights[n.key] == fl {\n\t\t\t\tdelete(c.flights, n.key)\n\t\t\t}\n\t\t\tc.graph.detach(n)",
		becomes:  "if fl.dirty = !CHOSEN; fl.dirty {\nif c.flights[n.key] == fl {\ndelete(c.flights, n.key)\n}\nc.graph.detach(n)\n}",
		register: true,
	},
	{
		name: "a fill is stored although an open change touches it", file: "policies/cache/fill.go",
		is:       "!p.unstorable && !c.open.touches(&p)",
		becomes:  "!p.unstorable && (CHOSEN || !c.open.touches(&p))",
		register: true,
	},
	{
		name: "what only the answer tells isn't looked up", file: "policies/cache/fill.go",
		is:       "fl.stale = fl.stale || c.touchedSince(fl.seq, &d)",
		becomes:  "fl.stale = fl.stale || !CHOSEN && c.touchedSince(fl.seq, &d)",
		register: true,
	},
	{
		name: "before-images aren't looked at", file: "policies/cache/prepare.go",
		is:       "for _, i := range [...]*change.Image{ch.Before, ch.After} {\n\t\t\tif i != nil {\n\t\t\t\tf.doc",
		becomes:  "for _, i := range [...]*change.Image{ch.Before, ch.After} {\nif i != nil && !(CHOSEN && i == ch.Before) {\nf.doc",
		register: true,
	},
}

// mutantVariable is the environment variable that chooses one.
const mutantVariable = "PARSESCALE_TEST_MUTANT"

// TestCoherenceCanFail breaks the gateway on purpose and demands that TestCoherence's checks notice it.
func TestCoherenceCanFail(t *testing.T) {
	testservices.NeedTime(t, "building broken gateways")
	program := buildMutants(t)
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Setenv(mutantVariable, m.name)
			if m.start == nil {
				m.start = func(t *testing.T, program string) (*gateway, *coherence) {
					g := startProgram(t, program, bundledApp("option allowCustomObjectId true", ""))
					return g, newCoherence(t, g)
				}
			}
			g, c := m.start(t, program)
			if m.disturbed {
				defer c.trouble(t, g)()
			}
			var violation *linearity.Violation
			noticed := func() bool { return (c.journal.failed() || !m.register) && (violation != nil || !m.history) }
			began := time.Now()
			for !noticed() && time.Since(began) < time.Minute {
				c.runUntil(t, time.Second, func() bool { return !m.history && noticed() })
				var err error
				if violation, err = c.contended.history.Check(maxCheck); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("it took %s", time.Since(began).Round(time.Millisecond))
			if !noticed() {
				t.Errorf("not noticed: by a register %v in %d reads, by the history %v in %d", c.journal.failed(), c.reads.Load(), violation != nil, c.contended.reads.Load())
			}
		})
	}
}

// buildMutants builds the program with all mutants in it. The source itself isn't touched.
func buildMutants(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	changed := map[string]string{} // the text of a file by its path
	for _, m := range mutants {
		path := filepath.Join(root, m.file)
		if changed[path] == "" {
			changed[path] = read(t, path)
		}
		if strings.Count(changed[path], m.is) != 1 {
			t.Fatalf("%s doesn't have the text %q exactly once; change the mutant", m.file, m.is)
		}
		chosen := fmt.Sprintf("(chosenMutant == %q)", m.name)
		changed[path] = strings.Replace(changed[path], m.is, strings.ReplaceAll(m.becomes, "CHOSEN", chosen), 1)
		clause := regexp.MustCompile(`(?m)^package \w+$`).FindString(changed[path])
		changed[filepath.Join(filepath.Dir(path), "mutant.go")] = clause + "\n\nimport \"os\"\n\nvar chosenMutant = os.Getenv(\"" + mutantVariable + "\")\n"
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	dir := t.TempDir()
	for path, text := range changed {
		file := filepath.Join(dir, fmt.Sprintf("%d-%s", len(overlay.Replace), filepath.Base(path)))
		write(t, file, text)
		overlay.Replace[path] = file
	}
	file := filepath.Join(dir, "overlay.json")
	write(t, file, encode(overlay))
	program, err := build("mutants", "-overlay", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(program) })
	return program
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
