package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parsescale/parsescale/policies/mirror"
)

// TestMirror: reads that a worker answers are asked of the second pool as well, as the client asked them; writes, log-ins and
// what the cache answers are not. The client gets the first pool's answer.
func TestMirror(t *testing.T) {
	var asked atomic.Int64
	var seen atomic.Pointer[http.Request]
	worker := func(body string) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/health") {
				return
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, body)
		}))
		t.Cleanup(s.Close)
		return s
	}
	first := worker(`{"results":[{"objectId":"a","n":1}]}`)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/health") {
			return
		}
		asked.Add(1)
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		seen.Store(r)
		switch {
		case strings.Contains(r.URL.Path, "Same"):
			fmt.Fprint(w, `{"results":[{"n":1,"objectId":"a"}]}`)
		default:
			fmt.Fprint(w, `{"results":[{"objectId":"a","n":2}]}`)
		}
	}))
	t.Cleanup(other.Close)
	s := newSite(t, fmt.Sprintf(":80 {\n\tparse /parse/* %s {\n\t\tcache {\n\t\t\tttl 5s\n\t\t}\n\t\tmirror 100%% %s\n\t}\n}", address(first), address(other)))
	h := s.handlers[0]
	want := [mirror.Outcomes]uint64{}
	for _, test := range []struct {
		name, method, path, body string
		outcome                  mirror.Outcome
		mirrored                 bool
	}{
		{"a find", "GET", "/parse/classes/Same?limit=1", "", mirror.Same, true},
		{"the same from the cache", "GET", "/parse/classes/Same?limit=1", "", 0, false},
		{"a find of the SDK", "POST", "/parse/classes/Same", `{"_method":"GET","_ApplicationId":"app","where":{}}`, mirror.Same, true},
		{"a find that differs", "GET", "/parse/classes/Other", "", mirror.Different, true},
		{"a create", "POST", "/parse/classes/Same", `{"n":1}`, 0, false},
		{"an update", "PUT", "/parse/classes/Same/a", `{"n":1}`, 0, false},
		{"a log-in", "GET", "/parse/login?username=a&password=b", "", 0, false},
		{"a function", "POST", "/parse/functions/f", `{}`, 0, false},
		{"a file", "GET", "/parse/files/app/x.txt", "", 0, false},
	} {
		before := asked.Load()
		r := httptest.NewRequest(test.method, test.path, strings.NewReader(test.body))
		r.Header.Set("X-Parse-Application-Id", "app")
		r.Header.Set("X-Parse-Session-Token", "r:1")
		r.Header.Set("Content-Type", "text/plain")
		r.Header.Set("If-None-Match", `"x"`)
		w := httptest.NewRecorder()
		s.server.ServeHTTP(w, r)
		if w.Code != 200 || !strings.Contains(w.Body.String(), `"n":1`) {
			t.Errorf("%s: the client got %d %s", test.name, w.Code, w.Body)
		}
		if test.mirrored {
			want[test.outcome]++
		}
		for end := time.Now().Add(10 * time.Second); h.looking.Counts() != want && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		if got := h.looking.Counts(); got != want || (asked.Load() != before) != test.mirrored {
			t.Fatalf("%s: outcomes %v, want %v; mirrored %v, want %v", test.name, got, want, asked.Load() != before, test.mirrored)
		}
		if !test.mirrored {
			continue
		}
		m := seen.Load()
		body, _ := io.ReadAll(m.Body)
		if m.Method != test.method || m.URL.RequestURI() != test.path || string(body) != test.body || m.Header.Get("X-Parse-Session-Token") != "r:1" || m.Header.Get("If-None-Match") != "" {
			t.Errorf("%s: the second pool was asked %s %s %s %v", test.name, m.Method, m.URL, body, m.Header)
		}
	}
}

func address(s *httptest.Server) string { return strings.TrimPrefix(s.URL, "http://") }
