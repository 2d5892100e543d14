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
		o.Limits, o.youth, o.recycleInterval = Limits{MaxMemory: 1 << 20}, time.Hour, 5*time.Millisecond
	})
	time.Sleep(100 * time.Millisecond)
	if r := h.Recycled(); r != (Recycled{}) {
		t.Errorf("%+v in their youth", r)
	}
}

// TestSuccessorGivesWay: a successor that takes its time holds up nobody who changes the number of workers, and is no reason to start
// it anew if the number stays.
func TestSuccessorGivesWay(t *testing.T) {
	h := start(t, childOptions{}, func(o *Options) {
		o.youth, o.recycleInterval, o.StartTimeout = time.Millisecond, 5*time.Millisecond, time.Minute
	})
	h.mu.Lock()
	good := h.server
	h.server = []byte(`{"Never":true}`)
	h.options.Limits = Limits{MaxMemory: 1}
	if runtime.GOOS != "linux" {
		h.options.Limits = Limits{MaxRequests: 1}
	}
	h.mu.Unlock()
	if _, err := h.get("/about"); err != nil {
		t.Fatal(err)
	}
	until(t, "a successor is started", 20*time.Second, func() bool { return len(h.Status()) == 3 })
	begun := time.Now()
	if err := h.Scale(2); err != nil {
		t.Fatal(err)
	}
	if n := len(h.Status()); n != 3 {
		t.Errorf("%d workers, though the number stays: want the successor to be started still", n)
	}
	h.SetLimits(Limits{})
	h.mu.Lock()
	h.server = good
	h.mu.Unlock()
	if err := h.Scale(3); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("another number of workers took %s", took)
	}
	until(t, "the third worker is ready, the successor gone", 20*time.Second, func() bool {
		ready := 0
		for _, w := range h.Status() {
			if w.State == Ready {
				ready++
			}
		}
		return ready == 3 && len(h.Status()) == 3
	})
}

// TestRecycleBesideACrashLoop: a worker that ends again and again doesn't keep others from being replaced.
func TestRecycleBesideACrashLoop(t *testing.T) {
	h := start(t, childOptions{}, func(o *Options) {
		o.youth, o.recycleInterval, o.BackoffMin, o.BackoffMax = time.Millisecond, 10*time.Millisecond, time.Second, time.Second
	})
	h.mu.Lock()
	bad, good := h.slots[0], h.slots[1]
	bad.server = []byte(`{"Exit":true}`)
	h.mu.Unlock()
	pid := 0
	for _, w := range h.Status() {
		if w.Name == bad.name() {
			pid = w.PID
		}
	}
	if p, err := os.FindProcess(pid); err != nil || p.Kill() != nil {
		t.Fatal("cannot kill the worker")
	}
	until(t, "the worker crashes", 20*time.Second, func() bool {
		for _, w := range h.Status() {
			if w.Name == bad.name() {
				return w.Restarts > 0
			}
		}
		return false
	})
	for range 3 {
		if _, err := h.get("/about"); err != nil {
			t.Fatal(err)
		}
	}
	h.SetLimits(Limits{MaxRequests: 2})
	until(t, "the other worker is replaced", 20*time.Second, func() bool { return h.Recycled().Requests > 0 })
	h.SetLimits(Limits{})
	h.mu.Lock()
	defer h.mu.Unlock()
	if !good.stopping || bad.stopping {
		t.Errorf("the worker that crashes is given up: %v, the other one: %v", bad.stopping, good.stopping)
	}
}
