package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// These measure requests per second through `parsescale run` with two bundled workers, from 64 clients in this process,
// which takes a good part of the processor: examples/loadtest measures the same with wrk.

const benchClients = 64

// measureRun sends the request that make returns, n times from many clients at once.
func measureRun(b *testing.B, prepare func(base string), request func(base string, n int64) *http.Request) {
	g := startGateway(b, bundledApp("", ""))
	prepare(g.url())
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: benchClients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var sent atomic.Int64
	b.SetParallelism(benchClients / 2) // times GOMAXPROCS
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req := request(g.url(), sent.Add(1))
			req.Header.Set("X-Parse-Application-Id", appID)
			req.Header.Set("X-Parse-REST-API-Key", restKey)
			res, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			_, err = io.Copy(io.Discard, res.Body)
			if closed := res.Body.Close(); err != nil || closed != nil || res.StatusCode >= 300 {
				b.Errorf("status %d, %v, %v", res.StatusCode, err, closed)
				return
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

// books makes the objects that are read.
func books(base string) {
	for n := range 20 {
		newRequest("POST", base+"/classes/Book", fmt.Sprintf(`{"n":%d,"kind":"novel"}`, n)).send()
	}
}

type benchRequest struct{ *http.Request }

func newRequest(method, url, body string) benchRequest {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		panic(err) // the methods and addresses here are constant
	}
	req.Header.Set("Content-Type", "application/json")
	return benchRequest{req}
}

func (r benchRequest) send() string {
	r.Header.Set("X-Parse-Application-Id", appID)
	r.Header.Set("X-Parse-REST-API-Key", restKey)
	res, err := http.DefaultClient.Do(r.Request)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

func BenchmarkRunCachedFind(b *testing.B) {
	measureRun(b, books, func(base string, _ int64) *http.Request {
		return newRequest("GET", base+"/classes/Book?where=%7B%22kind%22%3A%22novel%22%7D", "").Request
	})
}

func BenchmarkRunUncachedGet(b *testing.B) {
	id := ""
	measureRun(b, func(base string) {
		made := newRequest("POST", base+"/classes/Book", `{"n":1}`).send()
		_, rest, _ := strings.Cut(made, `"objectId":"`)
		id, _, _ = strings.Cut(rest, `"`)
		if id == "" {
			b.Fatalf("no object was made: %s", made)
		}
	}, func(base string, _ int64) *http.Request {
		req := newRequest("GET", base+"/classes/Book/"+id, "").Request
		req.Header.Set("Cache-Control", "no-cache")
		return req
	})
}

func BenchmarkRunCreate(b *testing.B) {
	measureRun(b, func(string) {}, func(base string, n int64) *http.Request {
		return newRequest("POST", base+"/classes/Made", fmt.Sprintf(`{"n":%d,"kind":"novel"}`, n)).Request
	})
}
