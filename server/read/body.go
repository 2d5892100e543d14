package read

import "sync"

// bodies are the memory of answers that were sent.
var bodies = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// maxKept bounds, in bytes, what is kept of an answer that was sent: rare large ones are left to the garbage collector.
const maxKept = 256 << 10

// Release gives back the memory of Body, which nobody may read any more. Whoever isn't sure of that doesn't call it.
func (r *Result) Release() {
	if r.memory == nil {
		return
	}
	if cap(r.Body) <= maxKept && cap(r.Body) > 0 {
		*r.memory = r.Body[:0]
	}
	bodies.Put(r.memory)
	r.Body, r.memory = nil, nil
}
