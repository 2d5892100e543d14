package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestReload changes the configuration under load. The worker processes, what is stored, what is running and the clients'
// connections outlive it: no request fails.
func TestReload(t *testing.T) {
	g := startGateway(t, bundledApp("", ""))
	c := newClient(t, g.url())
	c.create(t, "Reloaded", `{"n":1}`)
	c.stored(t, "/classes/Reloaded")
	workers := g.workers()

	l := startLoad(t, g.url(), 8)
	for range 10 {
		time.Sleep(100 * time.Millisecond) // of load
		g.reload(func(caddyfile string) string {
			// One more line each time: the configuration differs, Parse's part of it doesn't.
			return strings.TrimSuffix(caddyfile, "}\n") + "\theader X-Reloads yes\n}\n"
		})
	}
	l.end()
	for _, lc := range l.clients {
		for _, f := range slices.Concat(lc.wrong, lc.failedReads, lc.failedWrites) {
			t.Errorf("client %d: %s", lc.number, f)
		}
	}
	l.check(t, g.url())
	if now := g.workers(); !slices.Equal(now, workers) {
		t.Errorf("the workers were %v and are %v", workers, now)
	}
	a := c.must(t, "GET", "/classes/Reloaded", "", nil)
	if a.verdict() != hit {
		t.Errorf("what was stored before is a %s after: %s", a.verdict(), a.header.Get("Cache-Status"))
	}
	if a.header.Get("X-Reloads") != "yes" {
		t.Error("the new configuration isn't in force")
	}
}

// TestReloadOptions changes the workers' options under load: new workers take over, nothing is lost. Options that the
// workers refuse leave everything as it was.
func TestReloadOptions(t *testing.T) {
	g := startGateway(t, bundledApp("", ""))
	c := newClient(t, g.url())
	c.create(t, "Reloaded", `{"n":1}`)
	workers := g.workers()
	l := startLoad(t, g.url(), 8)
	g.reload(func(caddyfile string) string {
		return strings.Replace(caddyfile, "option allowClientClassCreation", "option objectIdSize 12\n\t\t\toption allowClientClassCreation", 1)
	})
	if id := c.create(t, "Reloaded", `{"n":2}`); len(id) != 12 {
		t.Errorf("the new option isn't in force: a new object's id is %s", id)
	}
	deadline := time.Now().Add(20 * time.Second)
	for slices.ContainsFunc(workers, running) && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	if slices.ContainsFunc(workers, running) {
		t.Errorf("of the workers with the old options %v, some still run", workers)
	}
	l.end()
	for _, lc := range l.clients {
		for _, f := range slices.Concat(lc.wrong, lc.failedReads, lc.failedWrites) {
			t.Errorf("client %d: %s", lc.number, f)
		}
	}
	l.check(t, g.url())

	workers = g.workers()
	before := c.stored(t, "/classes/Reloaded")
	out, err := g.tryReload(func(caddyfile string) string {
		return strings.Replace(caddyfile, "option objectIdSize 12", "option defaultLimit -2", 1)
	})
	if err == nil || !strings.Contains(out, "Default limit must be a value greater than 0") {
		t.Errorf("the reload with a wrong option: %v, %s", err, out)
	}
	if a := c.must(t, "GET", "/classes/Reloaded", "", nil); a.verdict() != hit || a.body != before.body {
		t.Errorf("after the refused reload: %s: %s", a.verdict(), a.body)
	}
	if now := g.workers(); !slices.Equal(now, workers) {
		t.Errorf("the workers were %v and are %v", workers, now)
	}
}

// reload changes the gateway's Caddyfile and loads it as an operator does.
func (g *gateway) reload(edit func(string) string) {
	g.t.Helper()
	if out, err := g.tryReload(edit); err != nil {
		g.t.Fatalf("cannot reload: %v\n%s", err, out)
	}
}

// tryReload is reload with what it printed.
func (g *gateway) tryReload(edit func(string) string) (string, error) {
	g.t.Helper()
	path := filepath.Join(g.dir, "Caddyfile")
	text, err := os.ReadFile(path)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(edit(string(text))), 0o600); err != nil {
		g.t.Fatal(err)
	}
	program, err := binary()
	if err != nil {
		g.t.Fatal(err)
	}
	cmd := exec.Command(program, "reload", "--config", "Caddyfile", "--adapter", "caddyfile", "--address", g.admin)
	cmd.Dir = g.dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}
