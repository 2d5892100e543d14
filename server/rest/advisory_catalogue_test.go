package rest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
)

// catalogued is one line of catalogue.json: an advisory, or under a name of our own a fix that has none.
type catalogued struct {
	ID  string `json:"id"`
	CVE string `json:"cve"`
	// After is the last release that still has it.
	After string `json:"after"`
	// Go are the files of this repository whose Go tests name it.
	Go []string `json:"go"`
	// Missing is the part of parse-server that it, or what isn't tested of it yet, is about, and that isn't here.
	Missing string `json:"missing"`
}

// parts are those of parse-server that aren't here. Each says whether it is still so: when it isn't any more, the advisories
// about it must get their tests.
var parts = map[string]func(t *testing.T, w *world) bool{
	"GraphQL":                noRoute("POST", "/graphql"),
	"LiveQuery":              refusedOption(`"liveQuery":{"classNames":["A"]}`),
	"auth adapter keycloak":  refusedOption(`"auth":{"keycloak":{"config":{"realm":"r"}}}`),
	"auth adapter gcenter":   refusedOption(`"auth":{"gcenter":{"bundleId":"b"}}`),
	"auth adapter instagram": refusedOption(`"auth":{"instagram":{"clientId":"i","clientSecret":"s","redirectUri":"https://x"}}`),
	"auth adapter spotify":   refusedOption(`"auth":{"spotify":{"clientId":"i","appIds":["a"]}}`),
}

func noRoute(method, path string) func(*testing.T, *world) bool {
	return func(_ *testing.T, w *world) bool {
		return w.do(method, path, "{}", master()).status == http.StatusNotFound
	}
}

// refusedOption: the options without it are accepted.
func refusedOption(option string) func(*testing.T, *world) bool {
	return func(t *testing.T, _ *world) bool {
		const rest = `{"appId":"APP","masterKey":"MASTER"`
		if _, _, err := config.FromJSON([]byte(rest + "}")); err != nil {
			t.Fatal(err)
		}
		o, _, err := config.FromJSON([]byte(rest + "," + option + "}"))
		if err != nil {
			return true
		}
		o.DatabaseURI = config.Secret("sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "refused.db")))
		s, err := server.New(t.Context(), o, server.Environment{})
		if err != nil {
			return true
		}
		return s.Close(t.Context()) != nil
	}
}

// TestEveryAdvisory: each line of the catalogue has a scenario, a Go test, or a part that is missing, and each scenario has
// its lines.
func TestEveryAdvisory(t *testing.T) {
	var all []catalogued
	readJSON(t, advisoryFolder+"/catalogue.json", &all)
	if len(all) < 113 {
		t.Errorf("the catalogue has %d lines", len(all))
	}
	played := map[string]bool{}
	for _, scenarios := range scenarioFiles(t) {
		for _, s := range scenarios {
			for _, id := range s.IDs {
				played[id] = true
			}
			if s.Wrong == "" {
				t.Errorf("%v: it doesn't say what went wrong", s.IDs)
			}
		}
	}
	known := map[string]bool{}
	for _, c := range all {
		if known[c.ID] {
			t.Errorf("%s is there twice", c.ID)
		}
		known[c.ID] = true
		if !played[c.ID] && len(c.Go) == 0 && c.Missing == "" {
			t.Errorf("%s: no scenario, no Go test, and nothing that is missing", c.ID)
		}
		if _, ok := parts[c.Missing]; !ok && c.Missing != "" {
			t.Errorf("%s: %q isn't among the missing parts", c.ID, c.Missing)
		}
		for _, file := range c.Go {
			text, err := os.ReadFile(filepath.Join("../..", file))
			if err != nil {
				t.Error(err)
			} else if !strings.Contains(string(text), c.ID) {
				t.Errorf("%s: %s doesn't name it", c.ID, file)
			}
		}
	}
	for id := range played {
		if !known[id] && !ownScenarios[id] {
			t.Errorf("the scenario %s isn't in the catalogue", id)
		}
	}
}

// ownScenarios are about what no advisory was about yet.
var ownScenarios = map[string]bool{
	"acl-of-others": true, "class-level-permissions": true, "explain-is-for-the-master-key": true, "numbers": true,
	"races": true, "user-enumeration": true, "file-metadata-keywords": true,
}

func TestMissingParts(t *testing.T) {
	var all []catalogued
	readJSON(t, advisoryFolder+"/catalogue.json", &all)
	w := start(t, server.Environment{}, nil)
	for part, missing := range parts {
		if missing(t, w) {
			continue
		}
		var ids []string
		for _, c := range all {
			if c.Missing == part {
				ids = append(ids, c.ID)
			}
		}
		t.Errorf("%s is there now: these advisories need their tests, and the catalogue says what it waits for: %s", part, strings.Join(ids, ", "))
	}
}
