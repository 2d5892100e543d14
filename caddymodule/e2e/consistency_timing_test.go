package e2e

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

// BenchmarkConsistency measures what it costs a create that gateways hear of each other: through a gateway alone, and through one of
// two with `consistency bounded` and with `consistency strict`, in alternation, with PostgreSQL as durable as it is by default. An
// iteration is a round of a second for each: `go test -run '^$' -bench Consistency -benchtime 9x ./caddymodule/e2e` takes the medians
// of nine.
func BenchmarkConsistency(b *testing.B) {
	const round = time.Second
	durable := []string{"fsync=on", "synchronous_commit=on", "full_page_writes=on"}
	alone := strings.Replace(bundledApp("exclusive", ""), "sqlite://data/parse.db", testservices.StartPostgreSQL(b, durable...).URI, 1)
	modes := []struct {
		name string
		url  string
	}{
		{"alone", startGateway(b, alone).url()},
		{"bounded", startDeployment(b, "bounded", "", durable...).gateways[0].url()},
		{"strict", startDeployment(b, "strict", "", durable...).gateways[0].url()},
	}
	clients := []int{1, benchClients}
	type measured struct{ rates, medians []float64 }
	results := make([][]measured, len(modes))
	for i, m := range modes {
		results[i] = make([]measured, len(clients))
		createFor(b, m.url, benchClients, round) // it learns what the worker can do
	}
	for b.Loop() {
		for k, n := range clients {
			for i, m := range modes {
				rate, median := createFor(b, m.url, n, round)
				results[i][k].rates = append(results[i][k].rates, rate)
				results[i][k].medians = append(results[i][k].medians, median.Seconds()*1e3)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for i, m := range modes {
		for k, n := range clients {
			rate, ms := middle(results[i][k].rates), middle(results[i][k].medians)
			b.Logf("%-8s %3d clients: %6.0f creates/s, median %.2f ms", m.name, n, rate, ms)
			b.ReportMetric(rate, fmt.Sprintf("%s-%d-creates/s", m.name, n))
			b.ReportMetric(ms, fmt.Sprintf("%s-%d-p50-ms", m.name, n))
		}
	}
}

// middle is the median.
func middle[T float64 | time.Duration](all []T) T {
	slices.Sort(all)
	return all[len(all)/2]
}

// createFor creates objects by so many clients for a time, and returns how many a second, and how long the median took.
func createFor(b *testing.B, base string, clients int, d time.Duration) (perSecond float64, median time.Duration) {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var mu sync.Mutex
	var took []time.Duration
	var running sync.WaitGroup
	began := time.Now()
	for range clients {
		running.Go(func() {
			var mine []time.Duration
			for n := 0; time.Since(began) < d; n++ {
				sent := time.Now()
				req := newRequest("POST", base+"/classes/Made", fmt.Sprintf(`{"n":%d,"kind":"novel"}`, n)).Request
				req.Header.Set("X-Parse-Application-Id", appID)
				req.Header.Set("X-Parse-REST-API-Key", restKey)
				res, err := client.Do(req)
				if err != nil {
					b.Error(err)
					return
				}
				_, err = io.Copy(io.Discard, res.Body)
				if closed := res.Body.Close(); err != nil || closed != nil || res.StatusCode != http.StatusCreated {
					b.Errorf("status %d, %v, %v", res.StatusCode, err, closed)
					return
				}
				mine = append(mine, time.Since(sent))
			}
			mu.Lock()
			took = append(took, mine...)
			mu.Unlock()
		})
	}
	running.Wait()
	if len(took) == 0 {
		b.Fatal("nothing was created")
	}
	return float64(len(took)) / time.Since(began).Seconds(), middle(took)
}
