package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

// TestRecycledWorkers replaces both workers under load, because of their requests and because of their memory: no request
// fails, and nothing that was acknowledged is lost.
func TestRecycledWorkers(t *testing.T) {
	testservices.NeedTime(t, "several seconds until workers are old enough to be replaced")
	for _, test := range []struct{ name, settings string }{
		{"many requests", "max_requests 50"},
		{"much memory", "max_memory 10MB"}, // less than they begin with
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel() // workers are left alone while they are young
			g := startGateway(t, bundledApp(test.settings, ""))
			first := g.workers()
			l := startLoad(t, g.url(), 8)
			for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
				now := g.workers()
				if len(now) == 2 && !slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(first, pid) }) {
					break
				}
				if len(now) > 3 {
					t.Errorf("%d workers at once", len(now))
				}
				if time.Now().After(deadline) {
					t.Fatalf("of the workers %v there are still some among %v", first, now)
				}
			}
			l.end()
			if n := l.sum(t); n.refused > 0 {
				t.Errorf("%d of %d requests were writes that failed", n.refused, n.requests)
			} else {
				t.Logf("%d requests", n.requests)
			}
			l.check(t, g.url())
			l.leave()
			if log := g.process.Output(); !strings.Contains(log, "a successor is started") {
				t.Error("the log doesn't tell of it")
			}
		})
	}
}
