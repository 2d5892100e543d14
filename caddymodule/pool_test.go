package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
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
