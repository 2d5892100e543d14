package e2e

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

// What TestWorkerKilled demands at least while a worker dies every second, on two slow cores.
const (
	minThroughput = 500.0 // requests answered in a second
	minHitShare   = 0.5   // of the reads of a class that nobody writes
	maxFailed     = 0.005 // of the requests: writes that were refused; the gateway repeats those whose worker died
)

// TestWorkerKilled kills a worker every second under load. A client notices nothing of it.
func TestWorkerKilled(t *testing.T) {
	testservices.NeedTime(t, "20 s of killing workers")
	g := startGateway(t, bundledApp("", ""))
	l := startLoad(t, g.url(), 32)
	random := rand.New(rand.NewPCG(1, 2))
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	kills := 0
	for range 20 {
		<-tick.C
		pids := g.workers()
		if len(pids) == 0 {
			continue
		}
		if err := syscall.Kill(pids[random.IntN(len(pids))], syscall.SIGKILL); err == nil {
			kills++
		}
	}
	took := l.end()

	n := l.sum(t)
	throughput, share := float64(n.requests)/took.Seconds(), float64(n.hits)/float64(max(n.reads, 1))
	t.Logf("%d workers killed; %d requests, %.0f/s; %.0f %% of the catalog reads were hits; %d writes refused", kills, n.requests, throughput, 100*share, n.refused)
	if kills < 15 {
		t.Errorf("only %d workers were there to be killed", kills)
	}
	if throughput < minThroughput {
		t.Errorf("throughput %.0f/s, want at least %.0f/s", throughput, minThroughput)
	}
	if share < minHitShare {
		t.Errorf("hit share %.2f, want at least %.2f", share, minHitShare)
	}
	if float64(n.refused) > maxFailed*float64(n.requests) {
		t.Errorf("%d of %d requests were writes that were refused", n.refused, n.requests)
	}
	l.check(t, g.url())
	g.process.Stop(syscall.SIGTERM)
	g.noProcessWithin(20 * time.Second)
}

// TestGatewayKilled kills the gateway itself under load. Its workers go with it, it starts again at once, and what was
// acknowledged is there.
func TestGatewayKilled(t *testing.T) {
	testservices.NeedTime(t, "killing the gateway a few times")
	g := startGateway(t, bundledApp("", ""))
	l := startLoad(t, g.url(), 16)
	for round := range 4 {
		time.Sleep(time.Second) // of load
		before := g.workers()
		if len(before) != 2 {
			t.Fatalf("round %d: workers %v, want two", round, before)
		}
		g.kill()
		if round%2 == 0 {
			g.noProcessWithin(20 * time.Second)
			g.start()
			continue
		}
		// Started again while the old workers may still be there.
		g.start()
		deadline := time.Now().Add(20 * time.Second)
		for _, pid := range before {
			for running(pid) && time.Now().Before(deadline) {
				time.Sleep(10 * time.Millisecond)
			}
			if running(pid) {
				t.Errorf("round %d: worker %d outlived its gateway", round, pid)
			}
		}
	}
	time.Sleep(time.Second) // of load after the last start
	l.end()
	for _, c := range l.clients {
		for _, f := range c.wrong {
			t.Errorf("client %d: %s", c.number, f)
		}
		if len(c.acked) == 0 {
			t.Errorf("client %d wrote nothing", c.number)
		}
	}
	l.check(t, g.url())
	if n := len(g.processes()); n != 3 {
		t.Errorf("%d processes run, want the gateway and two workers", n)
	}
}
