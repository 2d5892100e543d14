package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// hookServer is where the webhooks of all servers are: {{id:hook}} is its address for the server that is asked. What the
// servers post is compared. The query says what is answered: say is the answer itself, and echo is JSON of which the
// members are laid over the object that was posted.
type hookServer struct {
	url string

	mu    sync.Mutex
	posts map[string][]string // by the server's name
}

func startHooks(t *testing.T) *hookServer {
	t.Helper()
	h := &hookServer{posts: map[string][]string{}}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	h.url = s.URL
	return h
}

// of is the address for a server.
func (h *hookServer) of(name string) string { return h.url + "/" + name }

func (h *hookServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var body map[string]any
	if err := json.Unmarshal(data, &body); err != nil {
		body = map[string]any{"not JSON": string(data)}
	}
	// log is the whole of Node's logger, and the client is another one for each server.
	delete(body, "log")
	delete(body, "headers")
	if context, ok := body["context"].(map[string]any); ok {
		delete(context, "_subqueryDepth") // Node's own business
	}
	name, _, _ := strings.Cut(r.URL.Path[1:], "/")
	note := encode(body)
	h.mu.Lock()
	h.posts[name] = append(h.posts[name], note)
	h.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if echo := r.URL.Query().Get("echo"); echo != "" {
		object, _ := body["object"].(map[string]any)
		if err := json.Unmarshal([]byte(echo), &object); err != nil {
			return
		}
		_, _ = io.WriteString(w, encode(map[string]any{"success": object}))
		return
	}
	_, _ = io.WriteString(w, r.URL.Query().Get("say"))
}

// taken returns what a server has posted since it was asked last, in no certain order.
func (h *hookServer) taken(name string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	posts := h.posts[name]
	delete(h.posts, name)
	slices.Sort(posts)
	return `[` + strings.Join(posts, ",") + `]`
}

// aclOfNew is the id of a user in an ACL, which isn't known yet when it is posted.
var aclOfNew = regexp.MustCompile(`"[0-9A-Za-z]{10}":\{"read"`)

// comparePosts compares what the servers posted because of an exchange.
func (p *servers) comparePosts(t *testing.T, e exchange) {
	t.Helper()
	normal := func(s *side, name string) string {
		return aclOfNew.ReplaceAllString(s.normal(e, answer{body: p.hooks.taken(name)}), `"<id>":{"read"`)
	}
	want := normal(p.reference, "reference")
	for name, w := range p.workers {
		if got := normal(w, name); got != want && e.Differs == nil {
			t.Errorf("%s on %s: %s posts to webhooks\n  %s\nwant\n  %s", e.Name, name, e.Do, got, want)
		}
	}
}

// TestHookServer checks the hook server itself, without which the comparison would prove nothing.
func TestHookServer(t *testing.T) {
	h := startHooks(t)
	res, err := http.Post(h.of("x")+"?echo="+url.QueryEscape(`{"b":2}`), "application/json", strings.NewReader(`{"object":{"a":1},"log":1}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if got := h.taken("x"); err != nil || string(data) != `{"success":{"a":1,"b":2}}` || got != `[{"object":{"a":1}}]` || h.taken("x") != `[]` {
		t.Errorf("%s, posted %s, %v", data, got, err)
	}
}
