package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// echoServer is an upstream that takes WebSockets and sends back what it gets, frame by frame.
func echoServer(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			fmt.Fprint(w, `{"status":"ok"}`)
			return
		}
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		_ = rw.Flush()
		for {
			var head [6]byte // of a short masked frame
			if _, err := io.ReadFull(rw, head[:]); err != nil {
				return
			}
			payload := make([]byte, head[1]&0x7f)
			if _, err := io.ReadFull(rw, payload); err != nil {
				return
			}
			for i := range payload {
				payload[i] ^= head[2+i%4]
			}
			_, _ = rw.Write(append([]byte{head[0], byte(len(payload))}, payload...))
			_ = rw.Flush()
			if head[0]&0x0f == 8 {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// webSocket is a client's.
type webSocket struct {
	net.Conn
	r *bufio.Reader
}

func openWebSocket(t *testing.T, address string) *webSocket {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "GET /parse/ HTTP/1.1\r\nHost: "+address+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("cannot open a WebSocket: %v, %v", res, err)
	}
	return &webSocket{c, r}
}

// send sends a frame, masked with zeros.
func (w *webSocket) send(op byte, payload string) error {
	_, err := w.Write(append([]byte{0x80 | op, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...))
	return err
}

// next returns the next frame.
func (w *webSocket) next() (op byte, payload []byte, err error) {
	var head [2]byte
	if _, err = io.ReadFull(w.r, head[:]); err != nil {
		return
	}
	payload = make([]byte, head[1])
	_, err = io.ReadFull(w.r, payload)
	return head[0] & 0x0f, payload, err
}

// echo sends a message and awaits it back.
func (w *webSocket) echo(t *testing.T, text string) {
	t.Helper()
	if err := w.send(1, text); err != nil {
		t.Fatal(err)
	}
	if op, got, err := w.next(); op != 1 || string(got) != text || err != nil {
		t.Fatalf("sent %q, got %d %q %v", text, op, got, err)
	}
}

// TestWebSocketsEnd ends gateways with open WebSockets in all the ways there are. Each is closed with 1001, and not all at the
// same time.
func TestWebSocketsEnd(t *testing.T) {
	t.Parallel() // it waits more than it works
	const count, over = 10, 3 * time.Second
	site := func(upstream string) string {
		return strings.Replace(remoteApp(upstream), "cache {", "pool {\n\t\t\tsockets_close_over 3s\n\t\t}\n\t\tcache {", 1)
	}
	for _, test := range []struct {
		name string
		end  func(g *gateway)
	}{
		{"SIGTERM", func(g *gateway) { _ = syscall.Kill(g.process.PID(), syscall.SIGTERM) }},
		{"a reload to another upstream", func(g *gateway) {
			other := echoServer(t)
			g.reload(func(caddyfile string) string {
				return strings.Replace(caddyfile, "parse /parse/* ", "parse /parse/* "+other+" ", 1)
			})
		}},
		{"an upgrade", func(g *gateway) { g.upgrade() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := startUpgradable(t, site(echoServer(t)))
			var sockets []*webSocket
			for range count {
				sockets = append(sockets, openWebSocket(t, g.address))
			}
			g.reload(func(caddyfile string) string { return caddyfile + "\n" + "# the same\n" })
			for i, w := range sockets {
				w.echo(t, fmt.Sprint("message ", i)) // they have outlived it
			}
			var mu sync.Mutex
			var times []time.Time
			var clients sync.WaitGroup
			for _, w := range sockets {
				clients.Go(func() {
					op, payload, err := w.next()
					at := time.Now()
					if op != 8 || !bytes.Equal(payload, []byte{3, 0xe9}) || err != nil {
						t.Errorf("a client got %d %x, %v", op, payload, err)
						return
					}
					_ = w.send(8, string(payload))
					if _, _, err := w.next(); err != io.EOF {
						t.Errorf("after the close frames the connection isn't closed: %v", err)
					}
					mu.Lock()
					times = append(times, at)
					mu.Unlock()
				})
			}
			test.end(g)
			clients.Wait()
			if len(times) == count {
				slices.SortFunc(times, time.Time.Compare)
				if spread := times[count-1].Sub(times[0]); spread < over/3 {
					t.Errorf("all were closed within %s", spread)
				}
			}
			if test.name == "SIGTERM" {
				g.noProcessWithin(20 * time.Second)
				return
			}
			openWebSocket(t, g.address).echo(t, "after")
		})
	}
}
