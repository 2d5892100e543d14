package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/parsescale/parsescale/server/testservices"
)

// keepingServers is the global option that keeps connections of all sites.
const keepingServers = "{\n\tservers {\n\t\tlistener_wrappers {\n\t\t\tparse_keep_connections\n\t\t}\n\t}\n}\n"

// TestWhoseConnectionsAreKept: a site needs a handler of this module, at any depth, or the listener wrapper.
func TestWhoseConnectionsAreKept(t *testing.T) {
	for _, test := range []struct {
		name, caddyfile string
		want            []string
	}{
		{"parse", "http://:1 {\n\tparse /parse/* 127.0.0.1:9\n}", []string{"parse/:1"}},
		{"two of parse", "http://:1 {\n\tparse /parse/* 127.0.0.1:9\n\tparse /other/* 127.0.0.1:8\n}", []string{"parse/:1"}},
		{"parse inside of others", "http://:1 {\n\thandle /a/* {\n\t\troute {\n\t\t\tparse /a/parse/* 127.0.0.1:9\n\t\t}\n\t}\n}", []string{"parse/:1"}},
		{"bound addresses", "http://:1 {\n\tbind 127.0.0.1 tcp4/127.0.0.2 parse/127.0.0.3\n\tparse /parse/* 127.0.0.1:9\n}", []string{"parse/127.0.0.1:1", "parse/127.0.0.3:1", "parse4/127.0.0.2:1"}},
		{"HTTPS, with the redirects to it", "localhost:2 {\n\ttls internal\n\tparse /parse/* 127.0.0.1:9\n}", []string{"parse/:2", "parse/:80"}},
		{"a unix socket", "http://:1 {\n\tbind unix//run/x.sock\n\tparse /parse/* 127.0.0.1:9\n}", []string{"unix//run/x.sock"}},
		{"parse_cache", "http://:1 {\n\tparse_cache /parse/*\n\treverse_proxy 127.0.0.1:9\n}", []string{"parse/:1"}},
		{"the wrapper", keepingServers + "http://:1 {\n\trespond hello\n}", []string{"parse/:1"}},
		{"the wrapper and parse", keepingServers + "http://:1 {\n\tparse /parse/* 127.0.0.1:9\n}", []string{"parse/:1"}},
		{"neither", "http://:1 {\n\trespond hello\n}", []string{":1"}},
	} {
		config, err := adapt(t, test.caddyfile)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		b, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		var c caddy.Config
		if err := json.Unmarshal(b, &c); err != nil {
			t.Fatal(err)
		}
		ctx, err := caddy.ProvisionContext(&c)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		v, err := ctx.App("http")
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		var got []string
		for _, server := range v.(*caddyhttp.App).Servers {
			got = append(got, server.Listen...)
		}
		if slices.Sort(got); !slices.Equal(got, test.want) {
			t.Errorf("%s: it listens on %q, want %q", test.name, got, test.want)
		}
	}
}

// TestConnectionsAcrossConfigurations has clients connect anew for each request, and others keep their connections, while one
// configuration is loaded after the other. None fails. (With Caddy's own listeners each change broke several.)
func TestConnectionsAcrossConfigurations(t *testing.T) {
	w := newRecordingWorker(t, results)
	address := fmt.Sprintf("127.0.0.1:%d", testservices.FreePort(t))
	for _, test := range []struct{ name, options, site string }{
		{"parse alone", "", "parse /parse/* " + w.addr()},
		{"the listener wrapper alone", "servers {\n\t\tlistener_wrappers {\n\t\t\tparse_keep_connections\n\t\t}\n\t}", ""},
		{"after another wrapper", "servers {\n\t\tlistener_wrappers {\n\t\t\tproxy_protocol\n\t\t\tparse_keep_connections\n\t\t}\n\t}", "parse /parse/* " + w.addr()},
		{"two addresses that are one for the kernel", "", "bind 0.0.0.0 [::]\n\tparse /parse/* " + w.addr()},
		{"without HTTP/2", "servers {\n\t\tprotocols h1\n\t}", "parse /parse/* " + w.addr()},
		{"both", "servers {\n\t\tlistener_wrappers {\n\t\t\tparse_keep_connections\n\t\t}\n\t}", "parse /parse/* " + w.addr()},
	} {
		t.Run(test.name, func(t *testing.T) {
			load := func(i int) {
				t.Helper()
				config, err := adapt(t, fmt.Sprintf("{\n\tadmin off\n\tpersist_config off\n\t%s\n}\nhttp://%s {\n\t%s\n\trespond /ok %d\n}", test.options, address, test.site, 200+i%2))
				if err != nil {
					t.Fatal(err)
				}
				b, err := json.Marshal(config)
				if err != nil {
					t.Fatal(err)
				}
				if err := caddy.Load(b, true); err != nil {
					t.Fatal(err)
				}
			}
			load(0)
			t.Cleanup(func() { _ = caddy.Stop() })
			ctx, cancel := context.WithCancel(t.Context())
			var clients sync.WaitGroup
			var asked, failed atomic.Int64
			for i := range 12 {
				clients.Go(func() {
					transport := &http.Transport{DisableKeepAlives: i%2 == 0}
					defer transport.CloseIdleConnections()
					c := &http.Client{Transport: transport}
					for ctx.Err() == nil {
						asked.Add(1)
						res, err := c.Post("http://"+address+"/ok", "text/plain", http.NoBody) // which the client doesn't repeat
						if err != nil {
							if failed.Add(1) < 5 {
								t.Error(err)
							}
							continue
						}
						res.Body.Close()
					}
				})
			}
			changes := 0
			for end := time.Now().Add(time.Second); changes < 10 || asked.Load() < 100 || time.Now().Before(end); changes++ {
				load(changes + 1)
			}
			cancel()
			clients.Wait()
			t.Logf("%d requests, %d changes, %d failed", asked.Load(), changes, failed.Load())
		})
	}
}

// TestShutdownDelay: servers that are about to close go on for a while, and those that another configuration goes on with don't have a
// reload wait; nor do those of a configuration that isn't taken.
func TestShutdownDelay(t *testing.T) {
	first, second := testservices.FreePort(t), testservices.FreePort(t)
	const parse, wrapper = "parse /parse/* 127.0.0.1:9", "servers {\n\t\tlistener_wrappers {\n\t\t\tparse_keep_connections\n\t\t}\n\t}"
	load := func(delay time.Duration, options, sites string) (time.Duration, error) {
		t.Helper()
		config, err := adapt(t, fmt.Sprintf("{\n\tadmin off\n\tpersist_config off\n\tshutdown_delay %s\n\t%s\n}\n%s", delay, options, sites))
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		err = caddy.Load(b, true)
		return time.Since(begun), err
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	site := func(port int, directive string) string {
		return fmt.Sprintf("http://127.0.0.1:%d {\n\tbind 127.0.0.1\n\t%s\n}\n", port, directive)
	}
	twice := site(first, parse) + fmt.Sprintf("http://127.0.0.2:%d {\n\tbind parse/127.0.0.1\n\trespond x\n}\n", first)
	const long, patience = 30 * time.Second, 20 * time.Second
	for _, step := range []struct {
		name           string
		delay          time.Duration
		options, sites string
		refused        bool
		least, most    time.Duration
	}{
		{"the first one", long, "", site(first, parse), false, 0, patience},
		{"one that is refused", long, "", twice, true, 0, patience},
		{"the same, which may have started in another order", long, "", twice, true, 0, patience},
		{"once more", long, "", twice, true, 0, patience},
		{"another one", long, "", site(first, parse), false, 0, patience},
		{"the wrapper alone", long, wrapper, site(first, "respond x"), false, 0, patience},
		{"the wrapper again", long, wrapper, site(first, "respond y"), false, 0, patience},
		{"without it", time.Second, "", site(first, "respond z"), false, 0, patience},
		{"again, with Caddy's own listener", time.Second, "", site(first, "respond z"), false, 0, patience},
		{"another address", 0, "", site(second, parse), false, time.Second, patience},
	} {
		took, err := load(step.delay, step.options, step.sites)
		if (err != nil) != step.refused || took < step.least || took > step.most {
			t.Errorf("%s took %s: %v", step.name, took, err)
		}
	}
}
