package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/parsescale/parsescale/server/testservices"
)

// elsewhere is an address that no test client has.
const elsewhere = "203.0.113.9"

// forgeries are the headers by which a client may claim to be somebody else.
var forgeries = []struct{ name, header, value string }{
	{"X-Forwarded-For", "X-Forwarded-For", "ADDRESS"},
	{"a chain in X-Forwarded-For", "X-Forwarded-For", "ADDRESS, ADDRESS"},
	{"X-Real-Ip", "X-Real-Ip", "ADDRESS"},
	{"Forwarded", "Forwarded", "for=ADDRESS"},
	{"X-Parsescale-Client-Ip", "X-Parsescale-Client-Ip", "ADDRESS"},
	{"x-parsescale-client-ip in small letters", "x-parsescale-client-ip", "ADDRESS"},
	{"X_Parsescale_Client_Ip with underscores", "X_Parsescale_Client_Ip", "ADDRESS"},
}

// TestForgedHeaders checks that what a client says about itself in headers that only a gateway may set changes nothing.
func TestForgedHeaders(t *testing.T) {
	t.Run("bundled", func(t *testing.T) {
		t.Run("a forged address doesn't pass masterKeyIps", func(t *testing.T) {
			g := startGateway(t, bundledApp(`option masterKeyIps ["`+elsewhere+`"]`, ""))
			forgedAddressIsRefused(t, g)
		})
		g := startGateway(t, bundledApp("", ""))
		t.Run("a forged address doesn't take the real one away", func(t *testing.T) { forgedAddressChangesNothing(t, g) })
		t.Run("write ids", func(t *testing.T) { forgedWriteIDs(t, g) })
		t.Run("write ids of others", func(t *testing.T) { reusedWriteIDs(t, g) })
		t.Run("answers", func(t *testing.T) { strippedAnswers(t, g) })
		t.Run("reads", func(t *testing.T) { forgedReads(t, g) })
	})
	t.Run("a proxy that is trusted", func(t *testing.T) { trustedProxy(t) })
	t.Run("node", func(t *testing.T) {
		testservices.Need(t, "Node with the npm package parse-server, and postgresql with postgis")
		servers := startParseServers(t, 1, map[string]any{"masterKeyIps": []string{elsewhere}})
		forgedAddressIsRefused(t, startGateway(t, remoteApp(servers[0].Address)))
	})
}

// masterOnly is a request that only the master key may make: an object that nobody else can read.
func masterOnly(c *client) (answer, error) { return c.do("GET", "/classes/_Session", "") }

func forgedAddressIsRefused(t *testing.T, g *gateway) {
	c := newClient(t, g.url()).with("X-Parse-Master-Key", masterKey)
	if a, err := masterOnly(c); err != nil || a.status != http.StatusForbidden {
		t.Fatalf("without a forgery: %d %s, %v; want 403", a.status, a.body, err)
	}
	for _, f := range forgeries {
		t.Run(f.name, func(t *testing.T) {
			a, err := masterOnly(c.with(f.header, strings.ReplaceAll(f.value, "ADDRESS", elsewhere)))
			if err != nil {
				t.Fatal(err)
			}
			if a.status != http.StatusForbidden || !strings.Contains(a.body, "unauthorized") {
				t.Errorf("the master key passed from a claimed address: %d %s", a.status, a.body)
			}
		})
	}
}

func forgedAddressChangesNothing(t *testing.T, g *gateway) {
	c := newClient(t, g.url()).with("X-Parse-Master-Key", masterKey)
	for _, f := range forgeries {
		t.Run(f.name, func(t *testing.T) {
			a, err := masterOnly(c.with(f.header, strings.ReplaceAll(f.value, "ADDRESS", elsewhere)))
			if err != nil {
				t.Fatal(err)
			}
			if a.status != http.StatusOK {
				t.Errorf("the master key was refused for a claimed address: %d %s", a.status, a.body)
			}
		})
	}
}

// forgedWriteIDs checks that a client can't make the worker take its write for a repetition of another.
func forgedWriteIDs(t *testing.T, g *gateway) {
	c := newClient(t, g.url()).with("X-Parsescale-Write-Id", "forged")
	first, second := c.create(t, "Forged", `{"n":1}`), c.create(t, "Forged", `{"n":2}`)
	if first == second {
		t.Fatal("the second create was answered with the first one's answer")
	}
	var got struct{ Results []struct{ N int } }
	c.must(t, "GET", "/classes/Forged?order=n", "", &got)
	if len(got.Results) != 2 || got.Results[0].N != 1 || got.Results[1].N != 2 {
		t.Errorf("got %v, want both objects", got.Results)
	}
}

// reusedWriteIDs checks the same for every kind of write, in every spelling of the header, and after a real write: each
// is done as often as it was sent.
func reusedWriteIDs(t *testing.T, g *gateway) {
	c := newClient(t, g.url())
	id := c.create(t, "Reused", `{"n":0}`)
	increment := `{"n":{"__op":"Increment","amount":1}}`
	writes := []struct{ name, method, path, body string }{
		{"an update", "PUT", "/classes/Reused/" + id, increment},
		{"an update by POST", "POST", "/classes/Reused/" + id, `{"_method":"PUT",` + increment[1:]},
		{"a batch", "POST", "/batch", `{"requests":[{"method":"PUT","path":"/parse/classes/Reused/` + id + `","body":` + increment + `}]}`},
	}
	want := 0
	for _, name := range []string{"X-Parsescale-Write-Id", "x-parsescale-write-id", "X-PARSESCALE-WRITE-ID"} {
		for _, w := range writes {
			for _, value := range []string{"same", "same", "same/0", "", "a b"} {
				forged := *c
				forged.header = map[string]string{name: value}
				for k, v := range c.header {
					forged.header[k] = v
				}
				forged.must(t, w.method, w.path, w.body, nil)
				want++
				var got struct{ N int }
				if c.must(t, "GET", "/classes/Reused/"+id, "", &got); got.N != want {
					t.Fatalf("%s with %s: %q counted %d times in all, want %d", w.name, name, value, got.N, want)
				}
			}
		}
	}
}

// strippedAnswers checks that no answer of any kind shows a client what workers tell the gateway.
func strippedAnswers(t *testing.T, g *gateway) {
	c := newClient(t, g.url())
	id := c.create(t, "Stripped", `{"n":1}`)
	var big []string
	for i := range 10 {
		big = append(big, fmt.Sprintf(`{"method":"POST","path":"/parse/classes/StrippedBig","body":{"i":%d,"s":%q}}`, i, strings.Repeat("x", 1<<20)))
	}
	c.must(t, "POST", "/batch", `{"requests":[`+strings.Join(big, ",")+`]}`, nil)
	etag := c.stored(t, "/classes/Stripped").header.Get("Etag")
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		header                   []string
	}{
		{"a hit", "GET", "/classes/Stripped", "", 200, nil},
		{"a miss", "GET", "/classes/Stripped?limit=7", "", 200, nil},
		{"asked anew", "GET", "/classes/Stripped", "", 200, []string{"Cache-Control", "no-cache"}},
		{"not stored", "GET", "/classes/Stripped", "", 200, []string{"Cache-Control", "no-store"}},
		{"master key", "GET", "/classes/Stripped", "", 200, []string{"X-Parse-Master-Key", masterKey}},
		{"not modified", "GET", "/classes/Stripped", "", 304, []string{"If-None-Match", etag}},
		{"HEAD", "HEAD", "/classes/Stripped", "", 200, nil},
		{"an object that isn't there", "GET", "/classes/Stripped/nothing", "", 404, nil},
		{"a bad where", "GET", "/classes/Stripped?where=1", "", 400, nil},
		{"a wrong key", "GET", "/classes/Stripped", "", 403, []string{"X-Parse-REST-API-Key", "no"}},
		{"a streamed answer", "GET", "/classes/StrippedBig", "", 200, nil},
		{"an update", "PUT", "/classes/Stripped/" + id, `{"n":2}`, 200, nil},
		{"a batch", "POST", "/batch", `{"requests":[{"method":"GET","path":"/parse/classes/Stripped"}]}`, 200, nil},
		{"preflight", "OPTIONS", "/classes/Stripped", "", 200, nil},
		{"no route", "GET", "/nothing", "", 404, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, err := c.with(test.header...).do(test.method, test.path, test.body)
			if err != nil || a.status != test.status {
				t.Fatalf("%d %.100s %v, want %d", a.status, a.body, err, test.status)
			}
			for name := range a.header {
				if strings.HasPrefix(strings.ToLower(name), "x-parsescale-") {
					t.Errorf("the answer has the header %s", name)
				}
			}
			if a.header.Get("Cache-Status") == "" {
				t.Error("the answer has no Cache-Status")
			}
		})
	}
}

// forgedReads checks that a client's X-Parsescale-Reads doesn't reach the cache, and that the worker's doesn't reach a
// client.
func forgedReads(t *testing.T, g *gateway) {
	c := newClient(t, g.url()).with("X-Parsescale-Reads", "Other:nothing for=everyone expires=99999999999999", "X-Parsescale-Rights", "0123456789abcdef Other:nothing")
	id := c.create(t, "ForgedReads", `{"n":1}`)
	find := where("ForgedReads", `{"n":{"$gt":0}}`)
	for _, a := range []answer{c.must(t, "GET", find, "", nil), c.stored(t, find)} {
		for name := range a.header {
			if strings.HasPrefix(name, "X-Parsescale-") {
				t.Errorf("the answer has the header %s", name)
			}
		}
	}
	c.must(t, "PUT", "/classes/ForgedReads/"+id, `{"n":2}`, nil)
	if a := c.must(t, "GET", find, "", nil); a.verdict() != miss || !strings.Contains(a.body, `"n":2`) {
		t.Errorf("after a write: %s %s", a.verdict(), a.body)
	}
}

// trustedProxy checks the other side: where the operator trusts a proxy, the address that it gives is the client's.
func trustedProxy(t *testing.T) {
	g := startGateway(t, strings.Replace(bundledApp("", ""), "admin ADMIN",
		"admin ADMIN\n\tservers {\n\t\ttrusted_proxies static 127.0.0.1/32\n\t\ttrusted_proxies_strict\n\t}", 1))
	c := newClient(t, g.url()).with("X-Parse-Master-Key", masterKey)
	for _, test := range []struct {
		name, forwarded string
		status          int
	}{
		{"the proxy's own request", "", http.StatusOK},
		{"a client on another machine", elsewhere, http.StatusForbidden},
		{"a client on another machine that claims to be here", "127.0.0.1, " + elsewhere, http.StatusForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, err := masterOnly(c.with("X-Forwarded-For", test.forwarded))
			if err != nil || a.status != test.status {
				t.Errorf("status %d, %v; want %d: %s", a.status, err, test.status, a.body)
			}
		})
	}
}
