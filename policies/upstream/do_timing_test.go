package upstream

import (
	"bytes"
	"context"
	"net/http"
	"testing"
)

// BenchmarkDo is a read of 1 kB over a unix socket, the worker's side (net/http's server) included.
func BenchmarkDo(b *testing.B) {
	t := &testing.T{}
	w := newWorker(t, "unix", answer(string(bytes.Repeat([]byte("x"), 1024))))
	defer w.kill()
	p := New(Options{})
	defer p.Close()
	if err := p.Add(w.target("w", Bundled)); err != nil {
		b.Fatal(err)
	}
	r := &Request{Method: "GET", URI: "/classes/X?where=%7B%7D", Header: http.Header{"X-Parse-Application-Id": {"app"}, "User-Agent": {"x"}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Do(context.Background(), r); err != nil {
			b.Fatal(err)
		}
	}
}

// The choice of a worker costs one allocation of its own (the seat), and what the breaker's ticket costs.
func TestChooseAllocations(t *testing.T) {
	p := newPool(t, Options{}, Target{Address: "127.0.0.1:1"}, Target{Address: "127.0.0.1:2"})
	c := &call{req: &Request{}, options: &Options{}}
	if n := testing.AllocsPerRun(100, func() {
		s := p.choose(c)
		s.leave(succeeded.learn(0, &Request{}))
	}); n > 5 {
		t.Errorf("%v allocations, want at most 5", n)
	}
}
