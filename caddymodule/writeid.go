package caddymodule

import (
	"crypto/rand"
	"fmt"
	"sync/atomic"
)

// writeIDs makes the ids of writes, which let the gateway repeat them: random bits of its own, then a number. Workers keep
// them in an index, and what comes in order is added at one place of that, where random ids would each touch another page.
type writeIDs struct {
	prefix string
	last   atomic.Uint64
}

func newWriteIDs() *writeIDs { return &writeIDs{prefix: rand.Text()} }

func (w *writeIDs) next() string { return fmt.Sprintf("%s-%012x", w.prefix, w.last.Add(1)) }
