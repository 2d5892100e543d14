package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// site is a gateway made from a Caddyfile, called in process: Caddy's own server, routes and handlers, without ports.
type site struct {
	server   *caddyhttp.Server
	handlers []*Handler
}

// newSite provisions and starts the gateway that a Caddyfile describes.
func newSite(t *testing.T, caddyfile string) *site {
	t.Helper()
	s, err := trySite(t, caddyfile)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func trySite(t testing.TB, caddyfile string) (*site, error) {
	t.Helper()
	b, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return nil, err
	}
	var config caddy.Config
	if err := json.Unmarshal(b, &config); err != nil {
		return nil, err
	}
	ctx, err := caddy.ProvisionContext(&config)
	if err != nil {
		return nil, err
	}
	v, err := ctx.App("http")
	if err != nil {
		return nil, err
	}
	var only *caddyhttp.Server
	for _, only = range v.(*caddyhttp.App).Servers {
	}
	p, err := ctx.App("parse")
	if err != nil {
		return nil, err
	}
	app := p.(*App)
	t.Cleanup(func() {
		if err := app.Stop(); err != nil {
			t.Error(err)
		}
		for _, h := range app.handlers {
			if err := h.Cleanup(); err != nil {
				t.Error(err)
			}
		}
		if err := app.Cleanup(); err != nil {
			t.Error(err)
		}
	})
	if err := app.Start(); err != nil {
		return nil, err
	}
	return &site{only, app.handlers}, nil
}

// cacheStatus is the form of Cache-Status (RFC 9211): an item with parameters, whose values are tokens or strings.
var cacheStatus = regexp.MustCompile(`^parsescale(; [a-z][a-z-]*(=(-?[0-9]+|[A-Za-z][A-Za-z0-9_./-]*|"[ -!#-\[\]-~]*"))?)+$`)

// step is one request of a scenario and what is expected of it.
type step struct {
	method, path string
	header       map[string]string
	body         string

	status   int
	want     string            // the whole body, if not ""
	contains string            // a part of the body
	cache    string            // a part of Cache-Status
	headers  map[string]string // response headers, "" for "must be absent"
	calls    int               // how many requests reached a worker
	plain    bool              // there is no Cache-Status
}

// run sends the steps one after another and checks each.
func (s *site) run(t *testing.T, w *recordingWorker, steps []step) {
	t.Helper()
	for i, st := range steps {
		name := fmt.Sprintf("step %d: %s %s %s", i, st.method, st.path, st.body)
		before := w.count()
		rec := s.send(st)
		body := rec.Body.String()
		status := st.status
		if status == 0 {
			status = http.StatusOK
		}
		if rec.Code != status {
			t.Fatalf("%s: status %d, want %d; body %s", name, rec.Code, status, body)
		}
		if st.want != "" && body != st.want {
			t.Errorf("%s:\n got %s\nwant %s", name, body, st.want)
		}
		if !strings.Contains(body, st.contains) {
			t.Errorf("%s: body %s lacks %s", name, body, st.contains)
		}
		verdict := rec.Header().Get("Cache-Status")
		if st.plain {
			if verdict != "" {
				t.Errorf("%s: Cache-Status %q", name, verdict)
			}
		} else if !cacheStatus.MatchString(verdict) || !st.verdict().MatchString(verdict) {
			t.Errorf("%s: Cache-Status %q, want %q in it", name, verdict, st.cache)
		}
		for k, v := range st.headers {
			if got := rec.Header().Get(k); got != v {
				t.Errorf("%s: header %s is %q, want %q", name, k, got, v)
			}
		}
		for k := range rec.Header() {
			if isInternal(k) {
				t.Errorf("%s: the header %s reached the client", name, k)
			}
		}
		if calls := w.count() - before; calls != st.calls {
			t.Errorf("%s: %d requests reached a worker, want %d", name, calls, st.calls)
		}
	}
}

// verdict is what the field Cache-Status has in it. In place of * is how many seconds ago something has expired.
func (st step) verdict() *regexp.Regexp {
	return regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(st.cache), `\*`, "(0|-[0-9]+)"))
}

// send sends a step's request.
func (s *site) send(st step) *httptest.ResponseRecorder {
	r := httptest.NewRequest(st.method, st.path, strings.NewReader(st.body))
	if st.body == "" {
		r = httptest.NewRequest(st.method, st.path, http.NoBody)
	}
	r.Header.Set("X-Parse-Application-Id", "app")
	if st.body != "" {
		r.Header.Set("Content-Type", "text/plain") // as the SDKs say
	}
	for k, v := range st.header {
		r.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	s.server.ServeHTTP(rec, r)
	return rec
}

// recordingWorker is an upstream that answers as told and remembers what it was asked. It stands in for Node where a
// test counts calls or needs an answer that no real worker gives; real workers are tested end to end.
type recordingWorker struct {
	*httptest.Server
	mu    sync.Mutex
	seen  []*http.Request
	sent  []string // bodies
	reply func(w http.ResponseWriter, r *http.Request, body string)
}

func newRecordingWorker(t testing.TB, reply func(w http.ResponseWriter, r *http.Request, body string)) *recordingWorker {
	w := &recordingWorker{reply: reply}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if !strings.HasSuffix(r.URL.Path, "/health") {
			w.mu.Lock()
			w.seen, w.sent = append(w.seen, r), append(w.sent, string(b))
			w.mu.Unlock()
		}
		w.reply(rw, r, string(b))
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *recordingWorker) addr() string { return strings.TrimPrefix(w.URL, "http://") }

func (w *recordingWorker) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.seen)
}

func (w *recordingWorker) last() *http.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[len(w.seen)-1]
}

// results answers every read with one object of the class asked for, and every write with its time.
func results(w http.ResponseWriter, r *http.Request, body string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("X-Parsescale-Reads", "Secret:1")
	w.Header().Set("Etag", `W/"1"`)
	if r.Method == http.MethodGet || strings.Contains(body, `"_method":"GET"`) {
		_, _ = io.WriteString(w, `{"results":[{"objectId":"o1","n":1}]}`)
		return
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{"objectId":"o2","createdAt":"2020-01-01T00:00:00.000Z"}`)
}
