package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/parsescale/parsescale/server/testservices"
)

// TestStandalone runs one worker without a gateway, as `parsescale parse-server config.json` with parse-server's own
// option names. It believes no header that only a gateway may set.
func TestStandalone(t *testing.T) {
	dir := t.TempDir()
	options := map[string]any{
		"appId": appID, "masterKey": masterKey, "restAPIKey": restKey, "databaseURI": "sqlite://data/parse.db",
		"host": "127.0.0.1", "port": testservices.FreePort(t), "allowClientClassCreation": true, "masterKeyIps": []string{elsewhere},
	}
	p, c := startStandalone(t, dir, options)
	id := c.create(t, "Alone", `{"n":1}`)
	for _, f := range forgeries {
		a, err := masterOnly(c.with("X-Parse-Master-Key", masterKey, f.header, strings.ReplaceAll(f.value, "ADDRESS", elsewhere)))
		if err != nil || a.status != http.StatusForbidden {
			t.Errorf("%s: status %d, %v; want 403: %s", f.name, a.status, err, a.body)
		}
	}
	first, second := c.with("X-Parsescale-Write-Id", "forged").create(t, "Alone", `{"n":2}`), c.with("X-Parsescale-Write-Id", "forged").create(t, "Alone", `{"n":3}`)
	if first == second {
		t.Error("a client's write id was believed")
	}
	if state := p.Stop(syscall.SIGTERM); !state.Success() {
		t.Errorf("told to stop, it ended with %s", state)
	}
	_, c = startStandalone(t, dir, options)
	if a := c.must(t, "GET", "/classes/Alone/"+id, "", nil); !strings.Contains(a.body, `"n":1`) {
		t.Errorf("after a restart: %s", a.body)
	}
}

// startStandalone runs `parsescale parse-server` in the folder with the options, which name a port, and returns once it
// answers. It ends with the test.
func startStandalone(t *testing.T, dir string, options map[string]any) (*testservices.Process, *client) {
	t.Helper()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "parse-server", "config.json")
	cmd.Dir = dir
	p, err := testservices.StartProcess(t, "parsescale parse-server", cmd, syscall.SIGTERM)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, fmt.Sprintf("http://127.0.0.1:%d/parse", options["port"]))
	err = p.Await(func() error {
		a, err := c.do("GET", "/health", "")
		if err == nil && a.status != http.StatusOK {
			err = fmt.Errorf("status %d", a.status)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, c
}
