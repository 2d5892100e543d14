package admission

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Options tune a Limiter. The zero value of each field means its default.
type Options struct {
	// Initial, Min and Max are requests under way per worker: the limit to begin with, and its bounds. Default 100, 40
	// and 1000; Initial is brought within the bounds, and counts for as many workers as there are first.
	Initial, Min, Max int
	// Queue is how many requests may wait. Default 256; negative: none.
	Queue int
	// QueueBytes bounds the sizes of those that wait, in bytes. Default 64 MiB.
	QueueBytes int64
	// MaxWait is how long a request may wait. Default 250 ms.
	MaxWait time.Duration
	// Tolerance is how many times as long as usual answers may take before the limit shrinks. Default 2.
	Tolerance float64
	// Workers tells how many workers take requests; it is asked every tenth of a second, and less than one counts as
	// one. Default: one worker.
	Workers func() int
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// The defaults that a configuration may want to name.
const (
	DefaultInitial = 100
	DefaultMin     = 40
	DefaultMax     = 1000
	DefaultQueue   = 256
	DefaultMaxWait = 250 * time.Millisecond
)

func (o Options) withDefaults() (Options, error) {
	set(&o.Initial, DefaultInitial)
	set(&o.Min, min(DefaultMin, max(o.Max, 0)))
	set(&o.Min, DefaultMin)
	set(&o.Max, max(DefaultMax, o.Min))
	set(&o.Queue, DefaultQueue)
	set(&o.QueueBytes, 64<<20)
	set(&o.MaxWait, DefaultMaxWait)
	set(&o.Tolerance, 2)
	if o.Workers == nil {
		o.Workers = func() int { return 1 }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	switch {
	case o.Min < 1 || o.Max < o.Min || o.Initial < 1:
		return o, fmt.Errorf("cannot limit requests to between %d and %d a worker, beginning with %d", o.Min, o.Max, o.Initial)
	case o.MaxWait < 0 || o.QueueBytes < 0:
		return o, errors.New("cannot let requests wait for less than no time, or no room")
	case !(o.Tolerance >= 1) || math.IsInf(o.Tolerance, 0):
		return o, fmt.Errorf("cannot limit requests with a tolerance of %v; it is at least 1", o.Tolerance)
	}
	o.Initial = min(max(o.Initial, o.Min), o.Max)
	o.Queue = max(o.Queue, 0)
	return o, nil
}

func set[T comparable](field *T, fallback T) {
	var zero T
	if *field == zero {
		*field = fallback
	}
}
