package breaker

import "testing"

func TestAllowAndDoneAllocate(t *testing.T) {
	b := New(Options{})
	n := testing.AllocsPerRun(1000, func() {
		done, err := b.Allow()
		if err != nil {
			t.Fatal(err)
		}
		done(Success)
	})
	if n > 3 { // the ticket, its method value, gobreaker's closure
		t.Errorf("%v allocations, want at most 3", n)
	}
	if n := testing.AllocsPerRun(1000, func() { b.Ready() }); n != 0 {
		t.Errorf("Ready: %v allocations", n)
	}
}

func BenchmarkAllowAndDone(b *testing.B) {
	br := New(Options{})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if done, err := br.Allow(); err == nil {
				done(Success)
			}
		}
	})
}

func BenchmarkReady(b *testing.B) {
	br := New(Options{})
	b.ReportAllocs()
	for b.Loop() {
		br.Ready()
	}
}
