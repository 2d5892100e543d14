package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/feed"
	"github.com/parsescale/parsescale/policies/upstream"
	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/cloud"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/users/password"
)

// ownSite is a gateway with one real worker of its own, both in this process: what the supervisor and the control stream
// do at the level exact is done by calls. A test may tamper with what the worker tells the gateway.
type ownSite struct {
	*site
	worker  *server.Server
	gateway *gateway
	asked   atomic.Int64 // requests that reached the worker through the gateway
	tamper  tampering
}

// tampering breaks what the gateway is told; the zero value leaves it alone.
type tampering struct {
	// hush: the change isn't told.
	hush func(change.Change) bool
	// answer alters a worker's answer's header.
	answer func(http.Header)
}

const (
	ownApp, ownMaster, ownREST, ownJS = "app", "master", "rest", "javascript"
)

func newOwnSite(t testing.TB, tamper tampering, code func(*cloud.Cloud) error) *ownSite {
	t.Helper()
	// A remote site, of which everything but the workers stays. Gateways are told apart by their upstreams; other tests have
	// ports below 20000.
	s := &ownSite{site: newSiteOf(t, fmt.Sprintf("{\n\tadmin off\n}\n:9 {\n\tparse /parse/* 127.0.0.1:%d {\n\t\tcache\n\t}\n}", 20_000+ownSites.Add(1))), tamper: tamper}
	h := parseHandlers(s.server.Routes)[0]
	h.routes[0].ttl = defaultExactTTL
	g := h.routes[0].gateway
	g.level, g.hub = cache.Exact, feed.NewHub(ownApp, g.cache, feed.Options{})
	s.gateway = g

	dir, err := os.MkdirTemp("", "parsescale") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	options, _ := json.Marshal(map[string]any{
		"appId": ownApp, "masterKey": ownMaster, "restAPIKey": ownREST, "javascriptKey": ownJS,
		"databaseURI": "sqlite://" + filepath.Join(dir, "parse.db"), "allowClientClassCreation": true,
		"serverURL": "http://127.0.0.1/parse", "masterKeyIps": []string{"0.0.0.0/0", "::/0"},
		"fileUpload": map[string]any{}, "allowCustomObjectId": true,
	})
	o, _, err := config.FromJSON(options)
	if err != nil {
		t.Fatal(err)
	}
	o.FilesFolder = filepath.Join(dir, "files")
	s.worker, err = server.New(t.Context(), o, server.Environment{
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Announcer: s, Gateway: true, Cloud: code,
		Passwords: password.NewCheap(2, 16),
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/health") {
			s.asked.Add(1)
		}
		if s.tamper.answer != nil {
			w = &tampered{w, s.tamper.answer}
		}
		s.worker.ServeHTTP(w, r)
	})}
	go func() { _ = srv.Serve(l) }() // ends with Close
	t.Cleanup(func() {
		_ = srv.Close()
		if err := s.worker.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if err := g.pool.Update([]upstream.Target{{Name: "own", Address: "unix/" + filepath.Join(dir, "s"), Kind: upstream.Bundled}}); err != nil {
		t.Fatal(err)
	}
	return s
}

// ownSites counts the sites made.
var ownSites atomic.Int64

func newSiteOf(t testing.TB, caddyfile string) *site {
	t.Helper()
	s, err := trySite(t, caddyfile)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tampered alters the header before it is sent.
type tampered struct {
	http.ResponseWriter
	alter func(http.Header) // nil once it is done
}

func (w *tampered) WriteHeader(status int) {
	if w.alter != nil {
		w.alter(w.Header())
		w.alter = nil
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *tampered) Write(p []byte) (int, error) {
	if w.alter != nil {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// Prepare implements storage.Announcer: what the control stream does.
func (s *ownSite) Prepare(_ context.Context, changes []change.Change) (func(bool), error) {
	told := changes
	if s.tamper.hush != nil {
		told = nil
		for _, ch := range changes {
			if !s.tamper.hush(ch) {
				told = append(told, ch)
			}
		}
	}
	finish := s.gateway.cache.Prepare(told)
	return func(bool) { finish() }, nil
}

// asker is who asks: a set of header fields.
type asker struct {
	name   string
	header map[string]string
}

func (a asker) with(name string, header ...string) asker {
	out := asker{name, map[string]string{}}
	for k, v := range a.header {
		out.header[k] = v
	}
	for i := 0; i < len(header); i += 2 {
		out.header[header[i]] = header[i+1]
	}
	return out
}

var (
	byREST   = asker{"the REST key", map[string]string{"X-Parse-Application-Id": ownApp, "X-Parse-REST-API-Key": ownREST}}
	byJS     = asker{"the JavaScript key", map[string]string{"X-Parse-Application-Id": ownApp, "X-Parse-Javascript-Key": ownJS}}
	byMaster = asker{"the master key", map[string]string{"X-Parse-Application-Id": ownApp, "X-Parse-Master-Key": ownMaster}}
)

func session(name, token string) asker { return byREST.with(name, "X-Parse-Session-Token", token) }

// ask sends a request through the gateway, or to the worker itself.
func (s *ownSite) ask(h http.Handler, who asker, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body == "" {
		r = httptest.NewRequest(method, path, http.NoBody)
	}
	for k, v := range who.header {
		r.Header.Set(k, v)
	}
	if h != s.server {
		r.Header.Set("X-Parsescale-Client-Ip", "192.0.2.1") // as the gateway says of httptest's requests
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

// must sends a request through the gateway that has to succeed, and decodes its answer.
func (s *ownSite) must(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, who asker, method, path, body string, to any) {
	t.Helper()
	rec := s.ask(s.server, who, method, "/parse"+path, body)
	if rec.Code >= 300 {
		t.Fatalf("%s %s %s as %s: %d %s", method, path, body, who.name, rec.Code, rec.Body)
	}
	if to == nil {
		return
	}
	if err := json.Unmarshal(rec.Body.Bytes(), to); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}

// object makes an object with the master key and returns its id.
func (s *ownSite) object(t testing.TB, class, body string) string {
	t.Helper()
	var made struct{ ObjectID string }
	s.must(t, byMaster, "POST", "/classes/"+class, body, &made)
	return made.ObjectID
}

// signUp makes a user.
func (s *ownSite) signUp(t testing.TB, name string) (id string, who asker) {
	t.Helper()
	var made struct{ ObjectID, SessionToken string }
	s.must(t, byREST, "POST", "/users", fmt.Sprintf(`{"username":%q,"password":"p"}`, name), &made)
	return made.ObjectID, session(name, made.SessionToken)
}

// role makes a role with members.
func (s *ownSite) role(t testing.TB, name string, members ...string) string {
	t.Helper()
	var made struct{ ObjectID string }
	s.must(t, byMaster, "POST", "/roles", fmt.Sprintf(`{"name":%q,"ACL":{},"users":%s}`, name, relation("AddRelation", "_User", members...)), &made)
	return made.ObjectID
}

func relation(op, class string, ids ...string) string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = fmt.Sprintf(`{"__type":"Pointer","className":%q,"objectId":%q}`, class, id)
	}
	return fmt.Sprintf(`{"__op":%q,"objects":[%s]}`, op, strings.Join(list, ","))
}

// verdict is what became of a question: "hit" or "miss", with " stored" if it was.
func verdict(rec *httptest.ResponseRecorder) string {
	v := strings.TrimPrefix(rec.Header().Get("Cache-Status"), "parsescale; ")
	switch {
	case v == "hit":
		return v
	case strings.HasPrefix(v, "fwd=miss; stored"):
		return "stored"
	case strings.HasPrefix(v, "fwd=miss"):
		return "miss"
	}
	return "bypass"
}
