package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

// mutants are ways to break the cache's coherence, each in one place of the source.
var mutants = []struct{ name, file, is, becomes string }{
	{
		"prepare is ignored", "policies/feed/stream.go",
		"finish := h.applier.Prepare(f.Changes)",
		"finish := func() {}",
	},
	{
		"entries are dropped after the commit", "policies/feed/stream.go",
		"finish := h.applier.Prepare(f.Changes)",
		"finish := func() { h.applier.Prepare(f.Changes)() }",
	},
	{
		"a fill is stored although a change touched it", "policies/cache/prepare.go",
		"fl.dirty = true\n\t\t\tif c.flights[n.key] == fl {\n\t\t\t\tdelete(c.flights, n.key)\n\t\t\t}\n\t\t\tc.graph.detach(n)",
		"fl.dirty = false",
	},
	{
		"a fill is stored although an open change touches it", "policies/cache/fill.go",
		"!p.unstorable && !c.open.touches(&p)",
		"!p.unstorable",
	},
	{
		"what only the answer tells isn't looked up", "policies/cache/fill.go",
		"fl.stale = fl.stale || c.touchedSince(fl.seq, &d)",
		"",
	},
	{
		"before-images aren't looked at", "policies/cache/prepare.go",
		"for _, i := range [...]*change.Image{ch.Before, ch.After} {\n\t\t\tif i != nil {\n\t\t\t\tf.doc",
		"for _, i := range [...]*change.Image{ch.After} {\n\t\t\tif i != nil {\n\t\t\t\tf.doc",
	},
}

// TestCoherenceCanFail breaks the gateway on purpose and demands that TestCoherence's check notices it.
func TestCoherenceCanFail(t *testing.T) {
	testservices.NeedTime(t, "building broken gateways")
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			c := newCoherence(t, startProgram(t, mutant(t, m.file, m.is, m.becomes), bundledApp("option allowCustomObjectId true", "")))
			c.run(t, time.Minute) // it ends once something was noticed
			if !c.history.failed() {
				t.Errorf("not noticed in %d reads", c.reads.Load())
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
