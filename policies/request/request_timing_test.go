package request

import (
	"net/http"
	"strings"
	"testing"
)

var timed = map[string]Input{
	"GET": ask("GET /classes/Game/abc", "", app, "X-Parse-Session-Token: r:0123456789abcdef0123456789abcdef"),
	"GET where": ask("GET /classes/Game?where=%7B%22score%22%3A%7B%22%24gt%22%3A1000%7D%7D&limit=10", "", app,
		"X-Parse-Session-Token: r:0123456789abcdef0123456789abcdef"),
	"POST where": ask("POST /classes/Game", `{"where":{"score":{"$gt":1000},"player":"x"},"limit":10,"order":"-score","_method":"GET","_ApplicationId":"APP",`+
		`"_JavaScriptKey":"k","_ClientVersion":"js5.3.0","_InstallationId":"5b8f2a1c-3d4e-4f50-8a6b-7c8d9e0f1a2b","_SessionToken":"r:0123456789abcdef0123456789abcdef"}`,
		"Content-Type: text/plain"),
	"write":       ask("POST /classes/Game", `{"score":12,"player":"x","tags":["a","b"],"meta":{"a":{"b":1}}}`, app, "Content-Type: application/json"),
	"large write": ask("PUT /classes/Game/abc", `{"text":"`+strings.Repeat("lorem ipsum ", 5000)+`"}`, app, "Content-Type: application/json"),
	"batch": ask("POST /batch", `{"requests":[`+strings.Repeat(`{"method":"POST","path":"/parse/classes/Game","body":{"score":1}},`, 49)+
		`{"method":"POST","path":"/parse/classes/Game","body":{"score":1}}]}`, app),
}

// What the classifier itself allocates; parsing a query is on top.
func TestAllocations(t *testing.T) {
	for name, limit := range map[string]float64{
		"write":       1, // the list of classes
		"large write": 1,
	} {
		in := timed[name]
		if n := testing.AllocsPerRun(100, func() { Classify(in) }); n > limit {
			t.Errorf("%s: %v allocations, want at most %v", name, n, limit)
		}
	}
	in := timed["POST where"]
	in.Header = http.Header{"X-Parse-Master-Key": {"m"}} // the query isn't parsed then
	if n := testing.AllocsPerRun(100, func() { Classify(in) }); n > 5 {
		t.Errorf("body with credentials: %v allocations, want one for each of the five", n)
	}
	r := Classify(timed["GET"])
	if n := testing.AllocsPerRun(100, func() { r.Key(r.Token()) }); n > 1 {
		t.Errorf("Key: %v allocations", n)
	}
}

func BenchmarkClassify(b *testing.B) {
	for name, in := range timed {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(in.Body)))
			for b.Loop() {
				Classify(in)
			}
		})
	}
}

func BenchmarkKey(b *testing.B) {
	r := Classify(timed["POST where"])
	b.ReportAllocs()
	for b.Loop() {
		r.Key(r.Token())
	}
}
