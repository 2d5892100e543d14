package ratelimit

import (
	"strconv"
	"testing"
	"time"
)

func TestTakeOfKnownKeyAllocatesNothing(t *testing.T) {
	l, err := New([]Policy{{Quota: 1000, Window: time.Second}, {Name: "daily", Quota: 1e6, Window: 24 * time.Hour}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { buf = l.Take("app", 1).AppendHeader(buf[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRequestsOfAKnownAppAllocateLittle(t *testing.T) {
	g := newGate(t, "app", ByApp, 1e6)
	r := find()
	if n := testing.AllocsPerRun(100, func() { g.zones.Take(nil, g.known.Client(r, "2001:db8::1", g.zones), r) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTake(b *testing.B) {
	l, err := New([]Policy{{Quota: 1e6, Window: time.Second}}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("one key", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				l.Take("app", 1)
			}
		})
	})
	keys := make([]string, 1<<17)
	for i := range keys {
		keys[i] = "app " + strconv.Itoa(i)
	}
	b.Run("more keys than it holds", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			l.Take(keys[i&(len(keys)-1)], 1)
		}
	})
}
