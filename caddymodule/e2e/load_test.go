package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// load is many clients that write and read at the same time, and remember what they were told.
type load struct {
	name    string // is in all that it writes, so that loads don't see each other's
	clients []*loadClient
	begin   time.Time
	stop    chan struct{}
	running sync.WaitGroup
}

// loadClient is one of them. It is used by one goroutine until load.end has returned.
type loadClient struct {
	*client
	load   *load
	number int
	next   int               // of the next object
	acked  map[string]string // key → objectId of every create that was acknowledged
	last   string            // the key of the newest object, "" when none
	count  int               // acknowledged increments of this client's counter
	maybe  int               // increments whose outcome it wasn't told
	id     string            // of the counter

	requests, catalogReads, catalogHits int
	times                               []timing // of the requests, in order
	failedWrites, failedReads           []string
	wrong                               []string // answers that no client may get
}

const (
	entryClass   = "LoadEntry"   // every client creates objects of it
	counterClass = "LoadCounter" // every client has one object of it
	catalogClass = "LoadCatalog" // everybody reads it, nobody writes it
	catalogSize  = 20
)

// again has n callers call f, each again and again, until end is called, which waits for them.
func again(n int, f func(caller int)) (end func()) {
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for i := range n {
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					f(i)
				}
			}
		})
	}
	return func() {
		close(stop)
		callers.Wait()
	}
}

// startLoad prepares the data and starts count clients.
func startLoad(t *testing.T, base string, count int) *load {
	t.Helper()
	return startNamedLoad(t, "load", base, count)
}

// startNamedLoad is startLoad for one of several loads on one gateway.
func startNamedLoad(t *testing.T, name, base string, count int) *load {
	t.Helper()
	l := &load{name: name, stop: make(chan struct{})}
	first := newClient(t, base)
	for i := range catalogSize {
		first.create(t, catalogClass, fmt.Sprintf(`{"n":%d,"kind":%q}`, i, name))
	}
	first.create(t, entryClass, `{"key":"first","owner":"nobody"}`)
	for i := range count {
		c := &loadClient{client: newClient(t, base), load: l, number: i, acked: map[string]string{}}
		c.id = c.create(t, counterClass, `{"n":0}`)
		l.clients = append(l.clients, c)
	}
	l.begin = time.Now()
	for _, c := range l.clients {
		l.running.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-l.stop:
					return
				default:
					c.step(i)
				}
			}
		})
	}
	return l
}

// end stops the clients and returns how long they ran.
func (l *load) end() time.Duration {
	close(l.stop)
	l.running.Wait()
	return time.Since(l.begin)
}

// step is one request: of ten, two create an object, one increments the client's counter, two read what was written
// just before, and five ask the question that everybody asks.
func (c *loadClient) step(i int) {
	switch i % 10 {
	case 0, 5:
		c.createOne()
	case 1:
		c.increment()
	case 2:
		c.readCounter()
	case 6:
		c.readLast()
	default:
		c.readCatalog()
	}
}

// note keeps the first of what went wrong; the rest is hardly different.
func note(list *[]string, format string, args ...any) {
	if len(*list) < 10 {
		*list = append(*list, fmt.Sprintf(format, args...))
	}
}

// pauseAfterFailure keeps a client without a server from using up the processor.
const pauseAfterFailure = 5 * time.Millisecond

// write sends a write and reports whether it was acknowledged.
func (c *loadClient) write(method, path, body string) (answer, bool) {
	c.requests++
	a, err := c.timed(method, path, body)
	switch {
	case err != nil:
		c.failedWrites = append(c.failedWrites, err.Error())
	case a.status/100 != 2:
		c.failedWrites = append(c.failedWrites, fmt.Sprintf("status %d: %s", a.status, a.body))
	default:
		return a, true
	}
	time.Sleep(pauseAfterFailure)
	return a, false
}

// read sends a read, which has to succeed.
func (c *loadClient) read(path string, out any) (answer, bool) {
	c.requests++
	a, err := c.timed("GET", path, "")
	switch {
	case err != nil:
		note(&c.failedReads, "GET %s: %v", path, err)
	case a.status != http.StatusOK:
		note(&c.failedReads, "GET %s: status %d: %s", path, a.status, a.body)
	case json.Unmarshal([]byte(a.body), out) != nil:
		note(&c.failedReads, "GET %s: not JSON: %q", path, a.body)
	default:
		return a, true
	}
	time.Sleep(pauseAfterFailure)
	return a, false
}

// timing is when a request ended, how long it took, and whether it failed.
type timing struct {
	end    time.Time
	took   time.Duration
	failed bool
}

// timed is do, with its time taken down.
func (c *loadClient) timed(method, path, body string) (answer, error) {
	begin := time.Now()
	a, err := c.do(method, path, body)
	end := time.Now()
	c.times = append(c.times, timing{end, end.Sub(begin), err != nil || a.status/100 != 2})
	return a, err
}

// owner is the client's name in what it writes.
func (c *loadClient) owner() string { return fmt.Sprintf("%s/%d", c.load.name, c.number) }

func (c *loadClient) createOne() {
	key := fmt.Sprintf("%s/%d", c.owner(), c.next)
	c.next++
	a, ok := c.write("POST", "/classes/"+entryClass, fmt.Sprintf(`{"key":%q,"owner":%q}`, key, c.owner()))
	if !ok {
		return
	}
	var made struct{ ObjectID string }
	if err := json.Unmarshal([]byte(a.body), &made); err != nil || made.ObjectID == "" {
		note(&c.wrong, "a create answered %q", a.body)
		return
	}
	c.acked[key], c.last = made.ObjectID, key
}

func (c *loadClient) increment() {
	if _, ok := c.write("PUT", "/classes/"+counterClass+"/"+c.id, `{"n":{"__op":"Increment","amount":1}}`); ok {
		c.count++
	} else {
		c.maybe++
	}
}

// readCounter checks that the client's own writes are visible, each of them once.
func (c *loadClient) readCounter() {
	var got struct{ N int }
	if _, ok := c.read("/classes/"+counterClass+"/"+c.id, &got); ok && (got.N < c.count || got.N > c.count+c.maybe) {
		note(&c.wrong, "the counter is %d after %d acknowledged increments and %d of unknown outcome", got.N, c.count, c.maybe)
	}
}

// readLast checks that the newest object is found by a query.
func (c *loadClient) readLast() {
	if c.last == "" {
		return
	}
	var got struct{ Results []struct{ ObjectID string } }
	_, ok := c.read(where(entryClass, fmt.Sprintf(`{"key":%q}`, c.last)), &got)
	if ok && (len(got.Results) != 1 || got.Results[0].ObjectID != c.acked[c.last]) {
		note(&c.wrong, "the object %s with key %s was acknowledged, and the query found %v", c.acked[c.last], c.last, got.Results)
	}
}

func (c *loadClient) readCatalog() {
	var got struct{ Results []struct{ N int } }
	a, ok := c.read(where(catalogClass, fmt.Sprintf(`{"kind":%q}`, c.load.name), "order=n"), &got)
	if !ok {
		return
	}
	c.catalogReads++
	if a.verdict() == hit {
		c.catalogHits++
	}
	if len(got.Results) != catalogSize {
		note(&c.wrong, "the catalog has %d objects", len(got.Results))
	}
}

// loadSum is what all clients did.
type loadSum struct{ requests, reads, hits, refused int }

// sum adds the clients up. What no client may see, and a read that failed, fail the test; of the refused writes some are
// named.
func (l *load) sum(t *testing.T) (n loadSum) {
	t.Helper()
	for _, c := range l.clients {
		for _, f := range slices.Concat(c.wrong, c.failedReads) {
			t.Errorf("client %d: %s", c.number, f)
		}
		for i, f := range c.failedWrites {
			if i < 3 {
				t.Logf("client %d: a write was refused: %s", c.number, f)
			}
		}
		n.requests += c.requests
		n.reads += c.catalogReads
		n.hits += c.catalogHits
		n.refused += len(c.failedWrites)
	}
	return n
}

// check compares what is stored now with what the clients were told: nothing acknowledged is missing, nothing is there
// twice, and nothing is there that nobody wrote.
func (l *load) check(t *testing.T, base string) {
	t.Helper()
	reader := newClient(t, base).with("Cache-Control", "no-cache")
	total := 0
	for _, c := range l.clients {
		var got struct {
			Results []struct{ ObjectID, Key string }
		}
		reader.must(t, "GET", where(entryClass, fmt.Sprintf(`{"owner":%q}`, c.owner()), "limit=100000"), "", &got)
		byKey := map[string]string{}
		for _, o := range got.Results {
			if other, twice := byKey[o.Key]; twice {
				t.Errorf("key %s is there twice: as %s and as %s", o.Key, other, o.ObjectID)
			}
			byKey[o.Key] = o.ObjectID
		}
		for key, id := range c.acked {
			if byKey[key] != id {
				t.Errorf("key %s was acknowledged as object %s, and is there as %q", key, id, byKey[key])
			}
		}
		if over := len(byKey) - len(c.acked); over > len(c.failedWrites) {
			t.Errorf("client %d: %d objects are there that nobody wrote", c.number, over-len(c.failedWrites))
		}
		total += len(c.acked)
		c.http.CloseIdleConnections()
		var counter struct{ N int }
		reader.must(t, "GET", "/classes/"+counterClass+"/"+c.id, "", &counter)
		if counter.N < c.count || counter.N > c.count+c.maybe {
			t.Errorf("client %d: the counter is %d after %d acknowledged increments and %d of unknown outcome", c.number, counter.N, c.count, c.maybe)
		}
	}
	t.Logf("%d acknowledged creates are there, each once", total)
}
