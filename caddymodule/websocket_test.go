package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestUpgrade connects a client with a worker as a LiveQuery client is connected. The worker is a stand-in that echoes:
// what matters here is that bytes flow both ways and which headers pass.
func TestUpgrade(t *testing.T) {
	w := newRecordingWorker(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		if r.Header.Get("Upgrade") == "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Parsescale-Reads: A\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(conn, rw)
	})
	s := newSite(t, remoteSite(w, ""))
	front := httptest.NewServer(s.server)
	defer front.Close()

	conn, err := net.Dial("tcp", strings.TrimPrefix(front.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /parse HTTP/1.1\r\nHost: h.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Forwarded-For: 9.9.9.9\r\nX-Parsescale-Write-Id: w\r\n\r\n")
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("status %d, Upgrade %q", res.StatusCode, res.Header.Get("Upgrade"))
	}
	if res.Header.Get("X-Parsescale-Reads") != "" {
		t.Error("an internal header reached the client")
	}
	for _, text := range []string{"first\n", "second\n"} {
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		if got, err := r.ReadString('\n'); got != text || err != nil {
			t.Fatalf("sent %q, got %q, %v", text, got, err)
		}
	}
	h := w.last()
	if h.Host != "h.example" || h.Header.Get("X-Forwarded-For") != "127.0.0.1" || h.Header.Get("X-Parsescale-Write-Id") != "" {
		t.Errorf("the worker saw host %q and header %v", h.Host, h.Header)
	}
}

func TestUpgradeWithoutWorker(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, ""))
	w.Close()
	s.run(t, w, []step{{
		method: "GET", path: "/parse", header: map[string]string{"Upgrade": "websocket", "Connection": "Upgrade"},
		status: 503, cache: "detail=upgrade", contains: `"error"`,
	}})
}

// TestNoUpgrade: what isn't the handshake of a WebSocket is an ordinary request, whatever it offers, and nothing that a client sends
// takes a worker out of service.
func TestNoUpgrade(t *testing.T) {
	w := newRecordingWorker(t, results)
	s := newSite(t, remoteSite(w, "cache"))
	for _, test := range []struct {
		name   string
		header map[string]string
		body   string
	}{
		{"HTTP/2, as Java offers it", map[string]string{"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "Http2-Settings": "AAEAAEAAAAIAAAABAAMAAABk"}, ""},
		{"something unheard of", map[string]string{"Connection": "Upgrade", "Upgrade": "\xff"}, ""},
		{"a WebSocket with a body", map[string]string{"Connection": "Upgrade", "Upgrade": "websocket"}, "{}"},
		{"a WebSocket without the option", map[string]string{"Connection": "not-an-upgrade", "Upgrade": "websocket"}, ""},
	} {
		for range 6 { // more than open a breaker
			rec := s.send(step{method: "GET", path: "/parse/classes/A", header: test.header, body: test.body})
			if rec.Code != http.StatusOK || rec.Body.String() != found {
				t.Fatalf("%s: status %d, body %s", test.name, rec.Code, rec.Body)
			}
		}
	}
	if got := w.last().Header; got.Get("Upgrade") != "" || got.Get("Http2-Settings") != "" {
		t.Errorf("the worker saw %v", got)
	}
	if got := s.handlers[0].routes[0].pool.Status()[0]; got.Failures != 0 || got.Breaker != "closed" || got.State != "up" {
		t.Errorf("the worker is blamed: %+v", got)
	}
}
