package rest

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/read"
)

type panicking struct{}

func (panicking) Find(context.Context, auth.Caller, *query.Query) (*read.Result, error) {
	panic("boom")
}

func (panicking) Get(context.Context, auth.Caller, string, string, *query.Query) (*read.Result, error) {
	panic(http.ErrAbortHandler)
}

func TestPanicsAreAnswered(t *testing.T) {
	var log bytes.Buffer
	a, err := New(Options{
		Config: testOptions(), Reader: panicking{}, State: func() string { return "ok" },
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	send := func(method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/parse"+path, strings.NewReader(body))
		r.Header.Set("X-Parse-Application-Id", "APP")
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		return w
	}
	w := send("GET", "/classes/A?where=%7B%22secret%22%3A1%7D", "")
	if w.Code != 500 || w.Body.String() != `{"code":1,"message":"Internal server error."}` || w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("answer %d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "boom") || strings.Contains(log.String(), "secret") {
		t.Errorf("log: %s", log.String())
	}
	w = send("POST", "/batch", `{"requests":[{"method":"GET","path":"/parse/classes/A"}]}`)
	if w.Code != 200 || w.Body.String() != `[{"error":{"code":1,"error":"Internal server error."}}]` {
		t.Errorf("batch: %d %s", w.Code, w.Body)
	}
	defer func() {
		if recover() != http.ErrAbortHandler { //nolint:errorlint // panics carry it as it is
			t.Error("an abort didn't reach the server")
		}
	}()
	send("GET", "/classes/A/x", "")
}

func TestStates(t *testing.T) {
	for state, want := range map[string]struct {
		status int
		retry  string
	}{"ok": {200, ""}, "initialized": {503, ""}, "starting": {503, "1"}, "error": {503, ""}} {
		a, err := New(Options{Config: testOptions(), State: func() string { return state }, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/parse/health", nil))
		if w.Code != want.status || w.Header().Get("Retry-After") != want.retry || w.Body.String() != `{"status":"`+state+`"}` {
			t.Errorf("%s: %d %v %s", state, w.Code, w.Header(), w.Body)
		}
		if state == "ok" {
			continue
		}
		r := httptest.NewRequest(http.MethodGet, "/parse/classes/A", nil)
		r.Header.Set("X-Parse-Application-Id", "APP")
		w = httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if w.Code != 500 || w.Body.String() != `{"code":1,"error":"Invalid server state: `+state+`"}` {
			t.Errorf("%s: %d %s", state, w.Code, w.Body)
		}
	}
}
