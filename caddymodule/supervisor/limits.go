package supervisor

import "time"

const (
	// recycleInterval is how often it is looked for a worker that is due.
	recycleInterval = time.Second
	// youth is how long a worker is spared: one that is too large from the beginning would be replaced for ever.
	youth = 5 * time.Second
)

// Limits say when a worker has done its duty: a successor is started, and when that is ready the worker is drained. The
// zero value: never.
type Limits struct {
	// MaxMemory is the resident memory of a worker beyond which it is replaced, in bytes; 0: any. Only Linux tells.
	MaxMemory int64
	// MaxRequests is the number of requests after which a worker is replaced; 0: any.
	MaxRequests uint64
}

// spread is the share of the limits by which workers differ, so that those that began together aren't due together.
const spread = 0.1

// due is why a worker that uses memory and has had requests is to be replaced; "": it isn't. luck, from 0 to 1, is what
// makes it differ from others.
func (l Limits) due(memory int64, requests uint64, luck float64) string {
	share := 1 - spread*luck
	switch {
	case l.MaxMemory > 0 && float64(memory) > float64(l.MaxMemory)*share:
		return "memory"
	case l.MaxRequests > 0 && float64(requests) >= float64(l.MaxRequests)*share:
		return "requests"
	}
	return ""
}

// Recycled is how many workers were replaced, and why.
type Recycled struct {
	Memory   uint64 `json:"memory"`
	Requests uint64 `json:"requests"`
}
