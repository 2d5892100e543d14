package rest_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/mail"
)

// recorded is one request that was sent to parse-server 9.10 on PostgreSQL, and its answer. In want, <idN> and the like
// stand for object ids, <ts> for a time, <tok> for a session token, <hex32> for 32 hexadecimal digits and <base> for the
// address; a text that was cut ends in the middle.
type recorded struct {
	ID string `json:"id"`
	// As is who asks: "" with the app id alone, "none" without it, "master", or the name of a user.
	As string `json:"as"`
	// Token names the user whose session token the answer holds.
	Token    string            `json:"token"`
	Method   string            `json:"method"`
	Path     string            `json:"path"`
	Header   map[string]string `json:"header"`
	Body     string            `json:"body"`
	Where    string            `json:"where"` // a find on Q; want lists the values of its field i
	Status   int               `json:"status"`
	Want     string            `json:"want"`
	Location string            `json:"location"`
	// Members: the order of the members differs.
	Members bool `json:"members"`
	// Skip says what the worker lacks to answer this at all.
	Skip string `json:"skip"`
	// Differs is what this worker answers instead, and why; COMPATIBILITY.md lists it.
	Differs *struct {
		Status int    `json:"status"`
		Want   string `json:"want"`
		Why    string `json:"why"`
	} `json:"differs"`
}

func TestTranscript(t *testing.T) {
	data, err := os.ReadFile("testdata/transcript.json")
	if err != nil {
		t.Fatal(err)
	}
	differences, err := os.ReadFile("../COMPATIBILITY.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []recorded
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	box := inbox{make(chan mail.Message, 100)}
	w := start(t, server.Environment{MailAdapter: box, Cloud: recordedCode}, func(o *config.Options) {
		o.ReadOnlyMasterKey, o.MaintenanceKey = "RO", "MAINT"
		o.AppName, o.PublicServerURL, o.MailAdapterInCode = "probe", o.ServerURL, true
	})
	p := &replay{world: w, box: box, names: map[string]string{}, tokens: map[string]string{"bad": "r:00000000000000000000000000000000"}}
	skipped := map[string]int{}
	played := 0
	for _, r := range rows {
		if r.Skip != "" {
			skipped[r.Skip]++
			continue
		}
		played++
		if r.Differs != nil && !strings.Contains(string(differences), r.ID) {
			t.Errorf("%s differs (%s), but COMPATIBILITY.md doesn't name it", r.ID, r.Differs.Why)
		}
		t.Run(r.ID, func(t *testing.T) { p.play(t, r) })
	}
	reasons := make([]string, 0, len(skipped))
	for why, n := range skipped {
		reasons = append(reasons, fmt.Sprintf("%d for lack of %s", n, why))
	}
	sort.Strings(reasons)
	t.Logf("played %d of %d; left out: %s", played, len(rows), strings.Join(reasons, "; "))
	if played < 200 {
		t.Errorf("only %d rows were played", played)
	}
}

// replay plays rows in order and remembers the names they give to ids and tokens.
type replay struct {
	*world
	names, tokens map[string]string
	box           inbox
}

func (p *replay) play(t *testing.T, r recorded) {
	w := *p.world
	w.t = t
	headers := app()
	switch r.As {
	case "":
	case "none":
		headers = map[string]string{}
	case "master":
		headers = master()
	default:
		token, ok := p.tokens[r.As]
		if !ok {
			t.Fatalf("nobody knows the token of %s", r.As)
		}
		headers["X-Parse-Session-Token"] = token
	}
	for k, v := range r.Header {
		headers[k] = v
	}
	if strings.HasPrefix(r.Path, "/apps/") {
		p.playPage(t, r, headers)
		return
	}
	path := p.substitute(r.Path)
	if r.Where != "" {
		path += "?order=i&where=" + url.QueryEscape(p.substitute(r.Where))
	} else if before, query, ok := strings.Cut(path, "?"); ok {
		path = before + "?" + escapeQuery(query)
	}
	res := w.do(r.Method, path, p.substitute(r.Body), headers)

	status, want := r.Status, r.Want
	if r.Differs != nil {
		status, want = r.Differs.Status, r.Differs.Want
	}
	if res.status != status {
		t.Fatalf("%s %s %s: status %d, want %d; body %s", r.Method, path, r.Body, res.status, status, res.body)
	}
	if r.Token != "" {
		p.tokens[r.Token] = member(t, res.body, "sessionToken")
	}
	if r.Where != "" && status == 200 {
		res.body = indexes(t, res.body)
	} else if r.Where != "" {
		want = strings.NewReplacer(`": `, `":`, `, "`, `,"`).Replace(want)
	}
	switch {
	case r.Differs != nil && want == "":
		// any body
	case r.Members:
		var got, expected any
		if err := json.Unmarshal([]byte(timestamp.ReplaceAllString(res.body, "<ts>")), &got); err != nil {
			t.Fatal(err)
		}
		want = strings.ReplaceAll(p.substitute(want), "<base>", strings.TrimSuffix(p.base, "/parse"))
		if err := json.Unmarshal([]byte(timestamp.ReplaceAllString(want, "<ts>")), &expected); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, expected) {
			t.Errorf("%s %s:\n got %s\nwant %s", r.Method, path, res.body, want)
		}
	default:
		p.match(t, r.Method+" "+path, want, strings.ReplaceAll(res.body, "\n", " "), res.status == 201)
	}
	if r.Location != "" {
		p.match(t, "Location", r.Location, res.header.Get("Location"), false)
	}
}

var (
	placeholder = regexp.MustCompile(`<(?:id|acl|clp|sess|u|p|k)[0-9]+>|<(?:base|ts|tok|hex32)>|<25 random alnum>`)
	timestamp   = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)
)

// substitute puts known ids in the place of their names.
func (p *replay) substitute(s string) string {
	return placeholder.ReplaceAllStringFunc(s, func(name string) string {
		if v, ok := p.names[name]; ok {
			return v
		}
		if name == "<hex32>" {
			return p.names["<file>"]
		}
		return name
	})
}

// match compares a text with a pattern. Names that have no value yet get one; a creation gives them a new one.
func (p *replay) match(t *testing.T, what, pattern, got string, creation bool) {
	t.Helper()
	if creation {
		for _, n := range placeholder.FindAllString(pattern, -1) {
			if strings.HasPrefix(n, "<id") && strings.Contains(pattern, `"objectId":"`+n) {
				delete(p.names, n)
			}
		}
	}
	cut := len(pattern) > 250 && !strings.HasSuffix(pattern, "}") && !strings.HasSuffix(pattern, "]") || strings.HasSuffix(pattern, "…")
	if cut {
		pattern = strings.TrimRight(pattern, "…")
		if i := strings.LastIndexAny(pattern, ",{"); i > 0 {
			pattern = pattern[:i] // the last value may be half a placeholder
		}
	}
	var re strings.Builder
	re.WriteString("(?s)^")
	var groups []string
	last := 0
	seen := map[string]bool{}
	for _, m := range placeholder.FindAllStringIndex(pattern, -1) {
		re.WriteString(regexp.QuoteMeta(pattern[last:m[0]]))
		last = m[1]
		name := pattern[m[0]:m[1]]
		switch v, known := p.names[name]; {
		case name == "<base>":
			re.WriteString(regexp.QuoteMeta(strings.TrimSuffix(p.base, "/parse")))
		case name == "<ts>":
			re.WriteString(timestamp.String())
		case name == "<tok>":
			re.WriteString(`r:[0-9a-f]{32}`)
		case name == "<hex32>" && !seen[name]:
			re.WriteString(`([0-9a-f]{32})`)
			groups = append(groups, "<file>")
			seen[name] = true
		case name == "<hex32>":
			re.WriteString(`[0-9a-f]{32}`)
		case name == "<25 random alnum>":
			re.WriteString(`[0-9A-Za-z]{25}`)
		case known:
			re.WriteString(regexp.QuoteMeta(v))
		case seen[name]:
			re.WriteString(`[0-9A-Za-z]{10}`)
		default:
			re.WriteString(`([0-9A-Za-z]{10})`)
			groups = append(groups, name)
			seen[name] = true
		}
	}
	re.WriteString(regexp.QuoteMeta(pattern[last:]))
	if !cut {
		re.WriteString("$")
	}
	m := regexp.MustCompile(re.String()).FindStringSubmatch(got)
	if m == nil {
		t.Errorf("%s:\n got %s\nwant %s", what, got, p.substitute(pattern))
		return
	}
	for i, name := range groups {
		p.names[name] = m[i+1]
	}
}

// indexes lists the values of i, as the transcript does for finds on Q.
func indexes(t *testing.T, body string) string {
	t.Helper()
	var res struct {
		Results []struct {
			I int `json:"i"`
		} `json:"results"`
	}
	if err := json.Unmarshal([]byte(body), &res); err != nil {
		t.Fatal(err)
	}
	list := make([]string, len(res.Results))
	for i, r := range res.Results {
		list[i] = fmt.Sprint(r.I)
	}
	return "i=[" + strings.Join(list, ", ") + "]"
}

// escapeQuery escapes what a URL may not hold but leaves its structure.
func escapeQuery(q string) string {
	parts := strings.Split(q, "&")
	for i, part := range parts {
		k, v, _ := strings.Cut(part, "=")
		parts[i] = url.QueryEscape(k) + "=" + url.QueryEscape(v)
	}
	return strings.Join(parts, "&")
}
