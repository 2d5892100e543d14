package upstream

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parsescale/parsescale/policies/balance"
)

// TestNewcomer simulates a pool that gets a second worker, whose first request takes as long as it takes: a job, or an answer that
// its client takes a while to read. It gets its part of the other requests all the same.
func TestNewcomer(t *testing.T) {
	for _, test := range []struct {
		name  string
		first Request
	}{
		{"a job", Request{Method: "POST", URI: "/jobs/long", Write: true, WriteID: "w", Untimed: true}},
		{"an answer that is read slowly", Request{Method: "GET", URI: "/events", Unbuffered: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				work := func(w http.ResponseWriter, r *http.Request) {
					switch r.URL.Path {
					case "/jobs/long":
						time.Sleep(10 * time.Minute)
					case "/events":
						w.(http.Flusher).Flush()
						time.Sleep(10 * time.Minute)
					default:
						time.Sleep(10 * time.Millisecond)
					}
				}
				v := newVirtual(t, Options{AnswerTimeout: -1, Balance: balance.Options{IntN: rand.IntN}}, work)
				defer v.end()
				var wg sync.WaitGroup
				reads := func(perSecond int, d time.Duration) {
					for begun := time.Now(); time.Since(begun) < d; time.Sleep(time.Second / time.Duration(perSecond)) {
						wg.Go(func() {
							if _, err := v.Do(t.Context(), &Request{Method: "GET", URI: "/x"}); err != nil {
								t.Error(err)
							}
						})
					}
				}
				reads(300, 10*time.Second)
				v.add(t, work)
				test.first.Worker = "b"
				wg.Go(func() {
					res, err := v.Do(t.Context(), &test.first)
					if err != nil {
						t.Error(err)
						return
					}
					if res.Stream != nil {
						time.Sleep(10 * time.Minute)
						_ = res.Stream.Close()
					}
				})
				synctest.Wait() // it is the first
				reads(300, time.Minute)
				before := v.Status()
				reads(300, time.Minute)
				after := v.Status()
				a, b := after[0].Requests-before[0].Requests, after[1].Requests-before[1].Requests
				if share := float64(b) / float64(a+b); share < 0.25 {
					t.Errorf("past its slow start the new worker got %.1f%% of the requests", 100*share)
				} else {
					t.Logf("past its slow start the new worker got %.1f%% of the requests", 100*share)
				}
				wg.Wait()
			})
		})
	}
}
