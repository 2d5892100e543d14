package e2e

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

// TestUpgradeClaimed upgrades gateways that have a PostgreSQL database for themselves, alone or together with another one, while
// clients read and write: the new process takes over the right to the database, no request fails, and no answer is older than what
// was promised.
func TestUpgradeClaimed(t *testing.T) {
	testservices.NeedTime(t, "10 s of concurrent reads and writes")
	t.Run("exclusive", func(t *testing.T) {
		t.Parallel() // they start and settle for seconds
		uri := testservices.StartPostgreSQL(t).URI
		g := startUpgradable(t, strings.Replace(bundledApp("exclusive\n\t\t\toption allowCustomObjectId true", ""), "sqlite://data/parse.db", uri, 1))
		upgradeClaimed(t, newCoherence(t, g), g, g)
	})
	for _, consistency := range []string{"bounded", "strict"} {
		t.Run(consistency, func(t *testing.T) {
			t.Parallel()
			d := startDeploymentOf(t, startUpgradable, consistency, sharedCache)
			bound := time.Duration(0)
			if consistency == "bounded" {
				bound = 5 * time.Second
			}
			c := d.coherence(t, bound)
			upgradeClaimed(t, c, d.gateways...)
			if !t.Failed() {
				d.awaitStep(t, maxDoors-1)
			}
		})
	}
}

// upgradeClaimed upgrades the gateways, one after the other.
func upgradeClaimed(t *testing.T, c *coherence, gateways ...*gateway) {
	t.Helper()
	for _, g := range gateways {
		awaitServing(t, g)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	upgrades := 0
	running.Go(func() {
		defer cancel()
		for _, g := range gateways {
			time.Sleep(2 * time.Second) // with a cache, of which contended objects are to have their hits
			c.journal.add("* a process is replaced")
			out, err := g.tryUpgrade("--address", g.admin)
			if err != nil {
				c.journal.fail("*", "cannot upgrade: %v %s", err, out)
				return
			}
			c.journal.add("* it is done: %s", out)
			t.Log(strings.TrimSpace(out))
			upgrades++
			awaitServing(t, g)
		}
		time.Sleep(2 * time.Second)
	})
	c.runUntil(t, 2*time.Minute, func() bool { return c.journal.failed() || ctx.Err() != nil && c.didEnough() })
	running.Wait()
	c.demand(t, minCoherentHits/3, 0) // the cache is empty after each of them, and for seconds not trusted
	if upgrades != len(gateways) && !t.Failed() {
		t.Errorf("%d upgrades, want %d", upgrades, len(gateways))
	}
}

// awaitServing waits until a gateway answers from its cache.
func awaitServing(t *testing.T, g *gateway) {
	for end := time.Now().Add(40 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if s, err := g.status(); err == nil && s.Apps["default"].Serving && s.Apps["default"].Level == "exact" {
			return
		}
		if time.Now().After(end) {
			t.Error("the gateway doesn't trust its cache")
			return
		}
	}
}
