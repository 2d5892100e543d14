package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestPrioritiesUnderLoad: while so many functions run that most are refused, log-ins, reads and requests with the master
// key go through, also those that a function's own code sends before it answers.
func TestPrioritiesUnderLoad(t *testing.T) {
	g := startGateway(t, bundledApp("", "admission {\nmin 10\nmax 10\nqueue 20 100ms\n}"))
	c := newClient(t, g.url())
	master := c.with("X-Parse-Master-Key", masterKey)
	c.create(t, "Thing", `{"n":1}`)
	c.must(t, "POST", "/users", `{"username":"u","password":"p"}`, nil)
	var inner, failed atomic.Int64
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.Add(1)
		if a, err := c.with("Cache-Control", "no-cache").do("GET", "/classes/Thing", ""); err != nil || a.status != http.StatusOK {
			failed.Add(1)
		}
		time.Sleep(300 * time.Millisecond)
		_, _ = io.WriteString(w, `{"success":"done"}`)
	}))
	defer hook.Close()
	master.must(t, "POST", "/hooks/functions", `{"functionName":"slow","url":"`+hook.URL+`"}`, nil)

	var done, refused atomic.Int64
	var callers []*client
	for range 60 {
		callers = append(callers, newClient(t, g.url()))
	}
	end := again(len(callers), func(i int) {
		a, err := callers[i].do("POST", "/functions/slow", `{}`)
		switch {
		case err != nil:
			t.Error(err)
		case a.status == http.StatusOK:
			done.Add(1)
		case a.status == http.StatusTooManyRequests:
			refused.Add(1)
			var e struct {
				Code  int
				Error string
			}
			if json.Unmarshal([]byte(a.body), &e) != nil || e.Code != 100 || a.header.Get("Retry-After") != "1" || !strings.Contains(a.header.Get("Cache-Status"), "overloaded") {
				t.Errorf("a refusal is %s with %v", a.body, a.header)
			}
			time.Sleep(20 * time.Millisecond)
		default:
			t.Errorf("a function was answered with %d: %s", a.status, a.body)
		}
	})
	for begun := time.Now(); time.Since(begun) < 2*time.Second; time.Sleep(20 * time.Millisecond) {
		c.must(t, "GET", "/login?username=u&password=p", "", nil)
		c.create(t, "Thing", `{"n":2}`)
		c.with("Cache-Control", "no-cache").must(t, "GET", "/classes/Thing?limit=1", "", nil)
		master.must(t, "GET", "/classes/Thing?limit=1", "", nil)
	}
	end()
	if done.Load() == 0 || refused.Load() == 0 || inner.Load() == 0 || failed.Load() > 0 {
		t.Errorf("%d functions were answered and %d refused; of their own %d reads %d failed", done.Load(), refused.Load(), inner.Load(), failed.Load())
	}
}
