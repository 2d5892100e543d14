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
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir, port := t.TempDir(), testservices.FreePort(t)
	config, err := json.Marshal(map[string]any{
		"appId": appID, "masterKey": masterKey, "restAPIKey": restKey, "databaseURI": "sqlite://data/parse.db",
		"host": "127.0.0.1", "port": port, "allowClientClassCreation": true, "masterKeyIps": []string{elsewhere},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	start := func() (*testservices.Process, *client) {
		cmd := exec.Command(program, "parse-server", "config.json")
		cmd.Dir = dir
		p, err := testservices.StartProcess(t, "parsescale parse-server", cmd, syscall.SIGTERM)
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(t, fmt.Sprintf("http://127.0.0.1:%d/parse", port))
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
	p, c := start()
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
	_, c = start()
	if a := c.must(t, "GET", "/classes/Alone/"+id, "", nil); !strings.Contains(a.body, `"n":1`) {
		t.Errorf("after a restart: %s", a.body)
	}
}
