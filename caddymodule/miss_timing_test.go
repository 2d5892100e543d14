package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkMiss is a get that a worker over TCP answers, its side (net/http's server) included, with and without admission.
func BenchmarkMiss(b *testing.B) {
	for name, setting := range map[string]string{"admission": "", "admission off": "admission off"} {
		b.Run(name, func(b *testing.B) {
			s, err := trySite(b, remoteSite(newRecordingWorker(b, results), setting))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest("GET", "/parse/classes/A/o1", http.NoBody)
				r.Header["X-Parse-Application-Id"] = []string{"app"}
				s.server.ServeHTTP(&blank{h: http.Header{}}, r)
			}
		})
	}
}
