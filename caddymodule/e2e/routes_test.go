package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/parsescale/parsescale/server/testservices"
)

// composedRoutes is bundledApp with a site that sends what has a field X-Via by way of Caddy's reverse_proxy.
func composedRoutes(settings string) string {
	app, _, _ := strings.Cut(bundledApp("option masterKeyIps `[\"192.0.2.7\"]`", ""), "ADDRESS {")
	return app + `ADDRESS {
	route {
		@write_to_secret {
			parse operation write
			parse class Secret
		}
		respond @write_to_secret "read only" 403
		@via header X-Via proxy
		reverse_proxy @via {
			dynamic parse_pool
			transport parse
			` + settings + `
		}
		parse /parse/*
	}
}
`
}

// TestComposedRoutes has bundled workers answer by way of reverse_proxy.
func TestComposedRoutes(t *testing.T) {
	g := startGateway(t, composedRoutes("lb_policy peak_ewma"))
	direct := newClient(t, g.url())
	via := direct.with("X-Via", "proxy")

	// What is written one way is seen the other way, and stored answers are dropped.
	id := via.create(t, "Game", `{"n":1}`)
	find := where("Game", `{"n":{"$gte":1}}`)
	if a := direct.stored(t, find); !strings.Contains(a.body, id) {
		t.Errorf("the object isn't found: %s", a.body)
	}
	via.must(t, "PUT", "/classes/Game/"+id, `{"n":2}`, nil)
	if a := direct.must(t, "GET", find, "", nil); !strings.Contains(a.body, `"n":2`) {
		t.Errorf("%s after a write by way of reverse_proxy: %s", a.verdict(), a.body)
	}
	if a := via.must(t, "GET", find, "", nil); !strings.Contains(a.body, `"n":2`) || a.header.Get("Cache-Status") != "" {
		t.Errorf("by way of reverse_proxy: %s %v", a.body, a.header)
	}
	// A worker believes what the gateway says, so clients must not be able to say it.
	for name := range via.must(t, "GET", find, "", nil).header {
		if strings.HasPrefix(name, "X-Parsescale-") {
			t.Errorf("%s reached the client", name)
		}
	}
	forged := via.with("X-Parse-Master-Key", masterKey, "X-Parsescale-Client-Ip", "192.0.2.7", "X-Forwarded-For", "192.0.2.7", "Connection", "X-Nothing")
	if a, err := forged.do("GET", "/schemas", ""); err != nil || a.status != http.StatusForbidden {
		t.Errorf("the master key from a forged address: %v %d %s", err, a.status, a.body)
	}
	twice := via.with("X-Parsescale-Write-Id", "forged-000000000001")
	if one, two := twice.create(t, "Game", `{"n":0}`), twice.create(t, "Game", `{"n":0}`); one == two {
		t.Error("a client has chosen the id of its write")
	}
	// The matcher before all of it.
	for _, body := range []string{`{"a":1}`, `{"_method":"PUT","a":1}`} {
		if a, err := direct.do("POST", "/classes/Secret", body); err != nil || a.status != http.StatusForbidden {
			t.Errorf("%s: %v %d %s", body, err, a.status, a.body)
		}
	}
	if a, err := direct.do("POST", "/batch", `{"requests":[{"method":"POST","path":"/parse/classes/Secret","body":{}}]}`); err != nil || a.status != http.StatusForbidden {
		t.Errorf("in a batch: %v %d %s", err, a.status, a.body)
	}
}

// TestComposedRoutesAndKilledWorkers kills each worker while clients write by way of reverse_proxy: no write fails, and none
// is done twice.
func TestComposedRoutesAndKilledWorkers(t *testing.T) {
	testservices.NeedTime(t, "killing workers")
	g := startGateway(t, composedRoutes(""))
	via := newClient(t, g.url()).with("X-Via", "proxy")
	via.create(t, "Game", `{"n":-1}`)
	const clients, each = 8, 60
	var wg sync.WaitGroup
	kill := make(chan struct{}, clients*each)
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				a, err := via.do("POST", "/classes/Game", fmt.Sprintf(`{"n":%d}`, c*each+i))
				if err != nil || a.status != http.StatusCreated {
					t.Errorf("create %d: %v %d %s", c*each+i, err, a.status, a.body)
				}
				kill <- struct{}{}
			}
		})
	}
	before := g.workers()
	for i := range clients * each {
		<-kill
		if i == 60 || i == 240 {
			if pids := g.workers(); len(pids) > 0 {
				_ = syscall.Kill(pids[0], syscall.SIGKILL) // it may have just been replaced
			}
		}
	}
	wg.Wait()
	if slices.Equal(before, g.workers()) {
		t.Error("no worker was killed")
	}
	var found struct{ Results []struct{ N int } }
	via.must(t, "GET", where("Game", `{"n":{"$gte":0}}`, "limit=10000"), "", &found)
	seen := map[int]int{}
	for _, r := range found.Results {
		seen[r.N]++
	}
	for n := range clients * each {
		if seen[n] != 1 {
			t.Errorf("%d was written %d times", n, seen[n])
		}
	}
}
