package apptest

import (
	"regexp"
	"strings"
	"testing"
)

// Step is one request of a scenario and its answer. In all of its texts <name> stands for what was captured under that
// name before. In Want, <ts> is any time, <any> anything, and a name that isn't known yet captures: a session token if
// it starts with "tok", else an object id of 10 characters.
type Step struct {
	// Who asks, as Caller takes it. "" is public.
	Who string
	// Do is the request: a method and a target.
	Do   string
	Body string
	// Status is what the answer must have; 0 means 200, or 201 for a POST to a class.
	Status int
	// Want is the body of the answer.
	Want string
}

var placeholder = regexp.MustCompile(`<[a-zA-Z0-9]+>`)

// Play does the steps one after the other.
func (a *App) Play(t *testing.T, steps []Step) {
	t.Helper()
	for i, s := range steps {
		got := a.Do(a.Fill(s.Who), a.Fill(s.Do), a.Fill(s.Body))
		want := s.Status
		if want == 0 {
			want = 200
			if strings.HasPrefix(s.Do, "POST /classes") || strings.HasPrefix(s.Do, "POST /users") ||
				strings.HasPrefix(s.Do, "POST /roles") || strings.HasPrefix(s.Do, "POST /sessions") {
				want = 201
			}
		}
		if got.Status != want || !a.match(s.Want, got.Body) {
			t.Fatalf("step %d: %s %s\n%s\n got %d %s\nwant %d %s", i, s.Who, s.Do, s.Body, got.Status, got.Body, want, a.Fill(s.Want))
		}
	}
}

// Fill replaces the names that are known.
func (a *App) Fill(s string) string {
	return placeholder.ReplaceAllStringFunc(s, func(p string) string {
		if v, ok := a.names[p]; ok {
			return v
		}
		return p
	})
}

// Name remembers a value under a name, without its brackets.
func (a *App) Name(name, value string) { a.names["<"+name+">"] = value }

// match reports whether a body is the one wanted, and captures the names that are new.
func (a *App) match(want, got string) bool {
	var pattern strings.Builder
	var captured []string
	pattern.WriteString("^")
	rest := a.Fill(want)
	for {
		at := placeholder.FindStringIndex(rest)
		if at == nil {
			break
		}
		name := rest[at[0]:at[1]]
		pattern.WriteString(regexp.QuoteMeta(rest[:at[0]]))
		rest = rest[at[1]:]
		switch {
		case name == "<ts>":
			pattern.WriteString(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)
			continue
		case name == "<any>":
			pattern.WriteString(`.*`)
			continue
		case name == "<name25>":
			pattern.WriteString(`[A-Za-z0-9]{25}`)
			continue
		case strings.HasPrefix(name, "<tok"):
			pattern.WriteString(`(r:[0-9a-f]{32})`)
		default:
			pattern.WriteString(`([A-Za-z0-9]{10})`)
		}
		captured = append(captured, name)
	}
	pattern.WriteString(regexp.QuoteMeta(rest))
	m := regexp.MustCompile("(?s)" + pattern.String() + "$").FindStringSubmatch(got)
	if m == nil {
		return false
	}
	for i, name := range captured {
		a.names[name] = m[i+1]
	}
	return true
}

// Forget forgets a name, without its brackets.
func (a *App) Forget(name string) { delete(a.names, "<"+name+">") }
