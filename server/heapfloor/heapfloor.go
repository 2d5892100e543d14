// Package heapfloor has a process with a small heap collect its garbage less often. The collector lets a heap double before
// it runs again, so a server that holds 6 MB and makes 20 kB of garbage a request runs it every 300 requests, a hundred times a
// second. A floor counts as live, but is never touched and so takes no memory; what takes some is the garbage that it lets
// gather, as much as its size.
//
// It must not know what the process does.
package heapfloor

import "os"

// size, in bytes, is how much more garbage may gather. To the heap of a large cache it adds nothing worth mentioning.
const size = 32 << 20

// Floor has effect as long as somebody holds it.
type Floor struct{ untouched []byte }

// New returns a floor; nil if the environment variable GOGC is set, for then the operator has said how much garbage there may be.
func New() *Floor {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	return &Floor{make([]byte, size)}
}
