package caddymodule

import (
	"fmt"
	"testing"

	"github.com/parsescale/parsescale/policies/upstream"
)

// TestEventQueue: what happens to workers waits for nobody, and isn't kept without a bound.
func TestEventQueue(t *testing.T) {
	g := &gateway{}
	g.events.telling = true // nobody takes them
	for i := range maxEvents + 5 {
		g.workerChanged(upstream.Change{Worker: fmt.Sprint(i), What: "breaker", From: "closed", To: "open"})
	}
	if n := len(g.events.waiting); n != maxEvents {
		t.Errorf("%d events wait, want %d", n, maxEvents)
	}
	g.events.tell() // no config is active: they are forgotten
	if len(g.events.waiting) != 0 || g.events.telling {
		t.Errorf("%d events wait after they were told", len(g.events.waiting))
	}
}
