package autoscale

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// pool is a pool of workers in virtual time: each answers so many requests a second, what it can't answer piles up, to a
// bound beyond which it is refused, and a new worker takes a while to start.
type pool struct {
	s        *Scaler
	each     float64 // requests a second
	latency  float64 // seconds that a request takes at least
	backlog  float64
	bound    float64 // of the backlog
	answered float64
	starts   time.Duration
	cpu      func(ready int) float64

	now     time.Time
	ready   int
	coming  []time.Time
	desired int
	changes int // of the desired number
	turns   int // times that it went down after it had gone up, or the other way
	up      bool
	least   int
	most    int
}

func newPool(t *testing.T, o Options) *pool {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return &pool{s: s, each: 100, latency: 0.02, bound: 300, starts: 3 * time.Second, now: time.Unix(1e9, 0), ready: o.Min, desired: o.Min, up: true}
}

// run lets requests come at a rate, which may depend on the time since now, and counts the changes anew.
func (p *pool) run(d time.Duration, rate func(t time.Duration) float64) {
	p.changes, p.turns, p.least, p.most = 0, 0, p.desired, p.desired
	const step = 500 * time.Millisecond
	for t := time.Duration(0); t < d; t += step {
		p.now = p.now.Add(step)
		for len(p.coming) > 0 && !p.now.Before(p.coming[0]) {
			p.coming = p.coming[1:]
			p.ready++
		}
		arrivals := rate(t) * step.Seconds()
		can := float64(p.ready) * p.each * step.Seconds()
		done := min(can, p.backlog+arrivals)
		p.backlog = min(p.backlog+arrivals-done, p.bound)
		p.answered += done
		p.s.Observe(p.now, Sample{Requests: p.backlog + done/step.Seconds()*p.latency, Answered: uint64(p.answered)})
		if t%(2*time.Second) == 0 {
			p.decide()
		}
	}
}

func (p *pool) decide() {
	m := Machine{Ready: p.ready}
	if p.cpu != nil {
		m.CPU, m.Local = p.cpu(p.ready), true
	}
	d := p.s.Decide(p.now, m)
	if d.Desired == p.desired {
		return
	}
	p.changes++
	if up := d.Desired > p.desired; up != p.up {
		p.up = up
		p.turns++
	}
	p.desired = d.Desired
	p.least, p.most = min(p.least, d.Desired), max(p.most, d.Desired)
	for p.ready+len(p.coming) < d.Desired {
		p.coming = append(p.coming, p.now.Add(p.starts))
	}
	for p.ready+len(p.coming) > d.Desired && len(p.coming) > 0 {
		p.coming = p.coming[:len(p.coming)-1]
	}
	p.ready = min(p.ready, d.Desired)
}

func constant(rate float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return rate }
}

// noisy draws each half second's rate from ±share around it.
func noisy(rate, share float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return rate * (1 - share + 2*share*rand.Float64()) }
}

// Whatever a constant load needs, the pool finds it and stays there: it doesn't swing.
func TestConstantLoad(t *testing.T) {
	for _, rate := range []float64{50, 150, 190, 210, 250, 300, 333, 390, 410, 500, 620, 777} {
		for name, load := range map[string]func(time.Duration) float64{"even": constant(rate), "uneven": noisy(rate, 0.3)} {
			p := newPool(t, Options{Min: 2, Max: 8})
			p.run(20*time.Minute, load) // what came of the first rush is taken back
			p.run(2*time.Hour, load)
			needs := int(math.Ceil(rate / p.each))
			if p.turns > 1 || p.most-p.least > 1 {
				t.Errorf("%s load of %.0f/s: between %d and %d workers, %d changes, %d turns", name, rate, p.least, p.most, p.changes, p.turns)
			}
			if p.desired < needs {
				t.Errorf("%s load of %.0f/s: %d workers, though it needs %d", name, rate, p.desired, needs)
			}
		}
	}
}

// A day's load, low at night: the pool follows it up and down. Each time that it grows it may add one too many, and take
// it back; it never swings.
func TestDay(t *testing.T) {
	p := newPool(t, Options{Min: 2, Max: 8})
	day := func(t time.Duration) float64 { return 350 - 300*math.Cos(2*math.Pi*t.Hours()/24) }
	p.run(24*time.Hour, day)
	if p.turns > 7 || p.changes > 20 || p.most < 7 || p.desired != 2 {
		t.Errorf("between %d and %d workers, %d at last, with %d changes, %d turns", p.least, p.most, p.desired, p.changes, p.turns)
	}
}

func TestFlashCrowd(t *testing.T) {
	p := newPool(t, Options{Min: 2, Max: 8})
	p.run(10*time.Minute, constant(50))
	if p.changes > 0 {
		t.Fatalf("%d changes under a light load", p.changes)
	}
	p.run(12*time.Second, constant(700))
	if p.ready < 7 {
		t.Errorf("12 s after the load rose to 700/s %d workers are ready", p.ready)
	}
	p.run(time.Minute, constant(50))
	if p.turns > 0 {
		t.Errorf("%d workers a minute after the crowd came: it may come again", p.desired)
	}
	p.run(15*time.Minute, constant(50))
	if p.desired != 2 || p.turns != 1 {
		t.Errorf("%d workers long after the crowd has left, with %d turns", p.desired, p.turns)
	}
}

// Short bursts, one a minute, each of which needs more workers: the pool keeps what they need.
func TestBursts(t *testing.T) {
	p := newPool(t, Options{Min: 2, Max: 8})
	bursts := func(t time.Duration) float64 {
		if t%time.Minute < 10*time.Second {
			return 700
		}
		return 50
	}
	p.run(5*time.Minute, bursts)
	p.run(time.Hour, bursts)
	if p.turns > 0 {
		t.Errorf("between %d and %d workers, %d turns", p.least, p.most, p.turns)
	}
}

func TestBusyProcessors(t *testing.T) {
	p := newPool(t, Options{Min: 2, Max: 8})
	p.cpu = func(ready int) float64 { return float64(ready) / 4 } // four are too many
	p.run(10*time.Minute, constant(900))
	if p.desired != 4 {
		t.Errorf("%d workers on a machine for four", p.desired)
	}
}

func TestBounds(t *testing.T) {
	p := newPool(t, Options{Min: 3, Max: 5})
	p.run(10*time.Minute, constant(5000))
	if p.desired != 5 {
		t.Errorf("%d workers, want the most", p.desired)
	}
	p.run(20*time.Minute, constant(0))
	if p.desired != 3 {
		t.Errorf("%d workers, want the fewest", p.desired)
	}
	for _, o := range []Options{{}, {Min: 1}, {Min: 3, Max: 2}, {Min: 1, Max: 2, Target: -1}, {Min: 1, Max: 2, Panic: time.Millisecond}, {Min: 1, Max: 2, Stable: time.Second}, {Min: 1, Max: 2, PanicThreshold: 1}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}
