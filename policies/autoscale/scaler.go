package autoscale

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Options tune a Scaler. Min and Max are required; the zero value of every other field means its default.
type Options struct {
	// Min and Max bound the number of workers.
	Min, Max int
	// Begin is how many workers there are at first. Default Min.
	Begin int
	// Target is how many requests a worker is to have under way on average. Default 10.
	Target float64
	// Stable and Panic are the windows of the averages, in whole seconds. Default 60 s and 6 s.
	Stable, Panic time.Duration
	// PanicThreshold is how many times as many workers as there are the panic window must ask for to start a panic,
	// in which the pool only grows. Default 2.
	PanicThreshold float64
	// DownDelay is how long fewer workers must have been enough before there are fewer. Default 2 min.
	DownDelay time.Duration
	// BusyCPU is the share of the machine's processors above which no worker is added. Default 0.85.
	BusyCPU float64
	// Memory is how long it is remembered what a worker could do. Default 10 min.
	Memory time.Duration
}

// startTime is how long workers may take to start before it is no longer waited for.
const startTime = 30 * time.Second

// tolerance is by how much the load must fall below what fewer workers are to have before there are fewer.
const tolerance = 0.9

// fill is how much of what workers could do at most they are to be asked for.
const fill = 0.8

func (o Options) withDefaults() (Options, error) {
	set(&o.Begin, o.Min)
	set(&o.Target, 10)
	set(&o.Stable, time.Minute)
	set(&o.Panic, 6*time.Second)
	set(&o.PanicThreshold, 2)
	set(&o.DownDelay, 2*time.Minute)
	set(&o.BusyCPU, 0.85)
	set(&o.Memory, 10*time.Minute)
	switch {
	case o.Min < 1 || o.Max < o.Min || o.Begin < o.Min || o.Begin > o.Max:
		return o, fmt.Errorf("cannot scale between %d and %d workers", o.Min, o.Max)
	case !(o.Target > 0) || math.IsInf(o.Target, 0):
		return o, fmt.Errorf("cannot scale for %v requests a worker", o.Target)
	case o.Panic < time.Second || o.Stable < o.Panic || o.DownDelay < 0 || o.Memory < 0:
		return o, errors.New("cannot scale by windows of less than a second, or a panic window longer than the stable one")
	case !(o.PanicThreshold > 1) || !(o.BusyCPU > 0):
		return o, errors.New("cannot scale with a panic threshold of 1 or less, or processors that are always busy")
	}
	return o, nil
}

func set[T comparable](field *T, fallback T) {
	var zero T
	if *field == zero {
		*field = fallback
	}
}

// Sample is what a pool is doing at a moment.
type Sample struct {
	// Requests are under way or wait to be.
	Requests float64
	// Answered is how many have been answered by workers, since whenever.
	Answered uint64
}

// Machine is what may stand against more workers.
type Machine struct {
	// Ready is how many workers take requests.
	Ready int
	// CPU is the share of the processors that is in use, 0 to 1; 0 also where the workers run elsewhere or nobody knows.
	CPU float64
	// Local: the workers run on this machine. No more are added while some of them are about to start, for what they
	// will take of its processors isn't known yet.
	Local bool
}

// Decision is how many workers there should be.
type Decision struct {
	// Desired is between Min and Max.
	Desired int
	// Load is how many workers the load asks for, whatever the bounds: those of several gateways add up.
	Load float64
	// Panic: the load has risen so fast that the pool only grows for a while.
	Panic bool
	// Held: there would be more workers if the processors weren't busy, or workers about to start.
	Held bool
}

// Scaler makes the decisions. It is not safe for concurrent use.
type Scaler struct {
	o       Options
	history history
	desired int
	changed time.Time // desired

	panicking time.Time // until when
	lower     time.Time // since when fewer would have been enough; zero: they aren't
	highest   int       // that was asked for since then

	// capacity is what one worker answered in a second when there were too few of them, as of learned.
	capacity float64
	learned  time.Time
}

// New makes a Scaler.
func New(o Options) (*Scaler, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Scaler{o: o, desired: o.Begin, history: newHistory(o.Stable)}, nil
}

// Observe takes note of what the pool is doing. It should be called at least once a second.
func (s *Scaler) Observe(now time.Time, x Sample) { s.history.add(now, x) }

// Decide says how many workers there should be. It is made to be called every two seconds: the pool at most doubles, or
// is halved, by one decision.
func (s *Scaler) Decide(now time.Time, m Machine) Decision {
	stable, panics := s.history.average(now, s.o.Stable)/s.o.Target, s.history.average(now, s.o.Panic)/s.o.Target
	cur := s.desired
	if panics >= s.o.PanicThreshold*float64(max(1, m.Ready)) {
		s.panicking = now.Add(s.o.Stable)
	}
	panicking := now.Before(s.panicking)
	d := Decision{Load: stable, Panic: panicking}
	want := whole(stable)
	if panicking {
		d.Load = max(stable, panics)
		want = max(cur, whole(panics))
	}
	switch {
	case want > cur:
		s.lower = time.Time{}
		want = min(want, max(2*cur, cur+1), s.o.Max)
		starting := m.Local && m.Ready < cur && now.Sub(s.changed) < startTime
		if want > cur && (m.CPU > s.o.BusyCPU || starting) {
			want, d.Held = cur, true
		}
		if want > cur || cur == s.o.Max {
			s.learn(now, m.Ready)
		}
	case panicking:
		s.lower = time.Time{}
	default:
		want = s.fewer(now, stable)
	}
	if want = min(max(want, s.o.Min), s.o.Max); want != cur {
		s.desired, s.changed = want, now
	}
	d.Desired = s.desired
	return d
}

// learn remembers what a worker does when there are too few.
func (s *Scaler) learn(now time.Time, ready int) {
	each := s.history.rate(now, s.o.Panic) / float64(max(1, ready))
	if each > 0 && (each > s.capacity || now.Sub(s.learned) > s.o.Memory) {
		s.capacity, s.learned = each, now
	}
}

// fewer is how many workers are enough, if that has been so for long enough; else as many as there are.
func (s *Scaler) fewer(now time.Time, load float64) int {
	enough := whole(load / tolerance)
	if s.capacity > 0 && now.Sub(s.learned) <= s.o.Memory {
		rate := max(s.history.rate(now, s.o.Stable), s.history.rate(now, s.o.Panic))
		needed := whole(rate / (s.capacity * fill))
		if enough = max(enough, needed); needed > s.o.Min {
			s.learned = now // it still matters, and nothing speaks against it
		}
	}
	if enough >= s.desired {
		s.lower = time.Time{}
		return s.desired
	}
	if s.lower.IsZero() {
		s.lower, s.highest = now, enough
	}
	s.highest = max(s.highest, enough)
	if now.Sub(s.lower) < s.o.DownDelay {
		return s.desired
	}
	less := max(s.highest, (s.desired+1)/2)
	s.lower = time.Time{}
	return less
}

func whole(x float64) int { return int(math.Ceil(min(x, 1e6) - 1e-9)) }
