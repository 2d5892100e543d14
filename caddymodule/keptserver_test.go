package caddymodule

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestWhoLeaves lists which requests are answered with Connection: close.
func TestWhoLeaves(t *testing.T) {
	for _, test := range []struct {
		name            string
		leaving         int32
		stays           bool
		method, upgrade string
		major           int
		want            string
	}{
		{"nobody", nobody, true, "GET", "", 1, ""},
		{"one that stays", whoStays, true, "POST", "", 1, "close"},
		{"one that is handed over", whoStays, false, "POST", "", 1, ""},
		{"everybody", everybody, false, "GET", "", 1, "close"},
		{"HTTP/2", whoStays, true, "GET", "", 2, ""},
		{"a WebSocket", whoStays, true, "GET", "websocket", 1, ""},
		{"another upgrade", everybody, true, "POST", "SPDY/3.1", 1, ""},
		{"an offer of HTTP/2", everybody, true, "POST", "h2c", 1, "close"},
		{"a tunnel", everybody, true, "CONNECT", "", 1, ""},
	} {
		var k keptServer
		k.leaving.Store(test.leaving)
		c, other := net.Pipe()
		defer other.Close()
		k.staying.Tell(c, http.StateNew)
		r := httptest.NewRequest(test.method, "http://x/", nil)
		r.ProtoMajor = test.major
		if test.upgrade != "" {
			r.Header.Set("Upgrade", test.upgrade)
		}
		if test.stays {
			r = r.WithContext(context.WithValue(r.Context(), staysKey{}, c))
		}
		w := httptest.NewRecorder()
		k.wrap(http.NotFoundHandler()).ServeHTTP(w, r)
		if got := w.Header().Get("Connection"); got != test.want {
			t.Errorf("%s: Connection %q, want %q", test.name, got, test.want)
		}
		if open := k.staying.Open(); (open == 0) != (test.major > 1) {
			t.Errorf("%s: %d are waited for", test.name, open)
		}
	}
}
