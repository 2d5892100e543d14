package balance

import (
	"testing"
	"time"
)

// A new node whose first request is a job of hours gets its part of the others.
func TestNewNodeWithAJob(t *testing.T) {
	for _, rate := range []float64{200, 1000} {
		s := newSimulation(Options{}, 10*ms, 10*ms)
		s.run(rate, time.Minute)
		s.join(10 * ms)
		s.nodes[2].BeginUntimed()
		s.run(rate, 3*time.Second)
		if got := s.share(2); got > 0.17 {
			t.Errorf("at %v/s the new node got %.1f%% in its first seconds, want at most half of a full share", rate, 100*got)
		}
		s.run(rate, 30*time.Second)
		s.run(rate, time.Minute)
		if got := s.share(2); got < 0.15 {
			t.Errorf("at %v/s the node with a job got %.1f%%, want about a third", rate, 100*got)
		} else {
			t.Logf("at %v/s the node with a job got %.1f%%", rate, 100*got)
		}
	}
}

// A new node that hangs gets one timed request beside its job.
func TestHangingNewNodeWithAJob(t *testing.T) {
	s := newSimulation(Options{}, 10*ms, 10*ms)
	s.run(1000, time.Minute)
	s.join(10 * time.Hour)
	s.nodes[2].BeginUntimed()
	s.run(1000, time.Minute)
	if s.picked[2] != 1 {
		t.Errorf("the hanging node got %d requests, want 1", s.picked[2])
	}
}

// Jobs alone say nothing of a node: a new one doesn't get all of them for that.
func TestJobsAreSpread(t *testing.T) {
	p, _ := newPicker(Options{})
	known, fresh := p.NewNode(), p.NewNode()
	observe(known, 10*ms, Success)
	nodes := []*Node{known, fresh}
	for range 100 {
		p.Pick(nodes, nil).BeginUntimed()
	}
	if n := fresh.InFlight(); n == 0 || n > 50 {
		t.Errorf("the new node has %d of 100 jobs", n)
	}
	a, b := p.NewNode(), p.NewNode()
	nodes = []*Node{a, b}
	for range 100 {
		p.Pick(nodes, nil).BeginUntimed()
	}
	if a.InFlight() != 50 {
		t.Errorf("of two new nodes one has %d of 100 jobs", a.InFlight())
	}
}

func TestAnswered(t *testing.T) {
	p, c := newPicker(Options{SlowStart: -1})
	n := p.NewNode()
	want := func(inFlight int64, latency time.Duration) {
		t.Helper()
		got := n.Status()
		if d := got.Latency - latency; got.InFlight != inFlight || d < -latency/100 || d > latency/100 {
			t.Errorf("got %+v, want %d under way and %v", got, inFlight, latency)
		}
	}
	n.Begin()
	want(1, 0)
	n.Answered(time.Second, Success)
	want(1, time.Second) // it is known, before the request has ended
	c.Advance(10 * time.Second)
	want(1, 367879*time.Microsecond) // and fades meanwhile: 1s·e^-1
	n.Begin()
	c.Advance(10 * time.Second)
	want(2, 367879*time.Microsecond) // but not while a timed request is under way
	n.End(0, Ignored)
	n.EndUntimed(0, Ignored)
	c.Advance(100 * time.Second)
	want(0, 6144) // 1s·e^-12
	n.Begin()
	n.Answered(10*ms, Success)
	n.EndUntimed(10*ms, Failure)
	want(0, time.Second)
}
