package caddymodule

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/parsescale/parsescale/policies/autoscale"
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
	if last := g.events.waiting[0].data["worker"]; g.events.waiting[0].name != workerEvent || last != "0" {
		t.Errorf("the first one is %v", g.events.waiting[0])
	}
	g.events.tell() // no config is active: they are forgotten
	if len(g.events.waiting) != 0 || g.events.telling {
		t.Errorf("%d events wait after they were told", len(g.events.waiting))
	}
}

// TestOrderOfEvents: what one number of workers is followed by is told after it, however long its handlers take.
func TestOrderOfEvents(t *testing.T) {
	g := &gateway{}
	g.events.telling = true // nobody takes them
	n := &scaling{g: g, log: slog.New(slog.DiscardHandler)}
	for desired := 1; desired <= 3; desired++ {
		n.decide(autoscale.Decision{Desired: desired}, 1)
	}
	var told []any
	for _, e := range g.events.waiting {
		if e.name == wantedEvent {
			told = append(told, e.data["desired"])
		}
	}
	if want := []any{1, 2, 3}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}
