package upstream

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parsescale/parsescale/policies/balance"
	"github.com/parsescale/parsescale/policies/breaker"
)

// TestDoubt: that others find a worker broken is checked, unless many do; a pool never loses more than half of its workers by it.
func TestDoubt(t *testing.T) {
	type said struct {
		worker string
		many   bool
	}
	for _, test := range []struct {
		name    string
		workers int
		broken  string // whose health checks fail
		path    string
		said    []said
		open    string
		doubts  Doubts
	}{
		{name: "it is broken", workers: 2, broken: "a", said: []said{{"a", false}}, open: "[a]", doubts: Doubts{Confirmed: 1}},
		{name: "it isn't", workers: 2, said: []said{{"a", false}}, open: "[]", doubts: Doubts{Refuted: 1}},
		{name: "a gateway that is cut off says so of all", workers: 4, said: []said{{"a", false}, {"b", false}, {"c", false}, {"d", false}}, open: "[]", doubts: Doubts{Refuted: 4}},
		{name: "many say so", workers: 2, said: []said{{"a", true}}, open: "[a]", doubts: Doubts{Many: 1}},
		{name: "many say so of all", workers: 4, said: []said{{"a", true}, {"b", true}, {"c", true}, {"d", true}}, open: "[a b]", doubts: Doubts{Many: 2, Spared: 2}},
		{name: "all are broken", workers: 2, broken: "ab", said: []said{{"a", false}, {"b", false}}, open: "[a]", doubts: Doubts{Confirmed: 1, Spared: 1}},
		{name: "the only one is broken", workers: 1, broken: "a", said: []said{{"a", false}}, open: "[]", doubts: Doubts{Spared: 1}},
		{name: "it can't be checked", workers: 2, broken: "a", path: "-", said: []said{{"a", false}}, open: "[]", doubts: Doubts{Refuted: 1}},
		{name: "nobody knows it", workers: 2, said: []said{{"x", true}}, open: "[]"},
		{name: "it is said twice", workers: 2, broken: "a", said: []said{{"a", false}, {"a", true}}, open: "[a]", doubts: Doubts{Confirmed: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var handlers []http.HandlerFunc
				var broken atomic.Value
				broken.Store(test.broken)
				for i := range test.workers {
					handlers = append(handlers, func(w http.ResponseWriter, r *http.Request) {
						for _, b := range broken.Load().(string) {
							if int(b-'a') == i {
								w.WriteHeader(http.StatusServiceUnavailable)
							}
						}
					})
				}
				o := Options{Probe: Probe{Path: "/health", Interval: 24 * time.Hour}, Retries: -1, Policy: balance.RoundRobin}
				if test.path == "-" {
					o.Probe.Path = ""
				}
				v := newVirtual(t, o, handlers...)
				defer v.end()
				for _, s := range test.said {
					for i, w := range *v.members.Load() {
						if w.target.Name == s.worker {
							v.Doubt(fmt.Sprint("127.0.0.1:", i+1), s.many)
							if s.many {
								synctest.Wait()
							}
						}
					}
					if s.worker == "x" {
						v.Doubt("127.0.0.1:99", s.many)
					}
				}
				synctest.Wait()
				open := []string{}
				for _, s := range v.Status() {
					if s.Breaker == breaker.Open.String() {
						open = append(open, s.Name)
					}
				}
				// Two that are checked at once are taken out in either order.
				if got := v.Doubts(); fmt.Sprint(open) != test.open && !(test.name == "all are broken" && fmt.Sprint(open) == "[b]") || got != test.doubts {
					t.Errorf("the breakers of %v are open, %+v; want %s, %+v", open, got, test.open, test.doubts)
				}
				if b := v.Broken(); len(b) != 0 {
					t.Errorf("what was only heard is passed on: %v", b)
				}
				broken.Store("")
				time.Sleep(6 * time.Second) // it is probed by requests as any other
				for range 50 {
					if _, err := v.Do(t.Context(), &Request{Method: "GET", URI: "/x"}); err != nil {
						t.Fatal(err)
					}
				}
				for _, s := range v.Status() {
					if s.Breaker != breaker.Closed.String() {
						t.Errorf("%s stays out: %+v", s.Name, s)
					}
				}
			})
		})
	}
}

// TestBroken: a pool tells of the remote workers that its own requests failed on, until they work again.
func TestBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var status atomic.Int64
		status.Store(503)
		v := newVirtual(t, Options{Retries: -1, Breaker: breaker.Options{Jitter: -1}}, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(int(status.Load())) }, answer(""))
		defer v.end()
		ask := func(n int) {
			for range n {
				if _, err := v.Do(t.Context(), &Request{Method: "GET", URI: "/x"}); err != nil {
					t.Fatal(err)
				}
			}
		}
		v.member("b").policy.node.SetShare(0)
		ask(5)
		v.member("b").policy.node.SetShare(1)
		first := v.Broken()
		if len(first) != 1 || first[0].Address != "127.0.0.1:1" || first[0].Number == 0 {
			t.Fatalf("%+v", first)
		}
		time.Sleep(5 * time.Second)
		v.member("b").policy.node.SetShare(0)
		ask(1) // half open, and open again
		second := v.Broken()
		if len(second) != 1 || second[0].Number == first[0].Number {
			t.Errorf("%+v, then %+v", first, second)
		}
		time.Sleep(10 * time.Second)
		status.Store(200)
		ask(3)
		if b := v.Broken(); len(b) != 0 {
			t.Errorf("%+v", b)
		}
		// What others say and its own probes confirm is its own.
		v.Doubt("127.0.0.1:1", true)
		synctest.Wait()
		if b := v.Broken(); len(b) != 0 || v.Doubts().Spared != 1 {
			t.Errorf("%+v, %+v", b, v.Doubts())
		}
		v.member("b").policy.node.SetShare(1)
		v.Doubt("127.0.0.1:1", true)
		synctest.Wait()
		if b := v.Broken(); len(b) != 0 || v.Doubts().Many != 1 {
			t.Errorf("%+v, %+v", b, v.Doubts())
		}
		time.Sleep(20 * time.Second) // it has opened for the third time in a row
		status.Store(503)
		v.member("b").policy.node.SetShare(0)
		ask(1)
		if b := v.Broken(); len(b) != 1 {
			t.Errorf("%+v", b)
		}
	})
}
