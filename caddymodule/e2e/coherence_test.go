package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

// TestCoherence lets many clients write and read a few objects in every way, and checks each answer against rule 1 of
// the design: it shows at least what was acknowledged before the read began, and at least what any read that ended
// before it began had shown.
func TestCoherence(t *testing.T) {
	testservices.NeedTime(t, "10 s of concurrent reads and writes")
	t.Run("two workers", func(t *testing.T) {
		c := newCoherence(t, startGateway(t, bundledApp("option allowCustomObjectId true", "")))
		c.run(t, 5*time.Second)
		c.demand(t, minCoherentHits, 0)
	})
	t.Run("workers are killed and stopped", func(t *testing.T) {
		g := startGateway(t, bundledApp("option allowCustomObjectId true", ""))
		c := newCoherence(t, g)
		end := c.trouble(t, g)
		c.run(t, 8*time.Second)
		end()
		c.demand(t, minCoherentHits, len(c.all)/3)
	})
	t.Run("workers on PostgreSQL are killed and stopped", func(t *testing.T) {
		g, c := slowlyCommitting(t, "")
		end := c.trouble(t, g)
		c.run(t, 6*time.Second)
		end()
		c.demand(t, minCoherentHits, len(c.all)/3)
	})
}

// slowlyCommitting is a gateway with workers on a PostgreSQL database in which the writes of impatient clients take a while to
// commit, so that a worker which is killed leaves commits behind that go on without it.
func slowlyCommitting(t *testing.T, program string) (*gateway, *coherence) {
	t.Helper()
	postgres := testservices.StartPostgreSQL(t)
	g := startProgram(t, program, strings.Replace(bundledApp("exclusive\n\t\t\toption allowCustomObjectId true", ""), "sqlite://data/parse.db", postgres.URI, 1))
	c := newCoherence(t, g)
	err := postgres.SQL("parse", `CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.8); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER dawdle AFTER UPDATE ON "`+contendedClass+`" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.impatient) EXECUTE FUNCTION dawdle()`)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if s, err := g.status(); err == nil && s.Apps["default"].Serving {
			return g, c
		}
		if time.Now().After(end) {
			t.Fatal("the gateway never trusts its cache")
		}
	}
}

const (
	minCoherentHits = 0.3 // of the reads, or nothing was tested
	readsPerWrite   = 50  // however fast the machine is, so that the share of hits doesn't depend on it
	coherentClass   = "CohObject"
	holderClass     = "CohHolder" // objects with a pointer to each object; nobody writes them
	ownerClass      = "CohOwner"  // an object with a relation to the members
	memberClass     = "CohMember"
	coherentCount   = 10
	clients         = writers + 12
	writers         = 3
)

// coherence is the objects, what is known of them, and the clients.
type coherence struct {
	seed    uint64
	client  *client
	doors   []*client     // of several gateways; nil: client's is the only one
	bound   time.Duration // within which a read through one gateway shows a write through another; 0: at once
	dying   atomic.Bool   // the last gateway is killed on purpose: requests to it fail
	reloads atomic.Int64  // odd while a configuration is being loaded
	journal journal
	// objects are written, deleted and made again; memberships come and go.
	objects, members, all []*register
	contended             *contended
	runs                  uint64

	reads, hits, writes, refused atomic.Int64
}

// The state of an object at a version. Every fifth version is a deletion; then it is made again under the same id.
func alive(v int64) bool { return v > 0 && v%5 != 0 }

func group(v int64) int64 { return v % 3 }

func mod(v int64) int64 { return v % 7 }

func rank(slot int, v int64) int64 { return v*coherentCount + int64(slot) }

func fields(slot int, v int64) string {
	return fmt.Sprintf(`{"slot":%d,"v":%d,"group":%d,"mod":%d,"tag":"t%d","rank":%d,"list":[%d,"x"]}`,
		slot, v, group(v), mod(v), v%2, rank(slot, v), group(v))
}

func isMember(v int64) bool { return v%2 == 1 }

func objectID(slot int) string { return fmt.Sprintf("cohslot%03d", slot) }

func memberID(i int) string { return fmt.Sprintf("cohmember%03d", i) }

func newCoherence(t *testing.T, g *gateway) *coherence {
	c := &coherence{seed: uint64(time.Now().UnixNano()), client: newClient(t, g.url())}
	if s := os.Getenv("PARSESCALE_TEST_SEED"); s != "" {
		var err error
		if c.seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d (PARSESCALE_TEST_SEED)", c.seed)
	c.journal.start = time.Now()
	for i := range coherentCount {
		r := &register{name: objectID(i)}
		r.begun.Store(1)
		r.known.Store(1)
		c.objects = append(c.objects, r)
		c.client.create(t, coherentClass, `{"objectId":"`+objectID(i)+`",`+fields(i, 1)[1:])
		c.client.create(t, holderClass, fmt.Sprintf(`{"objectId":"holder%d","slot":%d,"target":{"__type":"Pointer","className":%q,"objectId":%q}}`,
			i, i, coherentClass, objectID(i)))
		c.members = append(c.members, &register{name: memberID(i)})
		c.client.create(t, memberClass, `{"objectId":"`+memberID(i)+`"}`)
	}
	c.client.create(t, ownerClass, `{"objectId":"owner","members":{"__op":"AddRelation","objects":[`+memberPointer(0)+`]}}`)
	c.client.must(t, "PUT", "/classes/"+ownerClass+"/owner", `{"members":{"__op":"RemoveRelation","objects":[`+memberPointer(0)+`]}}`, nil)
	c.all = append(append(c.all, c.objects...), c.members...)
	c.contended = newContended(t, c.client, c.seed)
	return c
}

func memberPointer(i int) string {
	return fmt.Sprintf(`{"__type":"Pointer","className":%q,"objectId":%q}`, memberClass, memberID(i))
}

// any is a client of one of the gateways.
func (c *coherence) any(random *rand.Rand) *client {
	if c.doors == nil {
		return c.client
	}
	if c.dying.Load() {
		return c.doors[0]
	}
	return c.doors[random.IntN(len(c.doors))]
}

// writer is the client through which a register is written. With a bound it is always the same: objects are made again under the
// same id, and what another gateway has deleted just before may still be in a count. It is nil while that gateway is gone.
func (c *coherence) writer(slot int, random *rand.Rand) *client {
	if c.bound == 0 {
		return c.any(random)
	}
	door := slot % len(c.doors)
	if door > 0 && c.dying.Load() {
		return nil
	}
	return c.doors[door]
}

// run lets the clients loose, for a time and until they have done enough. It ends early once an answer was found
// wrong.
func (c *coherence) run(t *testing.T, d time.Duration) {
	began := time.Now()
	c.runUntil(t, time.Minute, func() bool { return c.journal.failed() || time.Since(began) > d && c.didEnough() })
}

// didEnough reports whether the writes that were answered are worth a verdict.
func (c *coherence) didEnough() bool {
	return c.writes.Load() >= 50 && c.contended.writes.Load()-c.contended.unknown.Load() >= 20
}

// runUntil is run with another reason to end.
func (c *coherence) runUntil(t *testing.T, longest time.Duration, over func() bool) {
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	var running sync.WaitGroup
	c.runs++
	for n := range clients {
		random := rand.New(rand.NewPCG(c.seed+c.runs, uint64(n)))
		running.Go(func() {
			for ctx.Err() == nil && !over() {
				contended := random.IntN(3) == 0
				switch {
				case n >= writers && contended:
					c.readContended(n, random)
				case n >= writers:
					c.read(random)
				case c.reads.Load()+c.contended.reads.Load() < readsPerWrite*(c.writes.Load()+c.refused.Load()+c.contended.writes.Load()):
					time.Sleep(time.Duration(1+random.IntN(5)) * time.Millisecond)
				case contended:
					c.writeContended(n, random.IntN(contendedCount), random.IntN(20) == 0, random)
				default:
					c.write(random)
				}
			}
		})
	}
	running.Wait()
}

// demand fails the test for what was found wrong, and checks that the run was worth something.
func (c *coherence) demand(t *testing.T, hits float64, lost int) {
	t.Helper()
	t.Logf("%d reads, %d hits; %d writes acknowledged, %d not", c.reads.Load(), c.hits.Load(), c.writes.Load(), c.refused.Load())
	c.contended.demand(t, c.journal.failures)
	if t.Failed() {
		return
	}
	if share := float64(c.hits.Load()) / float64(max(c.reads.Load(), 1)); share < hits {
		t.Errorf("%.0f %% of the reads were hits, want %.0f %%", 100*share, 100*hits)
	}
	if !c.didEnough() {
		t.Errorf("only %d writes were acknowledged, and of contended objects %d answered", c.writes.Load(), c.contended.writes.Load()-c.contended.unknown.Load())
	}
	n := 0
	for _, r := range c.all {
		if r.lost.Load() {
			n++
		}
	}
	if n > lost {
		t.Errorf("of %d registers a write's outcome is unknown, want at most %d", n, lost)
	}
}

// trouble disturbs a gateway until end is called.
func (c *coherence) trouble(t *testing.T, g *gateway) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var trouble sync.WaitGroup
	trouble.Go(func() { c.disturb(ctx, g) })
	return func() {
		cancel()
		trouble.Wait()
	}
}

// disturb kills a worker, or stops it for a while, or reloads the configuration, again and again.
func (c *coherence) disturb(ctx context.Context, g *gateway) {
	random := rand.New(rand.NewPCG(c.seed, 99))
	pause := func(d time.Duration) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	for round := 0; ctx.Err() == nil; round++ {
		pause(time.Duration(300+random.IntN(500)) * time.Millisecond)
		s, err := g.status()
		if err != nil {
			continue
		}
		var pids []int
		for _, w := range s.Apps["default"].Workers {
			if w.Process != nil && w.Process.PID > 0 {
				pids = append(pids, w.Process.PID)
			}
		}
		if len(pids) == 0 {
			continue
		}
		pid := pids[random.IntN(len(pids))]
		switch round % 4 {
		case 0, 2:
			// Some commits are under way then that nobody repeats.
			var impatient sync.WaitGroup
			for slot := contendedCount; slot < contendedCount+lonelyCount; slot++ {
				impatient.Go(func() {
					c.writeContended(clients+slot, slot, true, rand.New(rand.NewPCG(c.seed+uint64(round), uint64(clients+slot))))
				})
			}
			impatient.Wait()
			c.journal.add("* worker %d is killed", pid)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		case 1:
			c.journal.add("* worker %d is stopped", pid)
			_ = syscall.Kill(pid, syscall.SIGSTOP)
			pause(time.Duration(50+random.IntN(400)) * time.Millisecond)
			c.journal.add("* worker %d goes on", pid)
			_ = syscall.Kill(pid, syscall.SIGCONT)
		case 3:
			c.reload(g)
		}
	}
}

// reload loads a configuration with another number of workers.
func (c *coherence) reload(g *gateway) {
	c.journal.add("* the configuration is reloaded")
	c.reloads.Add(1)
	out, err := g.tryReload(oneMoreWorker)
	if err != nil {
		c.journal.fail("*", "cannot reload: %v %s", err, out)
	}
	c.reloads.Add(1)
	c.journal.add("* it is done")
}

// mayFail is called before a request; what it returns reports afterwards whether no answer needed to come. That a reload breaks no
// request is for TestReload and TestFaults to demand; here the answers are what counts.
func (c *coherence) mayFail() func() bool {
	before := c.reloads.Load()
	return func() bool { return c.dying.Load() || before%2 == 1 || c.reloads.Load() != before }
}

// oneMoreWorker changes the number of workers between two and three.
func oneMoreWorker(caddyfile string) string {
	if strings.Contains(caddyfile, "workers 2") {
		return strings.Replace(caddyfile, "workers 2", "workers 3", 1)
	}
	return strings.Replace(caddyfile, "workers 3", "workers 2", 1)
}
