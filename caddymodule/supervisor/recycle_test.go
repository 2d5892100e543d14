//go:build unix

package supervisor

import (
	"os"
	"runtime"
	"testing"
	"time"
)

func TestDue(t *testing.T) {
	for _, test := range []struct {
		name     string
		limits   Limits
		memory   int64
		requests uint64
		luck     float64
		want     string
	}{
		{"no limits", Limits{}, 1 << 40, 1 << 40, 1, ""},
		{"within both", Limits{1000, 100}, 900, 89, 1, ""},
		{"too large", Limits{1000, 0}, 1001, 0, 0, "memory"},
		{"not too large for a lucky one", Limits{1000, 0}, 950, 0, 0, ""},
		{"too large for an unlucky one", Limits{1000, 0}, 950, 0, 1, "memory"},
		{"its last request", Limits{0, 100}, 1 << 40, 100, 0, "requests"},
		{"the last of an unlucky one", Limits{0, 100}, 0, 90, 1, "requests"},
	} {
		if got := test.limits.due(test.memory, test.requests, test.luck); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestRecycle: workers that had their requests are replaced, one at a time, by successors that are ready before, and no
// request fails.
func TestRecycle(t *testing.T) {
	h := start(t, childOptions{}, func(o *Options) {
		o.Limits, o.youth, o.recycleInterval = Limits{MaxRequests: 200}, time.Millisecond, 10*time.Millisecond
	})
	first := map[int]bool{}
	for _, w := range h.Status() {
		first[w.PID] = true
	}
	end := h.callers(time.Millisecond)
	until(t, "both first workers are replaced", 20*time.Second, func() bool {
		ready, going, old := 0, 0, 0
		for _, w := range h.Status() {
			switch w.State {
			case Ready:
				ready++
			case Draining:
				going++
			}
			if first[w.PID] {
				old++
			}
		}
		if going > 1 || ready < 1 {
			t.Fatalf("%d workers go at once, %d are ready", going, ready)
		}
		return old == 0 && ready == 2
	})
	requests := end()
	if r := h.Recycled(); r.Requests < 2 || r.Memory != 0 {
		t.Errorf("after %d requests: %+v", requests, r)
	}
	h.SetLimits(Limits{})
}

func TestRecycleByMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("left out: only Linux tells a process's memory")
	}
	if m := residentMemory(os.Getpid()); m < 1<<20 || m > 1<<40 {
		t.Errorf("this process has %d bytes", m)
	}
	h := start(t, childOptions{}, func(o *Options) {
		o.Count, o.Limits, o.youth, o.recycleInterval = 1, Limits{MaxMemory: 1 << 20}, time.Millisecond, 10*time.Millisecond
	})
	until(t, "the worker is replaced", 20*time.Second, func() bool { return h.Recycled().Memory > 0 })
	h.SetLimits(Limits{})
}

// TestRecycleSparesTheYoung: a worker that is too large from the beginning isn't replaced for ever.
func TestRecycleSparesTheYoung(t *testing.T) {
	h := start(t, childOptions{}, func(o *Options) {
		o.Limits, o.recycleInterval = Limits{MaxMemory: 1 << 20}, 5*time.Millisecond
	})
	time.Sleep(100 * time.Millisecond)
	if r := h.Recycled(); r != (Recycled{}) {
		t.Errorf("%+v within their first second", r)
	}
}
