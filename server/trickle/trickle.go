package trickle

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// Least is how many bytes a second an upload needs to bring to be safe, Grace from when on that is looked at.
	Least = 16 << 10
	Grace = 5 * time.Second
)

// ErrTooSlow is what reading a Body ends with that was cut off.
var ErrTooSlow = errors.New("the body of the request came too slowly")

// Body is the body of a request on its way in.
type Body struct {
	io.ReadCloser
	connection Connection
	n          atomic.Int64 // bytes that have come
	whole, cut atomic.Bool

	begun time.Time // since when it is among others
	had   int64     // what had come by then
}

// Connection is what a Body comes by; http.ResponseController is one.
type Connection interface{ SetReadDeadline(time.Time) error }

// New returns the Body of what comes by a connection.
func New(body io.ReadCloser, c Connection) *Body { return &Body{ReadCloser: body, connection: c} }

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	if err != nil {
		b.whole.Store(true)
		if b.cut.Load() && !errors.Is(err, io.EOF) {
			err = ErrTooSlow
		}
	}
	return n, err
}

// Whole says that nothing more is to come. It needn't be called once Read has failed.
func (b *Body) Whole() { b.whole.Store(true) }

// Cut reports whether it was cut off.
func (b *Body) Cut() bool { return b.cut.Load() }

// rate is how many bytes a second have come.
func (b *Body) rate(now time.Time) float64 {
	return float64(b.n.Load()-b.had) / now.Sub(b.begun).Seconds()
}

// Bodies are those that come in at the same time. It is safe for concurrent use.
type Bodies struct {
	now    func() time.Time
	mu     sync.Mutex
	inside map[*Body]bool
}

// Among returns Bodies with a clock.
func Among(now func() time.Time) *Bodies { return &Bodies{now: now, inside: map[*Body]bool{}} }

// Add puts one in.
func (s *Bodies) Add(b *Body) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.begun, b.had = s.now(), b.n.Load()
	s.inside[b] = true
}

// Remove takes one out, if it is there.
func (s *Bodies) Remove(b *Body) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.inside, b)
}

// CutSlowest has the slowest of those that are too slow fail, if there is one.
func (s *Bodies) CutSlowest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	var slowest *Body
	least := float64(Least)
	for b := range s.inside {
		if now.Sub(b.begun) < Grace || b.whole.Load() || b.cut.Load() {
			continue
		}
		if rate := b.rate(now); rate < least {
			slowest, least = b, rate
		}
	}
	if slowest != nil {
		slowest.cut.Store(true)
		// Under the lock, so that it doesn't hit the connection's next request. One that can't be cut off stays.
		_ = slowest.connection.SetReadDeadline(time.Unix(1, 0))
	}
}
