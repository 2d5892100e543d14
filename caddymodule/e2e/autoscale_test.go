package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestWorkersFollowTheLoad: under a load there are more workers, with a smaller maximum fewer again, and no request fails.
func TestWorkersFollowTheLoad(t *testing.T) {
	t.Parallel() // it waits more than it works
	text := strings.Replace(bundledApp("", ""), "workers 2 {", "autoscale {\n\t\t\ttarget 4\n\t\t\tmax_cpu 1\n\t\t}\n\t\tworkers 1 3 {", 1)
	g := startGateway(t, text)
	if n := len(g.workers()); n != 1 {
		t.Fatalf("%d workers at first", n)
	}
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(200 * time.Millisecond)
		_, _ = io.WriteString(w, `{"success":"done"}`)
	}))
	defer hook.Close()
	newClient(t, g.url()).with("X-Parse-Master-Key", masterKey).must(t, "POST", "/hooks/functions", `{"functionName":"slow","url":"`+hook.URL+`"}`, nil)
	var callers []*client
	for range 20 {
		callers = append(callers, newClient(t, g.url()))
	}
	end := again(len(callers), func(i int) {
		if a, err := callers[i].do("POST", "/functions/slow", `{}`); err != nil || a.status != http.StatusOK {
			t.Errorf("a function: status %d, %v: %s", a.status, err, a.body)
		}
	})
	until := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); len(g.workers()) != n; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d workers, want %d", len(g.workers()), n)
			}
		}
	}
	until(3)
	g.reload(func(caddyfile string) string { return strings.Replace(caddyfile, "workers 1 3 {", "workers 1 2 {", 1) })
	until(2)
	end()
}
