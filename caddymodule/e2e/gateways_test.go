package e2e

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

// deployment is two gateways with workers on one PostgreSQL database, and the Redis by which they hear of each other.
type deployment struct {
	gateways []*gateway
	redis    *testservices.Redis
	proxy    *testservices.Proxy // between them and it
}

// startDeployment starts one; directive goes into the sites' directives, and settings are PostgreSQL's.
func startDeployment(t testing.TB, consistency, directive string, settings ...string) *deployment {
	t.Helper()
	return startDeploymentOf(t, startGateway, consistency, directive, settings...)
}

// startDeploymentOf is startDeployment with another way to start a gateway.
func startDeploymentOf(t testing.TB, start func(t testing.TB, caddyfile string) *gateway, consistency, directive string, settings ...string) *deployment {
	t.Helper()
	uri := testservices.StartPostgreSQL(t, settings...).URI
	d := &deployment{redis: testservices.StartRedis(t)}
	d.proxy = testservices.StartProxy(t, d.redis.Address)
	config := sharing(d.redis.At(d.proxy.Address), bundledApp("exclusive\n\t\t\tconsistency "+consistency+"\n\t\t\toption allowCustomObjectId true\n\t\t\toption serverURL http://deployment.example/parse", directive))
	for range maxDoors {
		d.gateways = append(d.gateways, start(t, strings.Replace(config, "sqlite://data/parse.db", uri, 1)))
	}
	d.awaitStep(t, maxDoors-1)
	return d
}

// awaitStep waits until each gateway is in step with so many others.
func (d *deployment) awaitStep(t testing.TB, others int) {
	t.Helper()
	for end := time.Now().Add(40 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		ready := 0
		var last any
		for _, g := range d.gateways {
			s, err := g.status()
			if err != nil {
				t.Fatal(err)
			}
			app := s.Apps["default"]
			last = app
			members := 0
			for _, p := range app.Gateways.Peers {
				if p.Member {
					members++
				}
			}
			if app.Serving && app.Gateways.InStep && members == others {
				ready++
			}
		}
		if ready == len(d.gateways) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the gateways don't get in step: %+v", last)
		}
	}
}

// gaps is how often the first gateway has missed something.
func (d *deployment) gaps(t *testing.T) uint64 {
	t.Helper()
	s, err := d.gateways[0].status()
	if err != nil {
		t.Fatal(err)
	}
	return s.Apps["default"].Gateways.Gaps
}

func (d *deployment) coherence(t *testing.T, bound time.Duration) *coherence {
	c := newCoherence(t, d.gateways[0])
	c.bound, c.contended.history.Bound = bound, bound
	c.contended.updatesOnly = bound > 0 // else too many orders explain a history in which answers lag
	for i, g := range d.gateways {
		door := newClient(t, g.url())
		door.door = i
		c.doors = append(c.doors, door)
	}
	for _, r := range c.all {
		r.raise(r.known.Load())
	}
	return c
}

// trouble goes through everything that may happen to the gateways and to what they share.
func (d *deployment) trouble(ctx context.Context, t *testing.T, c *coherence) {
	pause := func(d time.Duration) bool {
		select {
		case <-time.After(d):
			return ctx.Err() == nil
		case <-ctx.Done():
			return false
		}
	}
	random := rand.New(rand.NewPCG(c.seed, 98))
	workers, cancel := context.WithCancel(ctx)
	defer cancel()
	var killing sync.WaitGroup
	defer killing.Wait()
	defer cancel()
	killing.Go(func() { c.disturb(workers, d.gateways[1]) })
	if !pause(2 * time.Second) {
		return
	}
	c.journal.add("* Redis is stopped")
	d.redis.Kill()
	pause(time.Second)
	d.redis.Restart(t)
	c.journal.add("* Redis is back, without its data")
	if !pause(2 * time.Second) {
		return
	}
	delay := time.Duration(20+random.IntN(300)) * time.Millisecond
	c.journal.add("* Redis is slow: %s in each direction", delay)
	d.proxy.Delay(delay)
	pause(time.Second)
	d.proxy.Delay(0)
	c.journal.add("* Redis isn't slow any more")
	c.reload(d.gateways[0])
	if !pause(time.Second) {
		return
	}
	cancel()
	killing.Wait()
	d.missRecords(t, c)
	if !pause(time.Second) {
		return
	}
	d.failOver(t, c)
	if !pause(2 * time.Second) {
		return
	}
	c.journal.add("* a gateway is killed")
	c.dying.Store(true)
	d.gateways[1].kill()
	d.gateways[1].start()
	c.journal.add("* it is back")
	time.Sleep(100 * time.Millisecond) // the requests that failed have been counted
	c.dying.Store(false)
	d.awaitStep(t, maxDoors-1)
	c.journal.add("* all is well again")
	pause(5 * time.Second)
}

// missRecords pauses a gateway, and has Redis forget meanwhile what it was told of.
func (d *deployment) missRecords(t *testing.T, c *coherence) {
	pid := d.gateways[1].process.PID()
	c.journal.add("* a gateway is paused")
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Error(err)
		return
	}
	time.Sleep(time.Second)
	c.journal.add("* the stream is trimmed")
	d.redis.Trim(t, "parsescale:*:feed")
	c.journal.add("* the gateway goes on")
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Error(err)
	}
}

// failOver has a replica of Redis take over that hasn't heard all that the primary took.
func (d *deployment) failOver(t *testing.T, c *coherence) {
	replica := d.redis.StartReplica(t)
	replica.Promote(t)
	time.Sleep(300 * time.Millisecond)
	c.journal.add("* Redis is lost, and a replica takes over that lags")
	d.redis.Kill()
	d.proxy.To(replica.Address)
	d.redis = replica
}

// TestSeveralGateways checks the answers of two gateways against what both are told to promise, while workers are killed, Redis
// is away, slow, forgets records and fails over to a replica that lags, a configuration is reloaded, a gateway is paused, and one
// is killed and started again.
func TestSeveralGateways(t *testing.T) {
	testservices.NeedTime(t, "20 s of concurrent reads and writes")
	for _, test := range []struct {
		consistency string
		bound       time.Duration
	}{{"bounded", 5 * time.Second}, {"strict", 0}} {
		t.Run(test.consistency, func(t *testing.T) {
			d := startDeployment(t, test.consistency, sharedCache)
			c := d.coherence(t, test.bound)
			ctx, cancel := context.WithCancel(t.Context())
			var trouble sync.WaitGroup
			var over atomic.Bool
			trouble.Go(func() {
				defer over.Store(true)
				d.trouble(ctx, t, c)
			})
			c.runUntil(t, time.Minute, func() bool { return c.journal.failed() || over.Load() && c.didEnough() })
			cancel()
			trouble.Wait()
			c.demand(t, minCoherentHits, len(c.all)/2)
			if t.Failed() {
				return
			}
			d.awaitStep(t, maxDoors-1)
			gaps := d.gaps(t)
			d.gateways[1].process.Stop(syscall.SIGTERM)
			d.gateways = d.gateways[:1]
			d.awaitStep(t, 0)
			if n := d.gaps(t) - gaps; n != 0 {
				t.Errorf("a gateway that ends in order leaves %d gaps", n)
			}
		})
	}
}
