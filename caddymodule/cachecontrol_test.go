package caddymodule

import (
	"net/http"
	"testing"
	"time"
)

// TestCacheControlOfClients checks what clients say of the answers that they take.
func TestCacheControlOfClients(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, "cache {\nttl 5s\n}"))
	s.handlers[0].routes[0].ttl = time.Hour // longer than any machine takes
	says := func(value string) map[string]string { return map[string]string{"Cache-Control": value} }
	const path = "/parse/classes/A"
	s.run(t, w, []step{
		{method: "GET", path: path, header: says("only-if-cached"), status: http.StatusGatewayTimeout, want: `{"error":"not in the cache"}`, cache: "fwd=miss; detail=only-if-cached"},
		{method: "GET", path: path, header: says("max-age=1"), cache: "fwd=miss; stored", calls: 1},
		{method: "GET", path: path, header: says("only-if-cached"), cache: "hit"},
		{method: "GET", path: path, header: says("only-if-cached, no-cache"), status: http.StatusGatewayTimeout, cache: "fwd=miss; detail=only-if-cached"},
		{method: "GET", path: path, header: says("max-age=60"), cache: "hit"},
		{method: "GET", path: path, header: map[string]string{"Cache-Control": "only-if-cached", "X-Parse-Master-Key": "m"}, status: http.StatusGatewayTimeout, cache: "fwd=bypass"},
		{method: "PUT", path: path + "/x", body: "{}", header: says("only-if-cached"), status: http.StatusCreated, cache: "fwd=method", calls: 1},
		{method: "GET", path: path, cache: "fwd=miss; stored", calls: 1},
	})
	time.Sleep(1100 * time.Millisecond) // the entry is more than a second old then
	s.run(t, w, []step{
		{method: "GET", path: path, header: says("max-age=60"), cache: "hit"},
		{method: "GET", path: path, header: map[string]string{"Cache-Control": "only-if-cached, max-age=1"}, status: http.StatusGatewayTimeout, cache: "fwd=miss"},
		{method: "GET", path: path, header: says("max-age=1"), cache: "fwd=request; stored", calls: 1},
		{method: "GET", path: path, header: says("max-age=60"), cache: "hit"},
	})
}
