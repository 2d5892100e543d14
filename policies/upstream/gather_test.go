package upstream

import (
	"net/http"
	"sync"
	"testing"
	"time"
)

// TestGatherWrites: the writes of a pool go to one worker, while it can be asked and isn't too busy.
func TestGatherWrites(t *testing.T) {
	write := Request{Method: http.MethodPost, URI: "/classes/A", Write: true, WriteID: "w"}
	read := Request{Method: http.MethodGet, URI: "/classes/A"}
	untimed := write
	untimed.Untimed = true
	const requests = 50
	slow := func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(2 * time.Millisecond)
		answer("a")(w, r)
	}
	for _, test := range []struct {
		name    string
		gather  int64
		request Request
		before  func(t *testing.T, p *Pool, workers []*fakeWorker)
		each    func(p *Pool) // before each request
		spread  bool          // the quicker worker, which is the second, gets some; else all go to one
		one     int
	}{
		{name: "writes", gather: 8, request: write, one: 0},
		{name: "reads", gather: 8, request: read, spread: true},
		{name: "writes that take what they take", gather: 8, request: untimed, spread: true},
		{name: "writes of a pool that doesn't gather", request: write, spread: true},
		{name: "the first is busy", gather: 8, request: write, one: 1, before: func(t *testing.T, p *Pool, _ []*fakeWorker) {
			for range 1000 { // 8 would do, if the second never took ten times as long as it takes
				s := (*p.members.Load())[0].take(time.Now(), false)
				if s == nil {
					t.Fatal("the first worker takes no request")
				}
				t.Cleanup(func() { s.leave(outcome{}) })
			}
		}},
		{name: "the first is dead", gather: 8, request: write, one: 1, before: func(_ *testing.T, _ *Pool, workers []*fakeWorker) {
			workers[0].kill()
		}},
		{name: "the first hangs", gather: 8, request: write, spread: true, before: func(t *testing.T, p *Pool, _ []*fakeWorker) {
			first := (*p.members.Load())[0]
			s := first.take(time.Now(), false)
			if s == nil {
				t.Fatal("the first worker takes no request")
			}
			t.Cleanup(func() { s.leave(outcome{}) })
		}, each: func(p *Pool) { // an answer to a probe may come at any time
			(*p.members.Load())[0].answered.Store(time.Now().Add(-2 * hesitation).UnixNano())
		}},
		{name: "the first was idle for long", gather: 8, request: write, one: 0, before: func(_ *testing.T, p *Pool, _ []*fakeWorker) {
			(*p.members.Load())[0].answered.Add(-int64(time.Hour))
		}},
		{name: "the first drains", gather: 8, request: write, one: 1, before: func(_ *testing.T, p *Pool, _ []*fakeWorker) {
			(*p.members.Load())[0].drain()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			workers := []*fakeWorker{newWorker(t, "unix", slow), newWorker(t, "unix", answer("b"))}
			p := newPool(t, Options{GatherWrites: test.gather}, workers[0].target("a", Bundled), workers[1].target("b", Bundled))
			for range 8 { // both are known
				if _, err := p.Do(t.Context(), &read); err != nil {
					t.Fatal(err)
				}
			}
			if test.before != nil {
				test.before(t, p, workers)
			}
			start := [2]int64{workers[0].requests.Load(), workers[1].requests.Load()}
			var all sync.WaitGroup
			for range requests {
				do := func() {
					if _, err := p.Do(t.Context(), &test.request); err != nil {
						t.Error(err)
					}
				}
				if test.each != nil {
					test.each(p)
				}
				if test.spread {
					all.Go(do) // at once, so that it isn't all up to which worker was the quicker one
				} else {
					do()
				}
			}
			all.Wait()
			got := [2]int64{workers[0].requests.Load() - start[0], workers[1].requests.Load() - start[1]}
			if test.spread && got[1] == 0 {
				t.Errorf("the workers got %v of %d requests, want some for the second", got, requests)
			}
			if !test.spread && got[test.one] != requests {
				t.Errorf("the workers got %v of %d requests, want all for worker %d", got, requests, test.one)
			}
		})
	}
}
