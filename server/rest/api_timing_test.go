package rest

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/parsescale/parsescale/server/auth"
	"github.com/parsescale/parsescale/server/query"
	"github.com/parsescale/parsescale/server/read"
)

type fixed struct{ body []byte }

func (f fixed) Find(context.Context, auth.Caller, *query.Query) (*read.Result, error) {
	return &read.Result{Body: f.body}, nil
}

func (f fixed) Get(context.Context, auth.Caller, string, string, *query.Query) (*read.Result, error) {
	return &read.Result{Body: f.body}, nil
}

// discard is a ResponseWriter that keeps nothing.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func getOnce(t testing.TB) func() {
	a, err := New(Options{
		Config: testOptions(), Reader: fixed{[]byte(`{"objectId":"x"}`)}, Gateway: true,
		State: func() string { return "ok" }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/parse/classes/Game/abcdefghij", nil)
	w := discard{http.Header{}}
	return func() {
		clear(w.h)
		r.Header.Set("X-Parse-Application-Id", "APP")
		r.Header.Set("X-Parsescale-Client-Ip", "127.0.0.1")
		a.ServeHTTP(w, r)
	}
}

// BenchmarkGet is what the door itself costs for one object.
func BenchmarkGet(b *testing.B) {
	get := getOnce(b)
	b.ReportAllocs()
	for b.Loop() {
		get()
	}
}

func TestGetAllocates(t *testing.T) {
	if n := testing.AllocsPerRun(100, getOnce(t)); n > 30 {
		t.Errorf("%v allocations for one get", n)
	}
}
