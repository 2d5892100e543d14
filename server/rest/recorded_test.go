package rest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
)

// recordedRow is one request of testdata/recorded, with the answer that parse-server 9.10 on PostgreSQL gave to it after
// those before. In path, body and want {{x}} is a value that an answer held; in want <id>, <time>, <tok>, <base> and <app>
// stand for other values of their kind.
type recordedRow struct {
	// As is who asks: "", "master", "readonly", or the name under which an answer's session token was kept.
	As     string          `json:"as"`
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Body   string          `json:"body"`
	Status int             `json:"status"`
	Want   json.RawMessage `json:"want"`
	// Keep names members of the answer for later rows.
	Keep map[string]string `json:"keep"`
	// Differs is what this worker answers. Why is how the difference begins in COMPATIBILITY.md.
	Differs *struct {
		Status int             `json:"status"`
		Want   json.RawMessage `json:"want"`
		Why    string          `json:"why"`
	} `json:"differs"`
}

// TestRecorded replays each file of testdata/recorded against a worker with an empty database.
func TestRecorded(t *testing.T) {
	differences, err := os.ReadFile("../COMPATIBILITY.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/recorded/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var rows []recordedRow
			if err := json.Unmarshal(data, &rows); err != nil {
				t.Fatal(err)
			}
			w := start(t, server.Environment{}, func(o *config.Options) { o.ReadOnlyMasterKey = "RO" })
			kept := map[string]string{}
			for i, r := range rows {
				if r.Differs != nil {
					if !strings.Contains(string(differences), "\n| "+r.Differs.Why) {
						t.Errorf("row %d differs (%s), but COMPATIBILITY.md doesn't name it", i, r.Differs.Why)
					}
					r.Status, r.Want = r.Differs.Status, r.Differs.Want
				}
				r.play(t, w, kept, i)
			}
		})
	}
}

func (r recordedRow) play(t *testing.T, w *world, kept map[string]string, i int) {
	t.Helper()
	headers := app()
	switch r.As {
	case "":
	case "master":
		headers = master()
	case "readonly":
		headers["X-Parse-Master-Key"] = "RO"
	default:
		headers["X-Parse-Session-Token"] = kept[r.As]
	}
	path, body := r.Path, r.Body
	for name, v := range kept {
		path, body = strings.ReplaceAll(path, "{{"+name+"}}", v), strings.ReplaceAll(body, "{{"+name+"}}", v)
	}
	if before, query, ok := strings.Cut(path, "?"); ok {
		parts := strings.Split(query, "&")
		for i, part := range parts {
			k, v, _ := strings.Cut(part, "=")
			parts[i] = url.QueryEscape(k) + "=" + url.QueryEscape(v)
		}
		path = before + "?" + strings.Join(parts, "&")
	}
	if r.Method == http.MethodPost {
		time.Sleep(time.Millisecond) // rows are ordered by createdAt
	}
	res := w.do(r.Method, path, body, headers)
	for name, member := range r.Keep {
		var v map[string]any
		if err := json.Unmarshal([]byte(res.body), &v); err != nil {
			t.Fatal(err)
		}
		kept[name], _ = v[member].(string)
	}
	got := res.body
	for name, v := range kept {
		if v != "" {
			got = strings.ReplaceAll(got, v, "{{"+name+"}}")
		}
	}
	got = strings.ReplaceAll(got, strings.TrimSuffix(w.base, "/parse"), "<base>")
	got = strings.ReplaceAll(got, "/files/APP/", "/files/<app>/")
	for _, p := range stands {
		got = p.pattern.ReplaceAllString(got, p.text)
	}
	var have, want any
	if err := json.Unmarshal([]byte(got), &have); err != nil {
		t.Fatalf("row %d, %s %s: %v in %s", i, r.Method, r.Path, err, got)
	}
	if err := json.Unmarshal(r.Want, &want); err != nil {
		t.Fatal(err)
	}
	if res.status != r.Status || !reflect.DeepEqual(have, want) {
		t.Errorf("row %d, %s %s %s as %q:\n got %d %s\nwant %d %s", i, r.Method, r.Path, r.Body, r.As, res.status, got, r.Status, r.Want)
	}
}

// stands are the kinds of values that differ with each run, and what stands for them.
var stands = []struct {
	pattern *regexp.Regexp
	text    string
}{
	{regexp.MustCompile(`r:[0-9a-f]{32}`), "<tok>"},
	{regexp.MustCompile(`20[2-9]\d-\d\d-\d\dT[0-9:.]+Z`), "<time>"},
	{regexp.MustCompile(`"objectId":"[0-9A-Za-z]{10}"`), `"objectId":"<id>"`},
}
