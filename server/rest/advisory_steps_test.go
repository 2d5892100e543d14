package rest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// step is one request of an advisory's scenario. {{x}} in it is a value that an answer held, or one of Each.
type step struct {
	// Do is a request that must work unless Status or Code says otherwise: it prepares, shows that the same request without
	// the attack works, or looks at what is left of it.
	Do string `json:"do"`
	// Attack is a request that must fail, or find nothing. It is also sent the way of the SDKs (a POST with everything in its
	// body) and inside of a batch, unless Plain is set.
	Attack string `json:"attack"`
	Plain  bool   `json:"plain"`
	// Note says what is special about it.
	Note string `json:"note"`
	// As is who asks: "", "master", "readonly", "maintenance", "none" (without an app id), or a user.
	As    string         `json:"as"`
	Query map[string]any `json:"query"`
	// Body is a body of JSON, Text any other; <n|text> in it stands for text n times.
	Body    json.RawMessage   `json:"body"`
	Text    string            `json:"text"`
	Headers map[string]string `json:"headers"`
	// Each has lists of values; the step is done once for each combination of them.
	Each map[string][]any `json:"each"`
	// AtOnce sends it so many times at the same time, of which Succeed work.
	AtOnce  int  `json:"atOnce"`
	Succeed *int `json:"succeed"`

	// Status is 0 for one that follows from Code, -1 for any.
	Status int             `json:"status"`
	Code   int             `json:"code"`
	Finds  *int            `json:"finds"`
	Want   json.RawMessage `json:"want"` // a part of the body, as Scenario.Subset
	Exact  string          `json:"exact"`
	Has    []string        `json:"has"`
	Lacks  []string        `json:"lacks"`
	// Fields are header fields of the answer; "" must be absent.
	Fields map[string]string `json:"fields"`
	// Missing is the code with which the worker says that it can't do this yet. Then the scenario ends here.
	Missing int `json:"missing"`
	// Keep names members of the answer for later steps.
	Keep map[string]string `json:"keep"`
	// Answer keeps the answer under a name; Like says that this answer is the same as an earlier one.
	Answer string `json:"answer"`
	Like   string `json:"like"`

	raw []byte
}

type stepKind int

const (
	control stepKind = iota
	attack
)

func (s *step) kind() stepKind {
	if s.Attack != "" {
		return attack
	}
	return control
}

// UnmarshalJSON implements json.Unmarshaler: it keeps the text, in which values are put later.
func (s *step) UnmarshalJSON(data []byte) error {
	type plain step
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	s.raw = slices.Clone(data)
	if err := dec.Decode((*plain)(s)); err != nil {
		return fmt.Errorf("%w in %s", err, data)
	}
	s.raw = slices.Clone(data)
	return nil
}

// player plays steps against one server.
type player struct {
	*world
	kept    map[string]string
	answers map[string]response
	secrets []string
}

// play does a step, once for each combination of its values. It returns false when the scenario ends with it.
func (p *player) play(t *testing.T, s step) bool {
	t.Helper()
	w := *p.world
	w.t, p.world = t, &w
	for _, values := range combinations(s.Each) {
		text := string(s.raw)
		for name, v := range values {
			text = put(t, text, name, v)
		}
		for name, v := range p.kept {
			text = put(t, text, name, v)
		}
		if left := unfilled.FindString(strings.ReplaceAll(text, `"each":`, "")); left != "" {
			t.Fatalf("%s has no value in %s", left, text)
		}
		var one step
		if err := json.Unmarshal([]byte(text), &one); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if !p.once(t, &one) {
			return false
		}
	}
	return true
}

var unfilled = regexp.MustCompile(`\{\{[a-zA-Z]\w*\}\}`)

// put puts a value in the place of {{name}}; one that isn't text takes the place of the quotes too.
func put(t *testing.T, text, name string, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	encoded := strings.TrimSuffix(b.String(), "\n")
	if _, ok := v.(string); !ok {
		return strings.ReplaceAll(text, `"{{`+name+`}}"`, encoded)
	}
	return strings.ReplaceAll(text, "{{"+name+"}}", encoded[1:len(encoded)-1])
}

func combinations(each map[string][]any) []map[string]any {
	all := []map[string]any{{}}
	for _, name := range slices.Sorted(maps.Keys(each)) {
		values := each[name]
		var more []map[string]any
		for _, m := range all {
			for _, v := range values {
				n := maps.Clone(m)
				n[name] = v
				more = append(more, n)
			}
		}
		all = more
	}
	return all
}

// once does a step whose values are all there.
func (p *player) once(t *testing.T, s *step) bool {
	t.Helper()
	if s.AtOnce > 0 {
		p.atOnce(t, s)
		return true
	}
	type way struct {
		name string
		send func(*step) response
	}
	ways := []way{{"plain", p.plain}}
	method, path, _ := strings.Cut(s.Do+s.Attack, " ")
	if s.kind() == attack && !s.Plain && s.Text == "" && !strings.HasPrefix(path, "/files") && !strings.HasPrefix(path, "/apps") && path != "/batch" {
		ways = append(ways, way{"like the SDKs", p.likeSDKs}, way{"in a batch", p.inBatch})
	}
	for _, w := range ways {
		began := time.Now()
		res := w.send(s)
		request := fmt.Sprintf("%s %s %s %s as %q, %s", method, path, short(text(s.Query)), short(string(s.Body)), s.As, w.name)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: took %v", request, took)
		}
		if s.Missing != 0 && strings.Contains(res.body, fmt.Sprintf(`"code":%d,`, s.Missing)) {
			t.Logf("%s: not there yet: %s", request, res.body)
			return false
		}
		p.check(t, s, request, res, w.name == "in a batch")
		if w.name != "plain" {
			continue
		}
		for kept, at := range s.Keep {
			p.kept[kept] = reach(t, res.body, at)
		}
		if s.Answer != "" {
			p.answers[s.Answer] = res
		}
		if s.Like != "" && (res.status != p.answers[s.Like].status || res.body != p.answers[s.Like].body) {
			t.Errorf("%s: %d %s, want the same as %s: %d %s", request, res.status, res.body, s.Like, p.answers[s.Like].status, p.answers[s.Like].body)
		}
	}
	return true
}

func (p *player) atOnce(t *testing.T, s *step) {
	t.Helper()
	answers := make(chan response, s.AtOnce)
	var group sync.WaitGroup
	for range s.AtOnce {
		group.Go(func() { answers <- p.plain(s) })
	}
	group.Wait()
	close(answers)
	won, seen := 0, ""
	for res := range answers {
		if res.status < 300 {
			won++
		}
		if res.status >= 500 {
			t.Errorf("%s: %d %s", s.Do+s.Attack, res.status, res.body)
		}
		seen += fmt.Sprintf("\n%d %s", res.status, short(res.body))
	}
	if s.Succeed == nil || won != *s.Succeed {
		t.Errorf("%s %s: %d of %d worked:%s", s.Do+s.Attack, s.Body, won, s.AtOnce, seen)
	}
}

// check looks at an answer. Inside of a batch there are no statuses and header fields.
func (p *player) check(t *testing.T, s *step, request string, res response, batch bool) {
	t.Helper()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s: %d %s: %s", request, res.status, short(res.body), fmt.Sprintf(format, args...))
	}
	if s.kind() == attack && s.Status == 0 && s.Code == 0 && s.Finds == nil && s.Exact == "" && s.Like == "" && s.Lacks == nil {
		t.Errorf("%s: the step says nothing of what is to come of the attack", request)
	}
	var failed struct{ Code int }
	_ = json.Unmarshal([]byte(res.body), &failed) // other bodies have no code
	switch {
	case res.status >= 500 && s.Status < 500: // -1 too
		fail("no answer")
	case s.Status > 0 && !batch && res.status != s.Status:
		fail("want status %d", s.Status)
	case s.Code != 0 && (failed.Code != s.Code || res.status < 400):
		fail("want code %d", s.Code)
	case s.Code == 0 && s.Status == 0 && res.status >= 300:
		fail("it must work")
	}
	if s.Finds != nil {
		var found struct{ Results []any }
		if err := json.Unmarshal([]byte(res.body), &found); err != nil || len(found.Results) != *s.Finds {
			fail("want %d results", *s.Finds)
		}
	}
	if s.Want != nil {
		(&Scenario{Status: res.status, Subset: string(s.Want)}).check(t, res)
	}
	if s.Exact != "" && res.body != s.Exact {
		fail("want %s", s.Exact)
	}
	for _, text := range s.Has {
		if !strings.Contains(res.body, text) {
			fail("lacks %q", text)
		}
	}
	secrets := s.Lacks
	if s.kind() == attack && s.As != "alice" && s.As != "master" {
		secrets = append(slices.Clone(secrets), p.secrets...)
		if token := p.kept["alice"]; token != "" {
			secrets = append(secrets, token)
		}
	}
	for _, text := range secrets {
		if strings.Contains(res.body, text) {
			fail("it tells %q", text)
		}
	}
	for name, want := range s.Fields {
		if got := res.header.Get(name); got != want && !batch {
			fail("header field %s is %q, want %q", name, got, want)
		}
	}
}

// reach is the text at a path of members and indexes ("a.0.b") of a JSON body.
func reach(t *testing.T, body, path string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	for part := range strings.SplitSeq(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[part]
		case []any:
			i := 0
			if _, err := fmt.Sscan(part, &i); err != nil || i >= len(in) {
				t.Fatalf("no %s in %s", path, body)
			}
			v = in[i]
		}
	}
	if v == nil {
		t.Fatalf("no %s in %s", path, body)
	}
	return fmt.Sprint(v)
}

func short(s string) string { return s[:min(len(s), 300)] }

// where is the path of a find.
func where(class, text string) string { return "/classes/" + class + "?where=" + url.QueryEscape(text) }

// as are the header fields of a logged-in user; "" is nobody.
func as(token string) map[string]string {
	if token == "" {
		return app()
	}
	return app("X-Parse-Session-Token", token)
}
