package caddymodule

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestEntrance: a request is let in once, by the first handler that it meets, and while the entrance is shut nothing is answered,
// from a cache neither.
func TestEntrance(t *testing.T) {
	var inside []int64
	w := newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, body string) {
		if !strings.HasSuffix(r.URL.Path, "/health") {
			inside = append(inside, entrance.Inside())
		}
		results(w, r, body)
	})
	s := newSite(t, strings.Replace(proxied("", w), "reverse_proxy {", "parse_rate_limit {\n\t\tdefault 100/s\n\t}\n\tparse_cache\n\treverse_proxy {", 1))
	hosts := []string{"http://proxy.example", "http://parse.example"}
	for _, host := range hosts {
		for _, method := range []string{"GET", "POST", "GET"} {
			st := step{method: method, path: host + "/parse/classes/A"}
			if method == "POST" {
				st.body = `{"a":1}`
			}
			if got := s.send(st); got.Code/100 != 2 {
				t.Errorf("%s %s: %d %s", method, host, got.Code, got.Body)
			}
		}
	}
	for i, n := range inside {
		if n != 1 {
			t.Errorf("request %d was let in %d times", i, n)
		}
	}
	if n := entrance.Inside(); n != 0 {
		t.Errorf("%d are inside afterwards", n)
	}
	if err := entrance.Shut(context.Background()); err != nil {
		t.Fatal(err)
	}
	defer entrance.Open()
	calls := w.count()
	ctx, leave := context.WithCancel(context.Background())
	leave()
	for _, host := range hosts {
		r := httptest.NewRequestWithContext(ctx, "GET", host+"/parse/classes/A", http.NoBody)
		r.Header.Set("X-Parse-Application-Id", "app")
		rec := httptest.NewRecorder()
		s.server.ServeHTTP(rec, r)
		if rec.Code != 499 {
			t.Errorf("%s: %d %s", host, rec.Code, rec.Body)
		}
	}
	if n := w.count() - calls; n != 0 {
		t.Errorf("%d requests reached the worker", n)
	}
}
