package server_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/storage"
)

func options(t *testing.T) *config.Options {
	t.Helper()
	o := config.Default()
	o.AppID, o.MasterKey = "APP", "MASTER"
	o.DatabaseURI = config.Secret("sqlite://" + filepath.Join(t.TempDir(), "data", "parse.db"))
	o.AllowClientClassCreation = true
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	return o
}

func request(method, path string, body io.Reader) *http.Request {
	r := httptest.NewRequest(method, "/parse"+path, body)
	r.Header.Set("X-Parse-Application-Id", "APP")
	r.Header.Set("X-Parse-Master-Key", "MASTER")
	r.RemoteAddr = "127.0.0.1:5"
	return r
}

func TestFilesLieBesideTheDatabase(t *testing.T) {
	o := options(t)
	s, err := server.New(t.Context(), o, server.Environment{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context()) //nolint:errcheck // the test is over
	w := httptest.NewRecorder()
	s.ServeHTTP(w, request("POST", "/files/a.txt", strings.NewReader("x")))
	if w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	folder := filepath.Join(filepath.Dir(strings.TrimPrefix(string(o.DatabaseURI), "sqlite://")), "files")
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("%s holds %v, %v", folder, entries, err)
	}
}

func TestCloseWaitsForWhatRuns(t *testing.T) {
	s, err := server.New(t.Context(), options(t), server.Environment{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if s.State() != "ok" {
		t.Errorf("state %s", s.State())
	}
	body, send := io.Pipe()
	answered := make(chan *httptest.ResponseRecorder, 1)
	go func() {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, request("POST", "/classes/A", body))
		answered <- w
	}()
	if _, err := send.Write([]byte(`{"a":`)); err != nil { // returns once the request is being read
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close(context.Background()) }()
	for s.State() == "ok" {
		runtime.Gosched()
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, request("GET", "/classes/A", nil))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("a new request is answered with %d %s", w.Code, w.Body)
	}
	select {
	case err := <-closed:
		t.Fatalf("closed under a request: %v", err)
	default:
	}
	if _, err := send.Write([]byte(`1}`)); err != nil {
		t.Fatal(err)
	}
	send.Close()
	if w := <-answered; w.Code != http.StatusCreated {
		t.Errorf("the running request is answered with %d %s", w.Code, w.Body)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

func TestCloseDoesNotWaitForever(t *testing.T) {
	s, err := server.New(t.Context(), options(t), server.Environment{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	body, send := io.Pipe()
	done := make(chan struct{})
	go func() {
		s.ServeHTTP(httptest.NewRecorder(), request("POST", "/classes/A", body))
		close(done)
	}()
	if _, err := send.Write([]byte(`{`)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	send.Close()
	<-done
}

func TestAbsentDatabase(t *testing.T) {
	o := options(t)
	o.DatabaseURI = "postgres://user:topsecret@127.0.0.1:1/db"
	_, err := server.New(t.Context(), o, server.Environment{})
	if !errors.Is(err, storage.ErrUnavailable) || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("error %v", err)
	}
}
