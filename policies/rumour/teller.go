package rumour

import (
	"context"
	"sync/atomic"
	"time"
)

// Every is how often notes are exchanged, Keep how long a note counts after that: a gateway that is gone is forgotten then.
const (
	Every = time.Second
	Keep  = 5 * time.Second
)

// Workers are those of this gateway.
type Workers interface {
	// Broken are the workers that this gateway's own requests failed on.
	Broken() []Report
	// Heard is told of a worker that others find broken. many: more than half of all gateways say so, and two others at least. It
	// must not block.
	Heard(worker string, many bool)
}

// Notebook is where notes are exchanged: a Board.
type Notebook interface {
	Exchange(ctx context.Context, mine []Report) (Notes, error)
	Withdraw(ctx context.Context) error
}

// Teller tells the others and is told by them.
type Teller struct {
	name    string
	workers Workers
	board   Notebook
	wake    chan struct{}
	known   map[said]bool // what was passed on: whether as said by many
	others  atomic.Int64
	up      atomic.Bool
}

// said is one thing that a gateway says.
type said struct {
	gateway string
	report  Report
}

// NewTeller makes the Teller of a gateway by its name on the board.
func NewTeller(name string, workers Workers, board Notebook) *Teller {
	return &Teller{name: name, workers: workers, board: board, wake: make(chan struct{}, 1)}
}

// Tell has the next exchange take place at once.
func (t *Teller) Tell() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// Others is how many other gateways there are, as far as is known; up whether the board could be asked last.
func (t *Teller) Others() (n int, up bool) { return int(t.others.Load()), t.up.Load() }

// Run exchanges notes until ctx ends.
func (t *Teller) Run(ctx context.Context) {
	for ctx.Err() == nil {
		notes, err := t.board.Exchange(ctx, t.workers.Broken())
		t.up.Store(err == nil)
		if err == nil {
			t.hear(notes)
		}
		timer := time.NewTimer(Every)
		select {
		case <-timer.C:
		case <-t.wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), Every)
	defer cancel()
	_ = t.board.Withdraw(bye) // else it is forgotten after Keep
}

// hear passes on what is new in the notes: what wasn't said before, or not by many.
func (t *Teller) hear(notes Notes) {
	delete(notes, t.name)
	t.others.Store(int64(len(notes)))
	voices := map[string]int{}
	for _, reports := range notes {
		for worker := range workersOf(reports) {
			voices[worker]++
		}
	}
	known := map[said]bool{}
	fresh := map[string]bool{} // by worker: whether many say it
	for gateway, reports := range notes {
		for _, r := range reports {
			many := voices[r.Worker] >= 2 && 2*voices[r.Worker] > len(notes)+1
			one := said{gateway, r}
			asMany, before := t.known[one]
			known[one] = many || asMany
			if !before || many && !asMany {
				fresh[r.Worker] = many
			}
		}
	}
	t.known = known
	for worker, many := range fresh {
		t.workers.Heard(worker, many)
	}
}

func workersOf(reports []Report) map[string]bool {
	all := map[string]bool{}
	for _, r := range reports {
		all[r.Worker] = true
	}
	return all
}
