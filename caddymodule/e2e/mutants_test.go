package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/caddymodule/e2e/linearity"
	"github.com/parsescale/parsescale/server/testservices"
)

// mutants are ways to break the cache's coherence, each in one place of the source.
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
		becomes:  "finish := func() {}",
		register: true, history: true,
	},
	{
		name: "entries are dropped after the commit", file: "policies/feed/stream.go",
		is:       "finish := h.applier.Prepare(f.Changes)",
		becomes:  "finish := func() { time.Sleep(5 * time.Millisecond); h.applier.Prepare(f.Changes)() }",
		register: true, // at once it is noticed too, but it may take minutes
	},
	{
		name: "what a dead worker prepared is settled before the database says so", file: "caddymodule/supervisor/slot.go",
		is:      `if session == "" || stream.Err() == nil {`,
		becomes: "if true {",
		history: true, start: slowlyCommitting, disturbed: true,
	},
	{
		name: "a fill is stored although a change touched it", file: "policies/cache/prepare.go",
		is:       "fl.dirty = true\n\t\t\tif c.flights[n.key] == fl {\n\t\t\t\tdelete(c.flights, n.key)\n\t\t\t}\n\t\t\tc.graph.detach(n)",
		becomes:  "fl.dirty = false",
		register: true,
	},
	{
		name: "a fill is stored although an open change touches it", file: "policies/cache/fill.go",
		is:       "!p.unstorable && !c.open.touches(&p)",
		becomes:  "!p.unstorable",
		register: true,
	},
	{
		name: "what only the answer tells isn't looked up", file: "policies/cache/fill.go",
		is:       "fl.stale = fl.stale || c.touchedSince(fl.seq, &d)",
		becomes:  "",
		register: true,
	},
	{
		name: "before-images aren't looked at", file: "policies/cache/prepare.go",
		is:       "for _, i := range [...]*change.Image{ch.Before, ch.After} {\n\t\t\tif i != nil {\n\t\t\t\tf.doc",
		becomes:  "for _, i := range [...]*change.Image{ch.After} {\n\t\t\tif i != nil {\n\t\t\t\tf.doc",
		register: true,
	},
}

// TestCoherenceCanFail breaks the gateway on purpose and demands that TestCoherence's checks notice it.
func TestCoherenceCanFail(t *testing.T) {
	testservices.NeedTime(t, "building broken gateways")
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			if m.start == nil {
				m.start = func(t *testing.T, program string) (*gateway, *coherence) {
					g := startProgram(t, program, bundledApp("option allowCustomObjectId true", ""))
					return g, newCoherence(t, g)
				}
			}
			g, c := m.start(t, mutant(t, m.file, m.is, m.becomes))
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

// mutant builds the program with one place of its source changed. The source itself isn't touched.
func mutant(t *testing.T, file, is, becomes string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../..", file))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(source), is) != 1 {
		t.Fatalf("%s doesn't have the text %q exactly once; change the mutant", file, is)
	}
	dir := t.TempDir()
	changed, overlay := filepath.Join(dir, filepath.Base(file)), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(source), is, becomes, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := build("mutant-"+filepath.Base(dir)+"-"+filepath.Base(filepath.Dir(dir)), "-overlay", overlay)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(program) })
	return program
}
