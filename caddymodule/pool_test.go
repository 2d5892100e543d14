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
)

// TestPool: a site says how often a failing worker is asked before it is left alone.
func TestPool(t *testing.T) {
	for _, test := range []struct {
		name, pool string
		requests   int
		asked      int64 // of the failing worker
		status     int   // of the last answer
	}{
		{"two failures open the breaker", "retries off\nbreaker {\nfailures 2\nopen_for 1m\nmax_open_for 2m\n}\nmax_wait 10ms", 5, 2, 503},
		{"the defaults", "max_wait 10ms\nretries off", 4, 4, 503},
	} {
		t.Run(test.name, func(t *testing.T) {
			var asked atomic.Int64
			worker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/health") {
					return
				}
				asked.Add(1)
				w.WriteHeader(http.StatusServiceUnavailable)
			}))
			t.Cleanup(worker.Close)
			s := newSite(t, fmt.Sprintf(":80 {\n\tparse /parse/* %s {\n\t\tpool {\n%s\n\t\t}\n\t}\n}", address(worker), test.pool))
			var last int
			for range test.requests {
				r := httptest.NewRequest("GET", "/parse/classes/A", nil)
				r.Header.Set("X-Parse-Application-Id", "app")
				w := httptest.NewRecorder()
				s.server.ServeHTTP(w, r)
				last = w.Code
			}
			if asked.Load() != test.asked || last != test.status {
				t.Errorf("the worker was asked %d times, want %d; the last answer was %d", asked.Load(), test.asked, last)
			}
		})
	}
}

// TestPoolIsOne: the sites of an app don't disagree about its workers.
func TestPoolIsOne(t *testing.T) {
	s := &settings{}
	for _, test := range []struct {
		c  *PoolConfig
		ok bool
	}{
		{nil, true},
		{&PoolConfig{Retries: 2, Breaker: &BreakerConfig{Failures: 3}}, true},
		{&PoolConfig{Retries: 2, Breaker: &BreakerConfig{Failures: 3}}, true},
		{&PoolConfig{Retries: 2}, false},
		{&PoolConfig{Retries: 3, Breaker: &BreakerConfig{Failures: 3}}, false},
		{nil, true},
	} {
		if err := s.tunes(test.c); (err == nil) != test.ok {
			t.Errorf("%+v: %v", test.c, err)
		}
	}
}

// TestPoolTimes: a read and a function end at their deadline, of which the worker is told and no client can say anything; a write
// doesn't, however long it takes.
func TestPoolTimes(t *testing.T) {
	var told atomic.Value
	var creates atomic.Int64
	worker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch {
		case strings.HasSuffix(r.URL.Path, "/health"):
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/classes/A"):
			told.Store(fmt.Sprint(r.Header["X-Parsescale-Deadline-Ms"]))
			creates.Add(1)
			time.Sleep(300 * time.Millisecond)
			w.WriteHeader(http.StatusCreated)
		default:
			told.Store(fmt.Sprint(r.Header["X-Parsescale-Deadline-Ms"]))
			<-r.Context().Done()
		}
	}))
	t.Cleanup(worker.Close)
	s := newSite(t, fmt.Sprintf(":80 {\n\tparse /parse/* %s {\n\t\tpool {\n\t\t\ttry_timeout 20ms\n\t\t\tdeadline 100ms\n\t\t\tdeadline 50ms function\n\t\t}\n\t}\n}", address(worker)))
	for _, test := range []struct {
		name, method, path string
		status             int
		body, told         string
	}{
		{"a read", "GET", "/parse/classes/A", 400, `{"code":124,"error":"The request timed out."}`, "[100]"},
		{"a function", "POST", "/parse/functions/f", 400, "which may or may not have been applied", "[50]"},
		{"a write", "POST", "/parse/classes/A", 201, "", "[]"},
	} {
		told.Store("")
		var w *httptest.ResponseRecorder
		for end := time.Now().Add(20 * time.Second); told.Load() == "" && time.Now().Before(end); { // a busy machine may not get as far as the worker in time
			r := httptest.NewRequest(test.method, test.path, strings.NewReader(map[string]string{"POST": "{}"}[test.method]))
			r.Header.Set("X-Parse-Application-Id", "app")
			r.Header.Set("X-Parsescale-Deadline-Ms", "5")
			w = httptest.NewRecorder()
			s.server.ServeHTTP(w, r)
		}
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.body) {
			t.Errorf("%s: %d %s, want %d %s", test.name, w.Code, w.Body, test.status, test.body)
		}
		got, most := told.Load().(string), test.told
		if len(got) > len(most) || len(got) == len(most) && got > most || (got == "[]") != (most == "[]") { // some milliseconds may have passed
			t.Errorf("%s: the worker was told of %s, want at most %s", test.name, got, most)
		}
	}
	if creates.Load() != 1 {
		t.Errorf("the write was sent %d times", creates.Load())
	}
}
