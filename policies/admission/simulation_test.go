package admission

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// plant is a pool of workers in virtual time: so many requests are worked on at once, the others wait in it, as they do
// in workers that let everything in.
type plant struct {
	slots chan struct{}
	pace  float64 // 1: as fast as usual
}

func newPlant(slots int) *plant { return &plant{make(chan struct{}, slots), 1} }

func (p *plant) work(took time.Duration) {
	p.slots <- struct{}{}
	time.Sleep(time.Duration(float64(took) * p.pace))
	<-p.slots
}

// crowd is a number of clients that send one request after the other, and what came of it.
type crowd struct {
	clients int
	request Request
	takes   time.Duration // a request at an idle worker, ±50 %
	pause   time.Duration // between two requests of a client, ±50 %
	// inner: while a worker answers it sends such a request through the gateway itself.
	inner *crowd

	mu            sync.Mutex
	done, refused int
	slowest       time.Duration // from the sending to the answer
}

func vary(d time.Duration) time.Duration { return d/2 + rand.N(d+1) }

func (c *crowd) send(l *Limiter, p *plant) bool {
	begun := time.Now()
	seat, err := l.Enter(context.Background(), c.request)
	if err == nil {
		p.work(vary(c.takes))
		if c.inner != nil && !c.inner.send(l, p) {
			err = ErrOverloaded
		}
		seat.Leave(true)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.refused++
		return false
	}
	c.done++
	c.slowest = max(c.slowest, time.Since(begun))
	return true
}

// run lets crowds send for a time.
func run(l *Limiter, p *plant, d time.Duration, crowds ...*crowd) {
	end := time.Now().Add(d)
	var running sync.WaitGroup
	for _, c := range crowds {
		c.done, c.refused, c.slowest = 0, 0, 0
		for range c.clients {
			running.Go(func() {
				for time.Now().Before(end) {
					if ok := c.send(l, p); !ok || c.pause > 0 {
						time.Sleep(vary(max(c.pause, 10*time.Millisecond)))
					}
				}
			})
		}
	}
	running.Wait()
}

func newLimiter(t *testing.T, o Options) *Limiter {
	t.Helper()
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// bounded checks what always holds.
func bounded(t *testing.T, l *Limiter) Status {
	t.Helper()
	s := l.Status()
	if s.LongestWait > l.options.MaxWait {
		t.Errorf("a request waited %s, more than %s", s.LongestWait, l.options.MaxWait)
	}
	if s.InFlight != 0 || s.Waiting != 0 || l.bytes != 0 {
		t.Errorf("nobody is there any more, and the limiter has %d under way and %d waiting with %d bytes", s.InFlight, s.Waiting, l.bytes)
	}
	return s
}

// Two workers of one core each, that do 1000 reads a second between them.
const (
	cores    = 2
	readTime = 2 * time.Millisecond
	capacity = 1000
)

func two() int { return 2 }

func reads(clients int, pause time.Duration) *crowd {
	return &crowd{clients: clients, request: Request{Priority: Reads, Kind: 1}, takes: readTime, pause: pause}
}

func TestLastingOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p := newLimiter(t, Options{Workers: two, Min: 5}), newPlant(cores)
		run(l, p, 5*time.Second, reads(10, 100*time.Millisecond))
		most := 0
		for range 6 {
			many := reads(2000, time.Second)
			run(l, p, 20*time.Second, many)
			if float64(many.done) < 0.9*20*capacity {
				t.Errorf("%d reads were answered, less than nine tenths of what the workers can", many.done)
			}
			most = max(most, l.Status().Limit)
		}
		s := bounded(t, l)
		t.Logf("limit %d, at most %d after each round; longest wait %s, refused %v", s.Limit, most, s.LongestWait, s.Refused)
		if most > 60 {
			t.Errorf("the limit crept up to %d, though answers took longer and longer", most)
		}
	})
}

func TestFlashCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p := newLimiter(t, Options{Workers: two}), newPlant(cores)
		run(l, p, 5*time.Second, reads(8, 0))
		crowd := reads(80, 0)
		few := reads(8, 0)
		run(l, p, 5*time.Second, few, crowd)
		if n := few.refused + crowd.refused; n > 0 {
			t.Errorf("%d of a crowd of %d clients were refused, for which there is room", n, few.clients+crowd.clients)
		}
		bounded(t, l)
		after := reads(8, 0)
		run(l, p, time.Second, after)
		if after.refused > 0 || after.slowest > 50*time.Millisecond {
			t.Errorf("after the crowd %d were refused, and the slowest took %s", after.refused, after.slowest)
		}
	})
}

func TestPrioritiesUnderOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p := newLimiter(t, Options{Workers: two}), newPlant(cores)
		run(l, p, 5*time.Second, reads(8, 0))
		master := &crowd{clients: 2, request: Request{Priority: First}, takes: readTime, pause: 100 * time.Millisecond}
		logIns := &crowd{clients: 20, request: Request{Priority: Writes}, takes: readTime, pause: 300 * time.Millisecond}
		many := reads(300, 50*time.Millisecond)
		functions := &crowd{clients: 500, request: Request{Priority: Last}, takes: 20 * time.Millisecond}
		run(l, p, 20*time.Second, master, logIns, many, functions)
		s := bounded(t, l)
		t.Logf("limit %d; done and refused: master key %d, %d; log-ins %d, %d (slowest %s); reads %d, %d; functions %d, %d", s.Limit,
			master.done, master.refused, logIns.done, logIns.refused, logIns.slowest, many.done, many.refused, functions.done, functions.refused)
		if master.refused+logIns.refused > 0 || logIns.done == 0 || master.done == 0 {
			t.Errorf("%d requests with the master key and %d log-ins were refused", master.refused, logIns.refused)
		}
		if functions.refused < 10*many.refused/9 || functions.refused == 0 {
			t.Errorf("%d functions and %d reads were refused", functions.refused, many.refused)
		}
	})
}

// A database that has become slower for good isn't answered by a limit that is small for good.
func TestSlowerForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p := newLimiter(t, Options{Workers: two, Min: 5, Max: 200}), newPlant(1000)
		load := reads(150, 0)
		run(l, p, 5*time.Second, load)
		before := l.Status().Limit
		p.pace = 5
		run(l, p, 10*time.Second, load)
		low := l.Status().Limit
		run(l, p, 3*time.Minute, reads(50, 0))
		s := bounded(t, l)
		t.Logf("the limit was %d, then %d, then %d", before, low, s.Limit)
		if before < 100 || low > before/2 || s.Limit < 2*low {
			t.Errorf("the limit was %d, fell to %d and is %d", before, low, s.Limit)
		}
	})
}

// Without reads nothing tells how fast the workers are; then the limit grows with what is asked for.
func TestFunctionsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p := newLimiter(t, Options{Workers: two}), newPlant(100000)
		functions := &crowd{clients: 600, request: Request{Priority: Last}, takes: 5 * time.Second}
		run(l, p, 30*time.Second, functions)
		run(l, p, time.Minute, functions)
		if s := bounded(t, l); functions.done < 9*600*60/5/10 {
			t.Errorf("%d functions were answered, less than nine tenths of what was asked for, at a limit of %d", functions.done, s.Limit)
		}
	})
}

// App code that reads through the gateway while the worker answers a read must not find all seats taken for ever by
// those who wait for it.
func TestRequestsOfAppCode(t *testing.T) {
	for _, test := range []struct {
		name         string
		outer, inner Priority
	}{
		{"a function that reads", Last, Reads},
		{"a function that calls a function", Last, Last},
		{"a trigger of finds that reads", Reads, Reads},
		{"a write that writes", Writes, Writes},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, p := newLimiter(t, Options{Workers: two, Max: 100}), newPlant(10000)
				outer := &crowd{clients: 400, request: Request{Priority: test.outer}, takes: 5 * time.Millisecond}
				outer.inner = &crowd{request: Request{Priority: test.inner}, takes: readTime}
				for range 2 {
					run(l, p, 5*time.Second, outer)
					if outer.done < 1000 {
						t.Errorf("%d were answered in 5 s, %d refused", outer.done, outer.refused)
					}
				}
				bounded(t, l)
			})
		})
	}
}

func TestClientsThatLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p := newLimiter(t, Options{Workers: two}), newPlant(cores)
		var running sync.WaitGroup
		for range 500 {
			running.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), rand.N(200*time.Millisecond))
				defer cancel()
				seat, err := l.Enter(ctx, Request{Priority: Reads, Size: 10})
				if err == nil {
					p.work(vary(readTime))
					seat.Leave(true)
				} else if !errors.Is(err, ErrOverloaded) && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		}
		running.Wait()
		bounded(t, l)
	})
}
