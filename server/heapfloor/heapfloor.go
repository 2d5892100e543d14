// Package heapfloor has a process with a small heap collect its garbage less often. The collector lets a heap double before
// it runs again, so a server that holds 6 MB and makes 20 kB of garbage a request runs it every 300 requests, a hundred times a
// second. A floor counts as live, but is never touched and so takes no memory; what takes some is the garbage that it lets
// gather, as much as its size.
//
// It must not know what the process does.
package heapfloor

import (
	"os"
	"runtime/debug"
	"sync"
	"weak"
)

// size, in bytes, is how much more garbage may gather. To the heap of a large cache it adds nothing worth mentioning.
const size = 32 << 20

// leastLimit is the memory limit from which on the floor, which counts towards it, leaves enough to the process.
const leastLimit = 8 * size

// Floor has effect as long as somebody holds it.
type Floor struct{ untouched []byte }

// held is the floor of the process. A second one might be where an earlier one was, which the runtime fills with zeros first.
var held struct {
	mu    sync.Mutex
	floor weak.Pointer[Floor]
}

// New returns a floor, the one that somebody holds if there is one; nil if the environment variable GOGC is set, for then the
// operator has said how much garbage there may be, or if there may be little memory.
func New() *Floor {
	if os.Getenv("GOGC") != "" || debug.SetMemoryLimit(-1) < leastLimit {
		return nil
	}
	held.mu.Lock()
	defer held.mu.Unlock()
	if f := held.floor.Value(); f != nil {
		return f
	}
	f := &Floor{make([]byte, size)}
	held.floor = weak.Make(f)
	return f
}
