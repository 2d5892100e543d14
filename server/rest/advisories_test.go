package rest_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/testservices"
)

// Past vulnerabilities of parse-server are scenarios in testdata/advisories: one file per kind, each scenario with the ids of
// its advisories and the requests that they are about. What can't be said by requests and answers alone is in Go tests
// (catalogue.json says where).

// scenarioFile is one file of testdata/advisories.
type scenarioFile struct {
	Scenarios []advisory `json:"scenarios"`
}

// advisory is one scenario.
type advisory struct {
	// IDs are those of GitHub's advisories, without "GHSA-", or names of catalogue.json for what has none.
	IDs []string `json:"ids"`
	// Wrong says in half a sentence what went wrong.
	Wrong string `json:"wrong"`
	// Options are laid over those of common.json.
	Options map[string]any `json:"options"`
	// Alone: the scenario changes what others stand on, and has a server of its own.
	Alone bool `json:"alone"`
	// NoSetup leaves out the setup of common.json.
	NoSetup bool `json:"nosetup"`
	// Refused is the name of an option that this worker may still refuse at the start; then that refusal is all that is tested.
	Refused string `json:"refused"`
	Steps   []step `json:"steps"`
}

// common is what all scenarios stand on: common.json.
type common struct {
	Options map[string]any `json:"options"`
	// Secrets stand in no answer to an attack. Those of alice may be told to alice and to the master key.
	Secrets []string `json:"secrets"`
	// Setup runs before the scenarios of a worker, Afterwards after them.
	Setup      []step `json:"setup"`
	Afterwards []step `json:"afterwards"`
}

func readJSON(t *testing.T, file string, v any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

const advisoryFolder = "testdata/advisories"

// scenarioFiles are the scenarios of all files, by the file's name without its ending.
func scenarioFiles(t *testing.T) map[string][]advisory {
	t.Helper()
	files, err := filepath.Glob(advisoryFolder + "/*.json")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]advisory{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if name == "catalogue" || name == "common" {
			continue
		}
		var f scenarioFile
		readJSON(t, file, &f)
		all[name] = f.Scenarios
	}
	return all
}

// TestAdvisories plays the scenarios, those of one file and with the same options against one worker.
func TestAdvisories(t *testing.T) {
	var c common
	readJSON(t, advisoryFolder+"/common.json", &c)
	for file, scenarios := range scenarioFiles(t) {
		groups := map[string][]advisory{}
		for i, s := range scenarios {
			options, err := json.Marshal(s.Options)
			if err != nil {
				t.Fatal(err)
			}
			if s.Alone || os.Getenv(otherServer) != "" { // an attack may end another server
				options = append(options, byte('0'+i/10), byte('0'+i%10))
			}
			groups[string(options)] = append(groups[string(options)], s)
		}
		for _, options := range slices.Sorted(maps.Keys(groups)) {
			t.Run(file, func(t *testing.T) { c.play(t, groups[options]) })
		}
	}
}

// play runs scenarios that have the same options.
func (c *common) play(t *testing.T, scenarios []advisory) {
	options := maps.Clone(c.Options)
	maps.Copy(options, scenarios[0].Options)
	p := &player{world: openAdvisories(t, options, scenarios[0].Refused), kept: map[string]string{"hook": openHook(t)}, answers: map[string]response{}, secrets: c.Secrets}
	if p.world == nil {
		return
	}
	afterwards := c.Afterwards
	if scenarios[0].NoSetup {
		afterwards = nil
	} else {
		for _, s := range c.Setup {
			p.play(t, s)
		}
	}
	for _, s := range scenarios {
		t.Run(strings.Join(s.IDs, " "), func(t *testing.T) {
			controls := 0
			for _, step := range s.Steps {
				if step.kind() == control {
					controls++
				}
				if !p.play(t, step) {
					return
				}
			}
			if controls == 0 && !t.Failed() {
				t.Error("no step shows that the request works without the attack")
			}
		})
	}
	t.Run("nothing came of it", func(t *testing.T) {
		for _, s := range afterwards {
			p.play(t, s)
		}
	})
}

// openHook is the server to which scenarios send webhooks: {{hook}}/throw refuses, {{hook}}/spill adds a protected field to the
// objects that were found, and {{hook}}/code adds what parse-server's keywords forbid to the object that is saved.
func openHook(t *testing.T) string {
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var got struct {
			Object  map[string]any
			Objects []map[string]any
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		answer := map[string]any{"error": "not for you"}
		switch r.URL.Path {
		case "/spill":
			for _, o := range got.Objects {
				o["pin"] = "pin-4711"
			}
			answer = map[string]any{"success": got.Objects}
		case "/code":
			got.Object["data"] = map[string]any{"_bsontype": "Code", "code": "1"}
			answer = map[string]any{"success": got.Object}
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(hook.Close)
	return hook.URL
}

// otherServer is an environment variable with a folder that holds node_modules with some release of parse-server, and
// node/parse-server.mjs as caddymodule/e2e has it. Then the scenarios run against that one, which shows which of them can fail.
const otherServer = "PARSESCALE_TEST_ADVISORIES"

// openAdvisories starts a server with options. It returns nil if the worker refuses the one that it may.
func openAdvisories(t *testing.T, options map[string]any, refused string) *world {
	t.Helper()
	if folder := os.Getenv(otherServer); folder != "" {
		options = maps.Clone(options)
		_, options["databaseURI"] = testservices.SharedDatabase(t)
		node := testservices.StartParseServers(t, testservices.ParseServers{Folder: folder, Count: 1, Options: options})[0]
		return clientOf(t, node.URL())
	}
	data, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	read, _, err := config.FromJSON(data)
	if err != nil {
		if refused == "" || !strings.Contains(err.Error(), "option "+refused+" is not supported yet") {
			t.Fatal(err)
		}
		return nil
	}
	return start(t, server.Environment{}, func(o *config.Options) {
		read.DatabaseURI, read.FilesFolder, read.ServerURL = o.DatabaseURI, o.FilesFolder, o.ServerURL
		*o = *read
	})
}
