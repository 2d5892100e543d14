package exchange

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
)

// BenchmarkExchange asks a server of the same process for 300 bytes, through this package and through net/http's Transport.
func BenchmarkExchange(b *testing.B) {
	answer := bytes.Repeat([]byte("a"), 300)
	s := serve(b, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(answer)
	})
	body := bytes.Repeat([]byte("b"), 200)
	header := http.Header{"Content-Type": {"application/json"}, "X-Parse-Application-Id": {"app"}, "Accept": {"*/*"}}
	c := s.client(b)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return c.Dial(ctx) }, MaxIdleConnsPerHost: 64}
	b.Cleanup(transport.CloseIdleConnections)
	for name, do := range map[string]func(r *http.Request) (*http.Response, error){
		"exchange": func(r *http.Request) (*http.Response, error) { return first(c.Do(r.Context(), r, body)) },
		"transport": func(r *http.Request) (*http.Response, error) {
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			return transport.RoundTrip(r)
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(16)
			b.RunParallel(func(p *testing.PB) {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				for p.Next() {
					r := request("POST", "/").WithContext(ctx)
					r.Header = header
					if _, got, err := read(do(r)); err != nil || len(got) != len(answer) {
						b.Error(len(got), err)
						return
					}
				}
			})
		})
	}
}
