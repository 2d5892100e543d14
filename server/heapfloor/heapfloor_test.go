package heapfloor

import (
	"runtime"
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

// TestFloorIsTheOperators: whoever says how much garbage there may be is obeyed.
func TestFloorIsTheOperators(t *testing.T) {
	t.Setenv("GOGC", "50")
	if New() != nil {
		t.Error("there is a floor although GOGC is set")
	}
}
