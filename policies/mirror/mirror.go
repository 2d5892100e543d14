package mirror

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Outcome is what came of a comparison.
type Outcome uint8

// The outcomes. Order: the same objects in another order, where the question asked for none. Changed: the first pool, asked
// once more, answers otherwise than before, so the data changed meanwhile and nothing is known. Failed: the second pool gave no
// answer. Skipped: too many comparisons were under way.
const (
	Same Outcome = iota
	Different
	Order
	Changed
	Failed
	Skipped
	Outcomes // their number
)

var outcomeNames = [Outcomes]string{"same", "different", "order", "changed", "failed", "skipped"}

// String is the outcome's name in metrics.
func (o Outcome) String() string {
	if o < Outcomes {
		return outcomeNames[o]
	}
	return "unknown"
}

// Answer is a whole answer.
type Answer struct {
	Status int
	Body   []byte
}

// Ask asks a pool the question that is compared.
type Ask func(ctx context.Context) (Answer, error)

// Options configure a Mirror. The zero value mirrors nothing.
type Options struct {
	// Share of the reads that are mirrored, from 0 (default) to 1.
	Share float64
	// Limit is how many comparisons may be under way at a time; further ones are skipped. Default 16.
	Limit int
	// Timeout bounds each question that a comparison asks. Default 10 s.
	Timeout time.Duration
	// Float64 draws from 0 up to 1. Default math/rand/v2. It must be safe for concurrent use.
	Float64 func() float64
}

// Mirror compares answers. It is safe for concurrent use.
type Mirror struct {
	o       Options
	ctx     context.Context
	cancel  context.CancelFunc
	slots   chan struct{}
	running sync.WaitGroup
	mu      sync.Mutex // guards the begin of a comparison against Close
	closed  bool
	counts  [Outcomes]atomic.Uint64
}

// New makes a Mirror. It must be closed.
func New(o Options) *Mirror {
	if o.Limit <= 0 {
		o.Limit = 16
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Float64 == nil {
		o.Float64 = rand.Float64
	}
	m := &Mirror{o: o, slots: make(chan struct{}, o.Limit)}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// Close ends what is under way.
func (m *Mirror) Close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.cancel()
	m.running.Wait()
}

// Draw decides whether a read is to be mirrored.
func (m *Mirror) Draw() bool { return m.o.Share > 0 && m.o.Float64() < m.o.Share }

// Counts are the comparisons by outcome.
func (m *Mirror) Counts() (n [Outcomes]uint64) {
	for o := range n {
		n[o] = m.counts[o].Load()
	}
	return n
}

// Compare compares first, the answer of the first pool, with that of the second, in the background. ordered: the question
// asks for an order. If the two differ the first pool is asked again: it may be the data that differ. report is told of an
// outcome that is Different or Failed; difference says what differs first, without any value.
func (m *Mirror) Compare(first Answer, ordered bool, again, second Ask, report func(o Outcome, difference string)) {
	select {
	case m.slots <- struct{}{}:
	default:
		m.counts[Skipped].Add(1)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		<-m.slots
		return
	}
	m.running.Go(func() {
		defer func() { <-m.slots }()
		outcome, difference := m.compare(first, ordered, again, second)
		if m.ctx.Err() != nil {
			return
		}
		m.counts[outcome].Add(1)
		if outcome == Different || outcome == Failed {
			report(outcome, difference)
		}
	})
}

func (m *Mirror) compare(first Answer, ordered bool, again, second Ask) (o Outcome, difference string) {
	other, err := m.ask(second)
	if err != nil {
		return Failed, err.Error()
	}
	difference = differ(first, other)
	if difference == "" {
		return Same, ""
	}
	repeated, err := m.ask(again)
	if err != nil || differ(first, repeated) != "" {
		return Changed, ""
	}
	if !ordered && first.Status == other.Status && sameResults(first.Body, other.Body) {
		return Order, ""
	}
	return Different, difference
}

func (m *Mirror) ask(f Ask) (Answer, error) {
	ctx, cancel := context.WithTimeout(m.ctx, m.o.Timeout)
	defer cancel()
	return f(ctx)
}

// differ says what differs first between two answers; "" if nothing does.
func differ(a, b Answer) string {
	if a.Status != b.Status {
		return fmt.Sprintf("status %d instead of %d", b.Status, a.Status)
	}
	if bytes.Equal(a.Body, b.Body) {
		return ""
	}
	return difference(a.Body, b.Body)
}
