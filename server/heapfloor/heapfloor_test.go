package heapfloor

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// garbage makes some, and returns how often it was collected meanwhile.
func garbage() uint32 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 2000 {
		kept = make([]byte, 64<<10)
	}
	runtime.ReadMemStats(&after)
	return after.NumGC - before.NumGC
}

var kept []byte // so that the compiler doesn't leave the garbage out

func TestFloor(t *testing.T) {
	t.Setenv("GOGC", "")
	runtime.GC()
	without := garbage()
	floor := New()
	runtime.GC()
	with := garbage()
	runtime.KeepAlive(floor)
	if with == 0 || with*4 > without {
		t.Errorf("125 MB of garbage are collected in %d runs with the floor, in %d without", with, without)
	}
	floor = nil
	runtime.GC()
	if again := garbage(); again < 2*with {
		t.Errorf("without the floor again, in %d runs", again)
	}
}

// TestFloorIsTheOperators: whoever says how much garbage, or memory, there may be is obeyed.
func TestFloorIsTheOperators(t *testing.T) {
	t.Setenv("GOGC", "50")
	if New() != nil {
		t.Error("there is a floor although GOGC is set")
	}
	t.Setenv("GOGC", "")
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(100 << 20))
	if New() != nil {
		t.Error("there is a floor although it takes a third of the memory")
	}
	debug.SetMemoryLimit(1 << 30)
	if New() == nil {
		t.Error("there is none although there is memory enough")
	}
}

// TestFloorTakesNoMemory: nor does one that comes after others.
func TestFloorTakesNoMemory(t *testing.T) {
	t.Setenv("GOGC", "")
	before := resident(t)
	var floor *Floor
	for range 5 {
		next := New() // while there is the one before, as when a configuration is loaded
		floor = next
		runtime.GC()
	}
	if after := resident(t); after-before > size/2 {
		t.Errorf("it takes %d MB", (after-before)>>20)
	}
	runtime.KeepAlive(floor)
}

// resident is how much memory the process takes.
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
