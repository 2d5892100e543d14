package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/parsescale/parsescale/server/storage/sqlite"
)

// TestConfigTakenBack: a config that is taken back, because another Caddy app of it doesn't start, leaves the one before as it was.
func TestConfigTakenBack(t *testing.T) {
	before, after := newRecordingWorker(t, results), newRecordingWorker(t, results)
	config := func(w *recordingWorker, most int) string {
		return fmt.Sprintf("{\n\tadmin off\n\tparse {\n\t\tapp shop {\n\t\t\tupstreams %s\n\t\t}\n\t}\n}\n:9 {\n\tparse /parse/* {\n\t\tadmission {\n\t\t\tmax %d\n\t\t}\n\t}\n}", w.addr(), most)
	}
	s := newSite(t, config(before, 50))
	first := activeApp.Load()
	g := s.handlers[0].routes[0].gateway
	for _, end := range []struct {
		name string
		end  func(*App) error
	}{
		{"an app doesn't start", (*App).Stop},
		{"Caddy fails after the start of all apps", (*App).Cleanup},
	} {
		newSite(t, config(after, 400))
		second := activeApp.Load()
		if second == first || g.current().admission.Max != 400 {
			t.Fatal("the second config doesn't share the app, or isn't in force")
		}
		if err := end.end(second); err != nil {
			t.Fatal(err)
		}
		if activeApp.Load() != first {
			t.Errorf("%s: the config before isn't in force", end.name)
		}
		if got := g.current().admission.Max; got != 50 {
			t.Errorf("%s: the limit of requests is at most %d, want 50", end.name, got)
		}
		s.run(t, before, []step{{method: "GET", path: "/parse/classes/A", cache: "fwd=bypass", calls: 1}})
	}
	if n := after.count(); n != 0 {
		t.Errorf("%d requests reached the worker of a config that was taken back", n)
	}
}

// TestRunning: of the apps that have started the last one is in force, and none that has ended is.
func TestRunning(t *testing.T) {
	var r running
	a, b, c := new(App), new(App), new(App)
	if r.Load() != nil || r.end(a) != nil {
		t.Error("an app is in force before one has started")
	}
	r.begin(a)
	r.begin(b)
	if again := r.end(a); again != nil || r.Load() != b {
		t.Error("the end of the one before changes what is in force")
	}
	r.begin(c)
	if again := r.end(c); again != b || r.Load() != b {
		t.Error("the one before isn't in force again")
	}
	if again := r.end(b); again != nil || r.Load() != nil {
		t.Error("an app is in force after all have ended")
	}
}

// failingApp is a Caddy app that doesn't start.
type failingApp struct{}

func (failingApp) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "parsescale_test_failing", New: func() caddy.Module { return new(failingApp) }}
}

func (failingApp) Start() error { return errors.New("it never does") }
func (failingApp) Stop() error  { return nil }

func init() { caddy.RegisterModule(failingApp{}) }

// TestRefusedByAnotherApp has Caddy itself load configs that fail because of another app, which it starts before or after ours.
func TestRefusedByAnotherApp(t *testing.T) {
	w := newRecordingWorker(t, results)
	load := func(most int, fails bool) error {
		config, err := adapt(t, fmt.Sprintf("{\n\tadmin off\n\tpersist_config off\n}\nhttp://127.0.0.1:0 {\n\tparse /parse/* %s {\n\t\tadmission {\n\t\t\tmax %d\n\t\t}\n\t}\n}", w.addr(), most))
		if err != nil {
			t.Fatal(err)
		}
		if fails {
			config["apps"].(map[string]any)["parsescale_test_failing"] = map[string]any{}
		}
		b, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		return caddy.Load(b, true)
	}
	if err := load(50, false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	first := activeApp.Load()
	for range 12 { // in as many random orders
		if err := load(400, true); err == nil {
			t.Fatal("the config was taken")
		}
		if activeApp.Load() != first {
			t.Fatal("the config before isn't in force")
		}
		if most := first.gateways[w.addr()].current().admission.Max; most != 50 {
			t.Fatalf("the limit of requests is at most %d, want 50", most)
		}
	}
	if err := load(60, false); err != nil {
		t.Fatal(err)
	}
	if now := activeApp.Load(); now == first || now.gateways[w.addr()].current().admission.Max != 60 {
		t.Error("a config that starts isn't in force")
	}
}

// TestAppUnderAnotherName: who can't have a database because the config in force has it under another name is told so.
func TestAppUnderAnotherName(t *testing.T) {
	database := "sqlite://" + filepath.Join(t.TempDir(), "parse.db")
	s, err := newSettings("old", &AppConfig{Workers: &Workers{DatabaseURI: database, MasterKey: "m"}}, &Handler{Mount: "/parse"})
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGateway(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.stop() })
	inForce := &App{appState: &appState{logger: zap.NewNop(), gateways: map[string]*gateway{"old": g}, settings: map[string]*settings{"old": s}}}
	activeApp.begin(inForce)
	t.Cleanup(func() { activeApp.end(inForce) })
	claim, err := sqlite.Claim(database) // as its gateway has
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { claim.Close() })
	_, err = trySite(t, "{\n\tadmin off\n\tparse {\n\t\tapp new {\n\t\t\tworkers 1 {\n\t\t\t\tdatabase_uri "+database+"\n\t\t\t}\n\t\t}\n\t}\n}\n:9 {\n\tparse /parse/*\n}")
	if err == nil || !strings.Contains(err.Error(), `it is this gateway itself that uses it, for the app "old"`) {
		t.Errorf("got %v", err)
	}
}
