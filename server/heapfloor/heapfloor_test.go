package heapfloor

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// goal is how large the heap may become before its garbage is collected.
func goal() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.NextGC) //nolint:gosec // some megabytes
}

func TestFloor(t *testing.T) {
	t.Setenv("GOGC", "")
	without := goal()
	floor := New()
	with := goal()
	runtime.KeepAlive(floor)
	if with < without+size || without > size/2 {
		t.Errorf("the garbage is collected at %d bytes with the floor, at %d without", with, without)
	}
	floor = nil
	if again := goal(); again > without+size/2 {
		t.Errorf("without the floor again, at %d", again)
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
		t.Skip("left out: what the process takes is read from /proc, which only Linux has: ", err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
