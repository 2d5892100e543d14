package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

// exchange is one request of testdata/differential, which is sent to Parse Server and to the worker; both must answer
// the same. A file is one area: its requests run in order. In every text {{id:name}} stands for what an earlier request
// of the file kept under that name, on the server that is asked; {{id:hook}} is the address of a webhook, see hookServer.
type exchange struct {
	Name string `json:"name"`
	// As is who asks: "" with the app id and the REST key, "none" without any header, "app" with the app id alone,
	// "master", "readonly" or "maintenance" with that key too, else the kept session token of that name.
	As string `json:"as"`
	// Do is the method and the path below the mount. Query members that aren't text are sent as JSON.
	Do     string                     `json:"do"`
	Query  map[string]json.RawMessage `json:"query"`
	Header map[string]string          `json:"header"` // "" takes a field away
	// Body is sent as it is written; Text is for a body that is no JSON.
	Body json.RawMessage `json:"body"`
	Text string          `json:"text"`
	// Keep names values of the answer: name to member, with dots into objects and numbers into lists.
	Keep map[string]string `json:"keep"`
	// Ignore names members, at any depth, whose values are no matter of compatibility.
	Ignore []string `json:"ignore"`
	// Differs is what the worker answers instead, if that is intended.
	Differs *difference `json:"differs"`
}

// difference is an intended one. Line is a part of the line of COMPATIBILITY.md that tells it.
type difference struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
	// On is the database on which it differs; "": on both.
	On   string `json:"on"`
	Line string `json:"line"`
}

const (
	readOnlyKey    = "the read-only master key of the end-to-end tests"
	maintenanceKey = "the maintenance key of the end-to-end tests"
)

// TestDifferential sends the same requests to Parse Server on PostgreSQL and to workers that run alone, one on SQLite and
// one on PostgreSQL, each on a database of its own.
func TestDifferential(t *testing.T) {
	testservices.Need(t, "Node with the npm package parse-server, and postgresql with postgis")
	options := map[string]any{
		"readOnlyMasterKey": readOnlyKey, "maintenanceKey": maintenanceKey,
		"fileUpload": map[string]any{"enableForPublic": true},
	}
	postgres := testservices.StartPostgreSQL(t)
	options["databaseURI"] = postgres.Database(t, "reference")
	reference := newClient(t, startParseServers(t, 1, options)[0].URL())
	reference.http.Transport.(*http.Transport).DisableKeepAlives = true // Node closes the connection on bad JSON without saying so
	workers := map[string]*client{}
	for name, uri := range map[string]string{"sqlite": "sqlite://data/parse.db", "postgres": postgres.Database(t, "worker")} {
		options["databaseURI"] = uri
		workers[name] = startWorker(t, options)
	}
	hooks := startHooks(t)
	files, err := filepath.Glob("testdata/differential/*.json")
	if err != nil {
		t.Fatal(err)
	}
	compatibility, err := os.ReadFile("../../server/COMPATIBILITY.md")
	if err != nil {
		t.Fatal(err)
	}
	sent, intended := 0, 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var exchanges []exchange
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&exchanges); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			p := servers{newSide(reference), map[string]*side{}, string(compatibility), hooks}
			p.reference.kept["hook"] = hooks.of("reference")
			for name, c := range workers {
				p.workers[name] = newSide(c)
				p.workers[name].kept["hook"] = hooks.of(name)
			}
			for _, e := range exchanges {
				sent++
				if e.Differs != nil {
					intended++
				}
				p.compare(t, e)
			}
		})
	}
	t.Logf("%d requests, %d of them answered differently on purpose", sent, intended)
	if sent < 600 {
		t.Errorf("only %d requests were sent", sent)
	}
	t.Run("rows", func(t *testing.T) { sameRows(t, postgres) })
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run("random writes on "+name, func(t *testing.T) { randomWrites(t, reference, workers[name], name) })
		t.Run("random wheres on "+name, func(t *testing.T) { randomWheres(t, reference, workers[name], name) })
	}
}

// startWorker runs one worker alone, with the keys of the Parse Server beside it.
func startWorker(t *testing.T, options map[string]any) *client {
	t.Helper()
	all := map[string]any{
		"appId": appID, "masterKey": masterKey, "javascriptKey": jsKey, "restAPIKey": restKey, "allowClientClassCreation": true,
		"databaseURI": "sqlite://data/parse.db", "host": "127.0.0.1", "port": testservices.FreePort(t), "serverURL": "http://127.0.0.1/parse",
	}
	maps.Copy(all, options)
	_, c := startStandalone(t, t.TempDir(), all)
	return c
}

// side is one of the two servers, with what was kept of its answers.
type side struct {
	client *client
	kept   map[string]string
}

func newSide(c *client) *side { return &side{c, map[string]string{}} }

var placeholder = regexp.MustCompile(`\{\{id:[^}]*\}\}`)

// fill puts kept values in the place of their names.
func (s *side) fill(t *testing.T, text string) string {
	t.Helper()
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		v, ok := s.kept[p[len("{{id:"):len(p)-len("}}")]]
		if !ok {
			t.Errorf("nothing was kept as %s", p)
		}
		return v
	})
}

func (s *side) send(t *testing.T, e exchange) answer {
	t.Helper()
	c := s.client
	switch e.As {
	case "":
	case "none":
		c = c.with("X-Parse-Application-Id", "", "X-Parse-REST-API-Key", "")
	case "app":
		c = c.with("X-Parse-REST-API-Key", "")
	case "master":
		c = c.with("X-Parse-Master-Key", masterKey)
	case "readonly":
		c = c.with("X-Parse-Master-Key", readOnlyKey)
	case "maintenance":
		c = c.with("X-Parse-Maintenance-Key", maintenanceKey)
	default:
		c = c.with("X-Parse-Session-Token", s.fill(t, "{{id:"+e.As+"}}"))
	}
	for name, value := range e.Header {
		c = c.with(name, s.fill(t, value))
	}
	method, path, ok := strings.Cut(e.Do, " ")
	if !ok {
		t.Fatalf("%s: %q is no method and path", e.Name, e.Do)
	}
	if len(e.Query) > 0 {
		q := url.Values{}
		for name, raw := range e.Query {
			text := string(raw)
			if raw[0] == '"' {
				if err := json.Unmarshal(raw, &text); err != nil {
					t.Fatal(err)
				}
			}
			q.Set(name, s.fill(t, text))
		}
		path += "?" + q.Encode()
	}
	body := e.Text
	if body == "" {
		body = string(e.Body)
	}
	a, err := c.do(method, s.fill(t, path), s.fill(t, body))
	if err != nil {
		t.Fatalf("%s: %v", e.Name, err)
	}
	return a
}

// keep remembers values of an answer.
func (s *side) keep(t *testing.T, e exchange, a answer) {
	t.Helper()
	if len(e.Keep) == 0 {
		return
	}
	var body any
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatalf("%s: status %d: %v in %s", e.Name, a.status, err, a.body)
	}
	for name, path := range e.Keep {
		v := body
		for _, part := range strings.Split(path, ".") {
			switch in := v.(type) {
			case map[string]any:
				v = in[part]
			case []any:
				var i int
				if _, err := fmt.Sscan(part, &i); err != nil || i >= len(in) {
					t.Fatalf("%s: no %s in %s", e.Name, path, a.body)
				}
				v = in[i]
			}
		}
		text, ok := v.(string)
		if !ok || text == "" {
			t.Fatalf("%s: status %d: no %s in %s", e.Name, a.status, path, a.body)
		}
		s.kept[name] = text
	}
}

// servers are Parse Server and the workers that must answer as it does.
type servers struct {
	reference     *side
	workers       map[string]*side // by database
	compatibility string
	hooks         *hookServer
}

func (p *servers) compare(t *testing.T, e exchange) {
	t.Helper()
	want := p.reference.send(t, e)
	wantBody := p.reference.normal(e, want)
	answers := map[string]answer{}
	for name, w := range p.workers {
		answers[name] = w.send(t, e)
		p.compareOne(t, e, name, want, wantBody, answers[name], w.normal(e, answers[name]))
	}
	p.comparePosts(t, e)
	p.reference.keep(t, e, want)
	for name, w := range p.workers {
		w.keep(t, e, answers[name])
	}
}

func (p *servers) compareOne(t *testing.T, e exchange, name string, want answer, wantBody string, got answer, gotBody string) {
	t.Helper()
	same := want.status == got.status && wantBody == gotBody && sameHeader(want, got)
	if d := e.Differs; d != nil && (d.On == "" || d.On == name) {
		switch {
		case same:
			t.Errorf("%s: no longer differs on %s: take \"differs\" away\n  %s", e.Name, name, both(want, got))
		case got.status != d.Status, d.Body != nil && gotBody != normalJSON(e, string(d.Body)):
			t.Errorf("%s: differs on %s otherwise than intended: status %d, body %s\n  %s", e.Name, name, d.Status, d.Body, both(want, got))
		case d.Line == "" || !strings.Contains(p.compatibility, d.Line):
			t.Errorf("%s: COMPATIBILITY.md has no line with %q", e.Name, d.Line)
		}
		return
	}
	if !same {
		t.Errorf("%s on %s: %s as %q %s%s\n  %s", e.Name, name, e.Do, e.As, e.Body, e.Text, both(want, got))
	}
}

func both(want, got answer) string {
	tell := func(a answer) string {
		return fmt.Sprintf("%d %s %q", a.status, a.body, []string{a.header.Get("Content-Type"), a.header.Get("Location")})
	}
	return "parse-server: " + tell(want) + "\n  worker:       " + tell(got)
}

// sameHeader compares what a client reads of the header. An answer of Parse Server without a type may have any.
func sameHeader(want, got answer) bool {
	wantType, _, _ := mime.ParseMediaType(want.header.Get("Content-Type"))
	gotType, _, _ := mime.ParseMediaType(got.header.Get("Content-Type"))
	return (wantType == "" || wantType == gotType) && (want.header.Get("Location") == "") == (got.header.Get("Location") == "")
}

var (
	tokens     = regexp.MustCompile(`r:[0-9a-f]{32}`)
	fileNames  = regexp.MustCompile(`[0-9a-f]{32}_`)
	addresses  = regexp.MustCompile(`http://(?:127\.0\.0\.1|localhost)(?::[0-9]+)?/`)
	timestamps = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,12}Z`)
	objectIDs  = regexp.MustCompile(`^[0-9A-Za-z]{10}$`)
)

// normal is an answer's body with everything that is different each time replaced.
func (s *side) normal(e exchange, a answer) string {
	body := a.body
	names := slices.Sorted(maps.Keys(s.kept))
	for _, name := range names {
		body = strings.ReplaceAll(body, s.kept[name], "{{id:"+name+"}}")
	}
	return normalJSON(e, body)
}

func normalJSON(e exchange, body string) string {
	body = tokens.ReplaceAllString(body, "<token>")
	body = fileNames.ReplaceAllString(body, "<random>_")
	body = addresses.ReplaceAllString(body, "<base>/")
	body = timestamps.ReplaceAllStringFunc(body, func(s string) string {
		// What the test itself sends is in other years.
		if at, err := time.Parse(time.RFC3339, s); err == nil && (time.Since(at).Abs() < time.Hour || time.Until(at.AddDate(-1, 0, 0)).Abs() < 48*time.Hour) {
			return "<time>"
		}
		return s
	})
	var v any
	if json.Unmarshal([]byte(body), &v) != nil {
		return strings.Join(strings.Fields(body), " ")
	}
	v = normalValue(v, e.Ignore)
	if m, ok := v.(map[string]any); ok && e.Query["order"] == nil && !strings.Contains(e.Do, "order=") && !bytes.Contains(e.Body, []byte(`"order"`)) {
		if results, ok := m["results"].([]any); ok { // in no certain order
			slices.SortFunc(results, func(a, b any) int { return strings.Compare(encode(a), encode(b)) })
		}
	}
	return encode(v)
}

func encode(v any) string {
	b, err := json.Marshal(v) // what was decoded from JSON can be encoded
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func normalValue(v any, ignore []string) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = normalValue(v[i], ignore)
		}
	case map[string]any:
		for name, member := range v {
			text, isText := member.(string)
			switch {
			case slices.Contains(ignore, name):
				v[name] = "<ignored>"
			case isText && name == "objectId" && objectIDs.MatchString(text):
				v[name] = "<id>"
			default:
				v[name] = normalValue(member, ignore)
			}
		}
	}
	return v
}
