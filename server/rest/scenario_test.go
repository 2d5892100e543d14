package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/testservices"
	"github.com/parsescale/parsescale/server/users/password"
)

// Scenario is one request and what is expected of its answer.
type Scenario struct {
	Name, Method, Path string
	Headers            map[string]string
	Body               string
	// Status is the status of the answer.
	Status int
	// Exact is the whole body; "" means any.
	Exact string
	// Subset is JSON whose members the body must have with those values; members of objects within may be fewer too.
	Subset string
	// Has are texts that must stand in the body.
	Has []string
	// WantHeaders are header fields of the answer; "" as a value means that the field must be absent.
	WantHeaders map[string]string
}

// world is a worker that really runs, behind a TCP socket.
type world struct {
	t    *testing.T
	base string // of the API, without a slash at the end
	o    *config.Options
	c    *http.Client
}

// start runs a worker with the app id APP and the master key MASTER until the test ends.
func start(t *testing.T, env server.Environment, change func(*config.Options)) *world {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := config.Default()
	o.AppID, o.MasterKey = "APP", "MASTER"
	o.DatabaseURI = config.Secret(testservices.DatabaseURI(t, filepath.Join(t.TempDir(), "parse.db")))
	o.FilesFolder = filepath.Join(t.TempDir(), "files")
	o.ServerURL = "http://" + l.Addr().String() + "/parse"
	o.AllowClientClassCreation = true
	if change != nil {
		change(o)
	}
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	if env.Logger == nil {
		env.Logger = slog.New(slog.DiscardHandler)
	}
	if env.Passwords == nil {
		env.Passwords = password.NewCheap(2, 1000)
	}
	s, err := server.New(t.Context(), o, env)
	if err != nil {
		t.Fatal(err)
	}
	h := &http.Server{Handler: s}
	go h.Serve(l) //nolint:errcheck // ends with the test
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	w := clientOf(t, "http://"+l.Addr().String()+o.MountPath)
	w.o = o
	return w
}

// clientOf is a client of the server whose API is at base.
func clientOf(t *testing.T, base string) *world {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &world{t: t, base: base, c: &http.Client{
		Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// response is an answer that was read whole.
type response struct {
	status int
	header http.Header
	body   string
}

// do sends a request; app adds the app id's header field.
func (w *world) do(method, path, body string, headers map[string]string) response {
	w.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, w.base+path, r)
	if err != nil {
		w.t.Fatal(err)
	}
	for k, v := range headers {
		if k == "Host" {
			req.Host = v
			continue
		}
		req.Header.Set(k, v)
	}
	res, err := w.c.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response{res.StatusCode, res.Header, string(data)}
}

func app(more ...string) map[string]string {
	h := map[string]string{"X-Parse-Application-Id": "APP"}
	for i := 0; i+1 < len(more); i += 2 {
		h[more[i]] = more[i+1]
	}
	return h
}

func master(more ...string) map[string]string {
	return app(append([]string{"X-Parse-Master-Key", "MASTER"}, more...)...)
}

// run plays scenarios in order.
func (w *world) run(scenarios []Scenario) {
	w.t.Helper()
	for _, s := range scenarios {
		name := s.Name
		if name == "" {
			name = s.Method + " " + s.Path
		}
		w.t.Run(name, func(t *testing.T) {
			in := *w
			in.t = t
			s.check(t, in.do(s.Method, s.Path, s.Body, s.Headers))
		})
	}
}

func (s *Scenario) check(t *testing.T, r response) {
	t.Helper()
	if r.status != s.Status {
		t.Errorf("status %d, want %d; body %s", r.status, s.Status, r.body)
	}
	if s.Exact != "" && r.body != s.Exact {
		t.Errorf("body %s, want %s", r.body, s.Exact)
	}
	if s.Subset != "" {
		var got, want any
		if err := json.Unmarshal([]byte(s.Subset), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(r.body), &got); err != nil {
			t.Errorf("body %s isn't JSON", r.body)
		} else if missing := lacks(got, want, ""); missing != "" {
			t.Errorf("body %s: %s", r.body, missing)
		}
	}
	for _, text := range s.Has {
		if !strings.Contains(r.body, text) {
			t.Errorf("body %s lacks %q", r.body, text)
		}
	}
	for k, v := range s.WantHeaders {
		if got := r.header.Get(k); got != v {
			t.Errorf("header %s: %q, want %q", k, got, v)
		}
	}
}

// lacks says what of want isn't in got; "" when nothing is.
func lacks(got, want any, at string) string {
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s isn't an object", at)
		}
		for k, v := range want {
			if _, ok := g[k]; !ok {
				return fmt.Sprintf("%s.%s is missing", at, k)
			}
			if m := lacks(g[k], v, at+"."+k); m != "" {
				return m
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			return fmt.Sprintf("%s isn't an array of %d", at, len(want))
		}
		for i := range want {
			if m := lacks(g[i], want[i], fmt.Sprintf("%s[%d]", at, i)); m != "" {
				return m
			}
		}
		return ""
	}
	if got != want {
		return fmt.Sprintf("%s is %v, want %v", at, got, want)
	}
	return ""
}

// member returns a string member of a JSON body.
func member(t *testing.T, body, name string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatalf("body %s: %v", body, err)
	}
	s, ok := m[name].(string)
	if !ok {
		t.Fatalf("body %s has no text %s", body, name)
	}
	return s
}
