package health

import "testing"

func TestObserveAndAvailableAllocateNothing(t *testing.T) {
	_, ms := group(4, Options{Fall: 1})
	ms[1].Probe(false)
	if n := testing.AllocsPerRun(100, func() {
		ms[0].Observe(start, Success)
		ms[0].Available(start)
		ms[1].Available(start)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkObserveAndAvailable(b *testing.B) {
	_, ms := group(4, Options{})
	b.ReportAllocs()
	for b.Loop() {
		ms[0].Observe(start, Success)
		ms[0].Available(start)
	}
}
