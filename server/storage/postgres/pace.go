package postgres

import (
	"sync"
	"sync/atomic"
	"time"
)

// A find may take any time, and nobody knows before how long it will. So it is asked together with others only after
// others of the same text were quick, and no longer than they are: one that isn't is the trouble of its company once, for
// mostPatience, and then goes alone until enough others of its text were quick again.

const (
	// quickPace is the time up to which a statement may go in company. It is a mean, and of a loaded machine, where a
	// statement that takes a tenth of it waits for the processor longer than it runs.
	quickPace = 4 * time.Millisecond
	// slowPace is what a statement counts as that failed, or was the one for which a company's time was over: from there it
	// takes forty quick ones to be quick again.
	slowPace = time.Second
	// mostPatience is how long a company of finds may take.
	mostPatience = 500 * time.Millisecond
	// mostPaces is how many statements of a class are known. Whoever makes up more has all of them show their pace again.
	mostPaces = 256
)

// pace is the exponentially weighted mean of the times that a statement took lately, without the round trip, in nanoseconds;
// 0: it has not been run. Of two that are counted at the same time one may be lost.
type pace struct{ mean atomic.Int64 }

// quick reports whether the statement may go in company.
func (p *pace) quick() bool {
	mean := time.Duration(p.mean.Load())
	return mean > 0 && mean <= quickPace
}

// took counts a run.
func (p *pace) took(d time.Duration) {
	mean := p.mean.Load()
	if d = max(d, 1); mean != 0 {
		d = max(time.Duration(mean+(int64(d)-mean)/8), 1)
	}
	p.mean.Store(int64(d))
}

// slow has the statement go alone for a while.
func (p *pace) slow() { p.mean.Store(int64(slowPace)) }

// took counts the run of a company of finds. The server sends what several of them have in one piece, so nobody can tell how
// long each one took: it counts as its part of what all of them take as a rule.
func took(all []*lookup, d time.Duration) {
	if all[0].pace == nil {
		return
	}
	sum, parts := 0.0, make([]float64, len(all))
	for i, l := range all {
		parts[i] = float64(l.pace.mean.Load())
		sum += parts[i]
	}
	for i, l := range all {
		l.pace.took(time.Duration(float64(d) * parts[i] / sum))
	}
}

// slow has finds, if they are that, go alone for a while.
func slow(all ...*lookup) {
	for _, l := range all {
		if l.pace != nil {
			l.pace.slow()
		}
	}
}

// paces are those of the statements of a class.
type paces struct {
	mu sync.Mutex
	of map[string]*pace
}

func (p *paces) pace(sql []byte) *pace {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.of[string(sql)]; known != nil {
		return known
	}
	if p.of == nil || len(p.of) >= mostPaces {
		p.of = make(map[string]*pace)
	}
	out := new(pace)
	p.of[string(sql)] = out
	return out
}
