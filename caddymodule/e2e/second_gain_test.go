package e2e

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/parsescale/parsescale/server/testservices"
)

// origins is where a gateway's answers came from.
type origins struct {
	own, redis, workers int
	took                []time.Duration // of those for which the gateway's own cache wasn't enough
}

// ask asks the questions one after another.
func (o *origins) ask(t *testing.T, c *client, paths []string) {
	t.Helper()
	for _, path := range paths {
		begun := time.Now()
		a := c.must(t, "GET", path, "", nil)
		took := time.Since(begun)
		switch {
		case fromRedis(a):
			o.redis++
		case a.verdict() == hit:
			o.own++
			continue
		default:
			o.workers++
		}
		o.took = append(o.took, took)
	}
}

// String tells the median, too.
func (o *origins) String() string {
	slices.Sort(o.took)
	median := time.Duration(0)
	if len(o.took) > 0 {
		median = o.took[len(o.took)/2]
	}
	return fmt.Sprintf("%d by its own cache, %d by Redis, %d by workers; of the others half within %s", o.own, o.redis, o.workers, median.Round(10*time.Microsecond))
}

// written is how many answers the gateway has put into Redis.
func (g *gateway) written(t *testing.T) int {
	t.Helper()
	s, err := g.status()
	if err != nil {
		t.Fatal(err)
	}
	return int(s.Apps["default"].SecondLevel.Written)
}

// awaitWritten waits for a while until it has put so many there, and reports whether it has.
func (g *gateway) awaitWritten(t *testing.T, n int) bool {
	t.Helper()
	for end := time.Now().Add(2 * time.Second); g.written(t) < n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// awaitSharing waits until what the first gateway was given counts for the second: they have to have heard of each other since both
// are sure of the database.
func (d *deployment) awaitSharing(t *testing.T, one, two *client) {
	t.Helper()
	for n, end := 1, time.Now().Add(20*time.Second); ; n++ {
		path := where("Gain", `{"n":-1}`, fmt.Sprint("limit=", n))
		before := d.gateways[0].written(t)
		one.stored(t, path)
		if d.gateways[0].awaitWritten(t, before+1) && fromRedis(two.must(t, "GET", path, "", nil)) {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the second gateway takes no answers of the first one")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestSecondLevelGain measures what shared answers spare workers: at a second gateway that is asked what the first one was, at both
// after each of many writes, and at one that was started again while the other went on.
func TestSecondLevelGain(t *testing.T) {
	t.Parallel() // it waits more than it works
	testservices.Need(t, "postgresql with postgis, and redis-server")
	const objects, questions, rounds = 60, 150, 30
	var alone, aloneWrites, aloneRestarted, second, writes, restarted origins
	measure := func(t *testing.T, directive string, second, writes, restarted *origins) {
		t.Parallel()
		d := startDeployment(t, "bounded", directive)
		one, two := newClient(t, d.gateways[0].url()), newClient(t, d.gateways[1].url())
		var ids, paths []string
		for n := range objects {
			ids = append(ids, one.create(t, "Gain", fmt.Sprintf(`{"n":%d,"text":"%0200d"}`, n, n)))
		}
		// give has the first gateway store all answers, and the second one asked for them. It reports whether that was as it should be:
		// where Redis takes more than 20 ms for some answers, it isn't asked for a while.
		give := func(o *origins) bool {
			if directive != sharedCache {
				for _, path := range paths {
					one.stored(t, path)
				}
				o.ask(t, two, paths)
				return true
			}
			before := d.gateways[0].written(t)
			for _, path := range paths {
				one.stored(t, path)
			}
			written := d.gateways[0].awaitWritten(t, before+questions*9/10)
			*o = origins{}
			o.ask(t, two, paths)
			return written && o.redis >= questions*9/10
		}
		for try := range 5 { // on a machine that is busy with other things
			if directive == sharedCache {
				d.awaitSharing(t, one, two)
			}
			paths = nil
			for n := range questions {
				paths = append(paths, where("Gain", fmt.Sprintf(`{"n":{"$gte":%d,"$lt":%d}}`, n%objects, n%objects+5), fmt.Sprint("limit=", 10+try*questions+n)))
			}
			if give(second) {
				break
			}
		}

		for n := range rounds {
			clients := []*client{one, two}
			clients[n%2].must(t, "PUT", "/classes/Gain/"+ids[n], `{"text":"new"}`, nil)
			time.Sleep(20 * time.Millisecond) // the other hears of it
			for i := range clients {
				writes.ask(t, clients[(n+i)%2], paths)
				time.Sleep(20 * time.Millisecond) // what a worker answers is written in the background
			}
		}

		for range 3 {
			d.gateways[1].process.Stop(syscall.SIGTERM)
			d.gateways[1].start()
			d.awaitStep(t, maxDoors-1)
			if directive == sharedCache {
				time.Sleep(17 * time.Second) // until then it counts as one that has just come
			}
			if give(restarted) { // the one that has gone on is asked as ever
				break
			}
		}
	}
	t.Run("measured", func(t *testing.T) {
		t.Run("alone", func(t *testing.T) { measure(t, "", &alone, &aloneWrites, &aloneRestarted) })
		t.Run("shared", func(t *testing.T) { measure(t, sharedCache, &second, &writes, &restarted) })
	})
	if t.Failed() {
		return
	}
	t.Logf("a second gateway, alone: %v", &alone)
	t.Logf("a second gateway, shared: %v", &second)
	t.Logf("%d writes, alone: %v", rounds, &aloneWrites)
	t.Logf("%d writes, shared: %v", rounds, &writes)
	t.Logf("started again, alone: %v", &aloneRestarted)
	t.Logf("started again, shared: %v", &restarted)
	for _, o := range []origins{alone, aloneWrites, aloneRestarted} {
		if o.redis > 0 || o.workers == 0 {
			t.Errorf("nothing is shared, and yet: %v", &o)
		}
	}
	for _, o := range []origins{second, restarted} {
		if o.redis < questions*9/10 {
			t.Errorf("of %d answers that the other gateway had: %v", questions, &o)
		}
	}
	if writes.workers*10 > aloneWrites.workers*7 {
		t.Errorf("after writes the workers were asked %d times, and without sharing %d", writes.workers, aloneWrites.workers)
	}
}
