package balance

import (
	"container/heap"
	"math/rand/v2"
	"testing"
	"time"
)

// simulation sends requests at random times (Poisson) to nodes that serve them, on a virtual clock.
type simulation struct {
	p     *Picker
	clock *clock
	r     *rand.Rand
	nodes []*Node
	mean  []time.Duration // mean service time of each node, exponentially distributed
	ends  endings
	// what happened
	picked  []int
	peak    []int64 // most in flight at once
	latency time.Duration
}

type ending struct {
	at    time.Time
	node  int
	began time.Time
}

type endings []ending

func (e endings) Len() int           { return len(e) }
func (e endings) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e endings) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *endings) Push(x any)        { *e = append(*e, x.(ending)) }
func (e *endings) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func newSimulation(o Options, means ...time.Duration) *simulation {
	s := &simulation{r: rand.New(rand.NewPCG(7, 11))}
	o.IntN = s.r.IntN
	s.p, s.clock = newPicker(o)
	for _, m := range means {
		s.join(m)
	}
	return s
}

func (s *simulation) join(mean time.Duration) {
	s.nodes = append(s.nodes, s.p.NewNode())
	s.mean = append(s.mean, mean)
}

// run sends rate requests a second for d and forgets what happened before.
func (s *simulation) run(rate float64, d time.Duration) {
	s.picked, s.peak, s.latency = make([]int, len(s.nodes)), make([]int64, len(s.nodes)), 0
	end := s.clock.t.Add(d)
	for {
		next := s.clock.t.Add(time.Duration(s.r.ExpFloat64() / rate * float64(time.Second)))
		s.serve(next)
		s.clock.t = next
		if next.After(end) {
			return
		}
		n := s.p.Pick(s.nodes, nil)
		n.Begin()
		for i := range s.nodes {
			if s.nodes[i] == n {
				s.picked[i]++
				s.peak[i] = max(s.peak[i], n.InFlight())
				took := time.Duration(s.r.ExpFloat64() * float64(s.mean[i]))
				heap.Push(&s.ends, ending{next.Add(took), i, next})
			}
		}
	}
}

func (s *simulation) serve(until time.Time) {
	for len(s.ends) > 0 && !s.ends[0].at.After(until) {
		e := heap.Pop(&s.ends).(ending)
		s.clock.t = e.at
		s.nodes[e.node].End(e.at.Sub(e.began), Success)
		s.latency += e.at.Sub(e.began)
	}
}

func (s *simulation) share(i int) float64 {
	total := 0
	for _, n := range s.picked {
		total += n
	}
	return float64(s.picked[i]) / float64(total)
}

const ms = time.Millisecond

func TestSlowNodeGetsLittle(t *testing.T) {
	for _, rate := range []float64{20, 200, 1000} {
		s := newSimulation(Options{}, 10*ms, 100*ms)
		s.run(rate, 30*time.Second) // past the slow start
		s.run(rate, time.Minute)
		if got := s.share(1); got >= 0.15 {
			t.Errorf("at %v/s the node 10 times slower got %.1f%%, want less than 15%%", rate, 100*got)
		} else if s.picked[1] == 0 {
			t.Errorf("at %v/s the slow node was never tried again", rate)
		} else {
			t.Logf("at %v/s the slow node got %.1f%%", rate, 100*got)
		}
	}
}

func TestEqualNodesShareEqually(t *testing.T) {
	s := newSimulation(Options{}, 10*ms, 10*ms, 10*ms, 10*ms)
	s.run(1000, 30*time.Second)
	s.run(1000, 5*time.Minute)
	for i := range s.nodes {
		if got := s.share(i); got < 0.15 || got > 0.35 {
			t.Errorf("node %d got %.1f%%, want about 25%%", i, 100*got)
		}
	}
}

func TestRecoveredNodeComesBack(t *testing.T) {
	s := newSimulation(Options{}, 10*ms, 10*ms)
	s.run(200, time.Minute)
	s.mean[1] = 500 * ms
	s.run(200, time.Minute)
	if got := s.share(1); got >= 0.15 {
		t.Fatalf("the node that became slow got %.1f%%", 100*got)
	}
	s.mean[1] = 10 * ms
	s.run(200, time.Minute) // its peak fades
	s.run(200, time.Minute)
	if got := s.share(1); got < 0.3 {
		t.Errorf("the recovered node got %.1f%%, want about half", 100*got)
	}
}

func TestNewNodeIsNotFlooded(t *testing.T) {
	s := newSimulation(Options{}, 10*ms, 10*ms, 10*ms)
	s.run(1000, time.Minute)
	others := s.peak[0]
	s.join(10 * ms)
	s.run(1000, 3*time.Second)
	if got := s.share(3); got == 0 || got > 0.125 {
		t.Errorf("in its first seconds the new node got %.1f%%, want some, at most half of a full share", 100*got)
	}
	if s.peak[3] > others {
		t.Errorf("the new node had %d at once, the others at most %d", s.peak[3], others)
	}
	s.run(1000, 30*time.Second)
	s.run(1000, time.Minute)
	if got := s.share(3); got < 0.15 {
		t.Errorf("after its slow start the new node got %.1f%%, want about 25%%", 100*got)
	}
}

// A node that was fast and hangs ends up holding about as many requests as the other has under way at its peak, of
// the 60000 that come.
func TestHangingKnownNodeHoldsFew(t *testing.T) {
	s := newSimulation(Options{}, 10*ms, 10*ms)
	s.run(200, time.Minute)
	s.mean[1] = 10 * time.Hour
	s.run(200, 5*time.Minute)
	if held, fast := s.nodes[1].InFlight(), s.peak[0]; held > 2*fast {
		t.Errorf("the hanging node holds %d requests, the other had at most %d at once", held, fast)
	}
}

// A new node that hangs gets one request, until its client gives up.
func TestHangingNewNodeGetsOneRequest(t *testing.T) {
	s := newSimulation(Options{}, 10*ms, 10*ms)
	s.run(200, time.Minute)
	s.join(10 * time.Hour)
	s.run(200, 20*time.Second)
	if s.picked[2] != 1 {
		t.Errorf("the hanging node got %d requests, want 1", s.picked[2])
	}
}
