package decoding

import (
	"crypto/rand"
	"strconv"
	"strings"
	"sync"
	"time"
)

// prefix marks our messages in the database's log.
const prefix = "parsescale"

// fences are what waits for the log to pass a point. A fence is a message written to the log after whatever was committed
// before it was asked for; when it comes back, all of that has been applied. One message serves everybody who waits for
// it to be written.
type fences struct {
	token string // tells our messages from other gateways'
	wake  chan struct{}

	mu      sync.Mutex
	waiting []chan struct{}
	sent    map[uint64]sentFence
	last    uint64
	closed  bool
}

type sentFence struct {
	at      time.Time // when it was begun to be written
	waiting []chan struct{}
}

func newFences() *fences {
	return &fences{token: rand.Text(), wake: make(chan struct{}, 1), sent: map[uint64]sentFence{}}
}

// ask returns a channel that is closed once the log has passed this moment, or will never be followed any further.
func (f *fences) ask() <-chan struct{} {
	done := make(chan struct{})
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		close(done)
		return done
	}
	f.waiting = append(f.waiting, done)
	select {
	case f.wake <- struct{}{}:
	default:
	}
	return done
}

// next returns the text of the next message; whoever has asked until now waits for it. at is the time now.
func (f *fences) next(at time.Time) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	f.sent[f.last] = sentFence{at, f.waiting}
	f.waiting = nil
	return f.token + " " + strconv.FormatUint(f.last, 10)
}

// back takes in a message that came out of the log. It returns when the message was written; false for one that isn't
// ours.
func (f *fences) back(content string) (at time.Time, ok bool) {
	token, number, _ := strings.Cut(content, " ")
	n, err := strconv.ParseUint(number, 10, 64)
	if token != f.token || err != nil {
		return time.Time{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.sent[n]
	if !ok {
		return time.Time{}, false
	}
	delete(f.sent, n)
	for _, done := range s.waiting {
		close(done)
	}
	return s.at, true
}

// close lets everybody go.
func (f *fences) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, done := range f.waiting {
		close(done)
	}
	for _, s := range f.sent {
		for _, done := range s.waiting {
			close(done)
		}
	}
	f.waiting, f.sent = nil, nil
}
