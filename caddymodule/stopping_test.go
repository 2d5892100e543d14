package caddymodule

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/parsescale/parsescale/server/testservices"
)

// secured is a site with HTTPS whose configurations are loaded one after the other.
type secured struct {
	t               *testing.T
	address, folder string
	site            string
}

// startSecured returns once the site has its certificate, which is made after the start.
func startSecured(t *testing.T, options, site string) *secured {
	t.Helper()
	t.Cleanup(func() { _ = caddy.Stop() })
	s := &secured{t, fmt.Sprintf("127.0.0.1:%d", testservices.FreePort(t)), t.TempDir(), site}
	s.load(options, 0)
	c := s.client(false)
	defer c.CloseIdleConnections()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		res, err := c.Get("https://" + s.address + "/")
		if err == nil {
			res.Body.Close()
			return s
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// load returns how long that took.
func (s *secured) load(options string, number int) time.Duration {
	s.t.Helper()
	config, err := adapt(s.t, fmt.Sprintf(`{
	admin off
	persist_config off
	skip_install_trust
	auto_https disable_redirects
	storage file_system %s
	%s
}
https://%s {
	tls internal
	%s
	respond /number %d
	respond "%d"
}`, s.folder, options, s.address, s.site, 200+number, number))
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := json.Marshal(config)
	if err != nil {
		s.t.Fatal(err)
	}
	begun := time.Now()
	if err := caddy.Load(b, true); err != nil {
		s.t.Fatal(err)
	}
	return time.Since(begun)
}

// client keeps its connections.
func (s *secured) client(http2 bool) *http.Client {
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // a certificate of the test's own
		ForceAttemptHTTP2: http2,
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

// TestHTTPSAcrossConfigurations has clients of HTTP/1.1 and of HTTP/2 write on the connections that they keep, while one
// configuration is loaded after the other. None fails. (With Caddy alone each change broke one of HTTP/1.1 in 16.)
func TestHTTPSAcrossConfigurations(t *testing.T) {
	for _, test := range []struct{ name, options, site string }{
		{"parse", "", "parse /parse/* 127.0.0.1:9"},
		{"the listener wrapper", "servers {\n\t\tlistener_wrappers {\n\t\t\tparse_keep_connections\n\t\t}\n\t}", ""},
		{"below another wrapper", "servers {\n\t\tlistener_wrappers {\n\t\t\tproxy_protocol\n\t\t\ttls\n\t\t}\n\t}", "parse /parse/* 127.0.0.1:9"},
		{"without HTTP/2", "servers {\n\t\tprotocols h1\n\t}", "parse /parse/* 127.0.0.1:9"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startSecured(t, test.options, test.site)
			ctx, cancel := context.WithCancel(t.Context())
			var clients sync.WaitGroup
			var asked, failed atomic.Int64
			for i := range 12 {
				client := s.client(i < 4)
				clients.Go(func() {
					for ctx.Err() == nil {
						asked.Add(1)
						res, err := client.Post("https://"+s.address+"/", "text/plain", http.NoBody) // which the client doesn't repeat
						if err != nil {
							if failed.Add(1) < 5 {
								t.Error(err)
							}
							continue
						}
						_, _ = io.Copy(io.Discard, res.Body)
						res.Body.Close()
					}
				})
			}
			changes := 0
			for end := time.Now().Add(time.Second); changes < 10 || asked.Load() < 100 || time.Now().Before(end); changes++ {
				s.load(test.options, changes%7+1)
			}
			cancel()
			clients.Wait()
			t.Logf("%d requests, %d changes, %d failed", asked.Load(), changes, failed.Load())
		})
	}
}

// TestSeeingOff: a reload waits for connections of HTTP/1.1 over TLS only, until their clients have made their next request, but
// not for ever.
func TestSeeingOff(t *testing.T) {
	s := startSecured(t, "", "parse /parse/* 127.0.0.1:9")
	ask := func(c *http.Client) (body string, closes bool) {
		t.Helper()
		res, err := c.Get("https://" + s.address + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b), res.Close
	}
	const soon = 4 * time.Second
	two := s.client(true)
	ask(two)
	if took := s.load("", 1); took > soon {
		t.Errorf("a reload with a connection of HTTP/2 took %s", took)
	}
	if body, _ := ask(two); body != "1" {
		t.Errorf("then the answer is of configuration %s", body)
	}

	one := s.client(false)
	if _, closes := ask(one); closes {
		t.Error("a client was sent away without cause")
	}
	took := make(chan time.Duration, 1)
	go func() { took <- s.load("", 2) }()
	for begun, closes := time.Now(), false; !closes; time.Sleep(5 * time.Millisecond) {
		if _, closes = ask(one); time.Since(begun) > 4*lameDuck {
			t.Fatal("the client wasn't sent away")
		}
	}
	if d := <-took; d > soon {
		t.Errorf("a reload whose clients come back took %s", d)
	}
	if body, closes := ask(one); body != "2" || closes {
		t.Errorf("after the reload the answer is of configuration %s, and the connection is closed: %v", body, closes)
	}

	c, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // a certificate of the test's own
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", s.address)
	r := bufio.NewReader(c)
	if res, err := http.ReadResponse(r, nil); err != nil || res.Close {
		t.Fatalf("%v, %v", res, err)
	}
	if d := s.load("", 3); d < lameDuck/2 || d > 4*lameDuck {
		t.Errorf("a reload with an idle connection took %s", d)
	}
	if _, err := io.ReadAll(r); err != nil {
		t.Errorf("the idle connection has not ended: %v", err)
	}
}

// TestShutdownDelaySendsAway: while shutdown_delay lasts, clients that ask are told to make a new connection.
func TestShutdownDelaySendsAway(t *testing.T) {
	s := startSecured(t, "shutdown_delay 2s", "parse /parse/* 127.0.0.1:9")
	c := s.client(false)
	stopped := make(chan error)
	get := func() bool {
		res, err := c.Get("https://" + s.address + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body)
		return res.Close
	}
	if get() {
		t.Error("a client was sent away without cause")
	}
	go func() { stopped <- caddy.Stop() }()
	for begun := time.Now(); !get(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > 1500*time.Millisecond {
			t.Fatal("nobody was sent away")
		}
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
