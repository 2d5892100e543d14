package caddymodule

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parsescale/parsescale/policies/ratelimit/ledger"
	"github.com/parsescale/parsescale/policies/rumour"
	"github.com/parsescale/parsescale/server/testservices"
)

// TestRumours: a gateway hears by Redis that another one finds both of its upstreams broken, and believes what it finds, too. It tells of
// what its own requests failed on.
func TestRumours(t *testing.T) {
	r := testservices.StartRedis(t)
	var fails [2]atomic.Bool
	var sick atomic.Bool
	var addresses []string
	for i := range fails {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			health := strings.HasSuffix(r.URL.Path, "/health")
			if health && i == 0 && sick.Load() || !health && fails[i].Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}))
		t.Cleanup(s.Close)
		addresses = append(addresses, address(s))
	}
	sick.Store(true)
	name := slices.Sorted(slices.Values(addresses))
	s := newSite(t, fmt.Sprintf("{\n\tadmin off\n\tparse {\n\t\tredis %s\n\t}\n}\n:9 {\n\tparse /parse/* %s {\n\t\tpool {\n\t\t\tretries off\n\t\t}\n\t}\n}", r.URL, strings.Join(addresses, " ")))
	g := parseHandlers(s.server.Routes)[0].routes[0].gateway

	client, err := ledger.NewClient(r.URL, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	other := rumour.NewBoard(client, "parsescale:{parsescale:"+strings.Join(name, ",")+"}:breakers", "other", time.Minute, 5*time.Second)
	say := func(reports ...rumour.Report) rumour.Notes {
		t.Helper()
		notes, err := other.Exchange(context.Background(), reports)
		if err != nil {
			t.Fatal(err)
		}
		return notes
	}
	until := func(what string, done func() bool) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("it doesn't come to this: %s; %+v", what, g.rumourStatus())
			}
		}
	}
	say(rumour.Report{Worker: "http://" + addresses[0], Number: 1}, rumour.Report{Worker: "http://" + addresses[1], Number: 1})
	until("both were checked", func() bool { n := g.rumourStatus(); return n.Confirmed == 1 && n.Refuted == 1 && n.Gateways == 1 })
	for _, w := range g.pool.Status() {
		if want := map[bool]string{true: "open", false: "closed"}[w.Name == "http://"+addresses[0]]; w.Breaker != want {
			t.Errorf("the breaker of %s is %s, want %s", w.Name, w.Breaker, want)
		}
	}
	sick.Store(false)
	if notes := say(); len(notes) != 2 {
		t.Errorf("on the board: %v", notes)
	} else {
		for gateway, reports := range notes {
			if gateway != "other" && len(reports) > 0 {
				t.Errorf("what was only heard is passed on: %v", reports)
			}
		}
	}
	fails[1].Store(true)
	until("the other gateway is told", func() bool {
		q := httptest.NewRequest("GET", "/parse/classes/A", nil)
		q.Header.Set("X-Parse-Application-Id", "app")
		s.server.ServeHTTP(httptest.NewRecorder(), q)
		for gateway, reports := range say() {
			if gateway != "other" && slices.ContainsFunc(reports, func(r rumour.Report) bool { return r.Worker == "http://"+addresses[1] }) {
				return true
			}
		}
		return false
	})
	for _, site := range []string{
		fmt.Sprintf(":9 {\n\tparse /parse/* %s\n}", addresses[0]),
		fmt.Sprintf("{\n\tadmin off\n\tparse {\n\t\tredis %s\n\t}\n}\n:9 {\n\tparse /parse/* %s {\n\t\tpool {\n\t\t\tbreaker {\n\t\t\t\tnews off\n\t\t\t}\n\t\t}\n\t}\n}", r.URL, addresses[1]),
	} {
		s := newSite(t, site)
		if n := parseHandlers(s.server.Routes)[0].routes[0].rumourStatus(); n != nil {
			t.Errorf("there are news without Redis, or though they are off: %+v", n)
		}
	}
}
