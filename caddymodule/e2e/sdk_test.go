package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

const (
	appID     = "sdkApp"
	masterKey = "the master key of the end-to-end tests"
	jsKey     = "the JavaScript key of the end-to-end tests"
	restKey   = "restKeyOfTheTests"
)

// sdkLine is one line that sdk.mjs prints.
type sdkLine struct {
	Check    string `json:"check"`
	OK       bool   `json:"ok"`
	MS       int    `json:"ms"`
	Error    string `json:"error"`
	Done     bool   `json:"done"`
	Checks   int    `json:"checks"`
	Requests int    `json:"requests"`
	Hits     int    `json:"hits"`
}

// TestSDK drives the Parse JavaScript SDK against the ways to serve it. "alone" has no Parsescale in it: it proves
// that what the script demands is what Parse Server does.
func TestSDK(t *testing.T) {
	testservices.Need(t, "Node with the npm packages parse and parse-server, and postgresql with postgis")
	t.Run("alone", func(t *testing.T) {
		t.Parallel() // most of the time somebody waits for an answer
		servers := startParseServers(t, 1, nil)
		runSDK(t, servers[0].URL())
	})
	t.Run("node", func(t *testing.T) {
		t.Parallel()
		servers := startParseServers(t, 2, nil)
		g := startGateway(t, remoteApp(servers[0].Address, servers[1].Address))
		wantHits(t, runSDK(t, g.url()))
	})
	t.Run("bundled", func(t *testing.T) {
		t.Parallel()
		g := startGateway(t, bundledApp("", ""))
		wantHits(t, runSDK(t, g.url()))
		g.process.Stop(syscall.SIGTERM)
		g.noProcessWithin(20 * time.Second)
	})
	t.Run("bundled on PostgreSQL", func(t *testing.T) {
		t.Parallel()
		uri := testservices.StartPostgreSQL(t).URI
		g := startGateway(t, strings.Replace(bundledApp("", "cache {\n\t\t\tttl 5s\n\t\t}"), "sqlite://data/parse.db", uri, 1))
		wantHits(t, runSDK(t, g.url()))
		g.process.Stop(syscall.SIGTERM)
		g.noProcessWithin(20 * time.Second)
	})
}

// wantHits demands that the cache took part: the script asks most questions many times.
func wantHits(t *testing.T, last sdkLine) {
	t.Helper()
	if last.Hits*4 < last.Requests {
		t.Errorf("only %d of %d requests were answered from the cache", last.Hits, last.Requests)
	}
}

// startParseServers starts released Parse Servers on a PostgreSQL of their own.
func startParseServers(t *testing.T, count int, options map[string]any) []*testservices.ParseServer {
	t.Helper()
	all := map[string]any{
		"appId": appID, "masterKey": masterKey, "javascriptKey": jsKey, "restAPIKey": restKey,
	}
	for name, value := range options {
		all[name] = value
	}
	if all["databaseURI"] == nil {
		all["databaseURI"] = testservices.StartPostgreSQL(t).URI
	}
	return testservices.StartParseServers(t, testservices.ParseServers{Folder: ".", Count: count, Options: all})
}

// runSDK runs sdk.mjs against a server; each of its checks is a subtest. It returns the script's closing line.
func runSDK(t *testing.T, serverURL string) sdkLine {
	t.Helper()
	node, err := testservices.Node(".")
	if err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(map[string]string{
		"serverURL": serverURL, "applicationId": appID, "javascriptKey": jsKey, "masterKey": masterKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "sdk.mjs")
	cmd.Env = append(os.Environ(), "PARSESCALE_SDK="+string(config))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var last sdkLine
	count := 0
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line sdkLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Errorf("sdk.mjs said: %s", lines.Bytes())
			continue
		}
		if line.Done {
			last = line
			continue
		}
		count++
		t.Run(line.Check, func(t *testing.T) {
			if !line.OK {
				t.Errorf("after %d ms: %s", line.MS, line.Error)
			}
		})
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("sdk.mjs: %v\n%s", err, stderr.String())
	}
	if !last.Done || count != last.Checks || count == 0 {
		t.Fatalf("sdk.mjs ended after %d of %d checks\n%s", count, last.Checks, stderr.String())
	}
	t.Logf("%d checks, %d requests, %d of them answered from the cache", count, last.Requests, last.Hits)
	return last
}
