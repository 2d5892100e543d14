package upstream

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parsescale/parsescale/policies/balance"
)

// TestPanicThreshold: while fewer workers are healthy than the threshold says, all are asked; a change of it holds at once.
func TestPanicThreshold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const all, healthy = 4, 1
		var asked [all]atomic.Int64
		p := newPool(t, Options{})
		var servers []*pipeWorker
		for i := range all {
			w, target := newPipeWorker(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/parse/health" {
					asked[i].Add(1)
				} else if i >= healthy {
					w.WriteHeader(503)
				}
			})
			target.Name, target.Address = fmt.Sprint("w", i), fmt.Sprintf("127.0.0.1:%d", i+1)
			servers = append(servers, w)
			if err := p.Add(target); err != nil {
				t.Fatal(err)
			}
		}
		defer func() {
			p.Close()
			for _, w := range servers {
				w.srv.Close()
			}
		}()
		o := Options{Policy: balance.RoundRobin, Probe: Probe{Path: "/parse/health"}}
		p.Configure(o)
		time.Sleep(20 * time.Second)
		// share is how many of the workers get requests.
		share := func(threshold float64) (n int) {
			o.PanicThreshold = threshold
			p.Configure(o)
			for i := range asked {
				asked[i].Store(0)
			}
			for range 10 * all {
				if _, err := p.Do(t.Context(), &Request{Method: "GET", URI: "/parse/classes/A"}); err != nil {
					t.Fatal(err)
				}
			}
			for i := range asked {
				if asked[i].Load() > 0 {
					n++
				}
			}
			return n
		}
		for _, tt := range []struct {
			threshold float64
			want      int
		}{{0, healthy}, {0.25, healthy}, {0.26, all}, {0.5, all}, {0, healthy}} {
			if got := share(tt.threshold); got != tt.want {
				t.Errorf("threshold %g, 1 of 4 healthy: %d workers are asked, want %d", tt.threshold, got, tt.want)
			}
		}
	})
}
