package upstream

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/parsescale/parsescale/policies/upstream/exchange"
)

// scripted is a worker that says answers[n] to the request n of a connection, and closes it after the last one.
func scripted(t *testing.T, kind Kind, answers ...string) Target {
	t.Helper()
	network, address, prefix := "tcp", "127.0.0.1:0", ""
	if kind == Bundled {
		dir, err := os.MkdirTemp("", "up")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		network, address, prefix = "unix", filepath.Join(dir, "w.sock"), "unix/"
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for _, answer := range answers {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					_, _ = io.WriteString(c, answer)
				}
			})
		}
	})
	return Target{Name: "w", Address: prefix + l.Addr().String(), Kind: kind}
}

// TestMalformed: what is no answer is the worker's failure, on a connection that was used before as on a new one; one that ends
// without a byte is only if it is new.
func TestMalformed(t *testing.T) {
	const fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for name, a := range map[string]struct {
		answer string
		reused bool
		blamed bool
	}{
		"nothing, on a new connection":         {"", false, true},
		"nothing, on a used one":               {"", true, false},
		"half a line, on a new connection":     {"HTTP/1.1 20", false, true},
		"half a line, on a used one":           {"HTTP/1.1 20", true, true},
		"half a header, on a used one":         {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", true, true},
		"another protocol, on a used one":      {"SSH-2.0-OpenSSH_9.2\r\n\r\n", true, true},
		"a switch of protocols, on a new one":  {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", false, true},
		"a switch of protocols, on a used one": {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", true, true},
		"a status below 100, on a new one":     {"HTTP/1.1 099 What\r\nContent-Length: 2\r\n\r\nok", false, true},
		"a status of 0, on a used one":         {"HTTP/1.1 000 What\r\nContent-Length: 2\r\n\r\nok", true, true},
	} {
		for _, kind := range []Kind{Remote, Bundled} {
			t.Run(name+", "+kind.String(), func(t *testing.T) {
				answers := []string{a.answer}
				if a.reused {
					answers = []string{fine, a.answer}
				}
				p := newPool(t, Options{}, scripted(t, kind, answers...))
				if a.reused {
					if _, err := p.Do(t.Context(), &Request{Method: "GET", URI: "/first"}); err != nil {
						t.Fatal(err)
					}
				}
				// A write without an id is sent once.
				res, err := p.Do(t.Context(), &Request{Method: "POST", URI: "/x", Body: []byte("{}"), Write: true})
				if !errors.Is(err, ErrOutcomeUnknown) {
					t.Errorf("%+v, %v, want ErrOutcomeUnknown", res, err)
				}
				if s := p.Status()[0]; (s.Failures == 1) != a.blamed || s.Failures > 1 {
					t.Errorf("%d failures, want the worker to be blamed: %t", s.Failures, a.blamed)
				}
			})
		}
	}
}

// TestLeaseMalformed: what a lease brings can be handed on by any server.
func TestLeaseMalformed(t *testing.T) {
	p := newPool(t, Options{}, scripted(t, Remote, "HTTP/1.1 099 What\r\nContent-Length: 2\r\n\r\nok"))
	l, err := p.Lease(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	r, err := http.NewRequestWithContext(t.Context(), "GET", l.URL.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := l.RoundTrip(r); !errors.Is(err, exchange.ErrUnasked) {
		t.Errorf("%+v, %v", res, err)
	}
	if s := p.Status()[0]; s.Failures != 1 {
		t.Errorf("%d failures", s.Failures)
	}
}
