// Package ratelimit counts requests by key in windows of time, as parse-server's option rateLimit does: a window starts
// with a key's first request, and ends with the count. Counts are this process' own, or shared through Redis.
//
// It must not know what a key stands for, nor what becomes of a request that is one too many.
package ratelimit

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// DefaultMaxKeys is how many keys are remembered at a time. A key takes about 200 bytes.
const DefaultMaxKeys = 100_000

// Count is what is known of a key after one more request.
type Count struct {
	// Hits are the requests in this window, this one included.
	Hits int64
	// Reset is when the window ends.
	Reset time.Time
}

// Counter counts a request. Both counters of this package are safe for concurrent use.
type Counter interface {
	Add(ctx context.Context, key string) (Count, error)
}

// Local counts in this process' memory. Beyond the most keys it drops the ones that were seen longest ago: to get a count
// of one's own dropped takes more requests than any limit worth its name lets pass.
type Local struct {
	window time.Duration
	now    func() time.Time

	mu   sync.Mutex
	keys *simplelru.LRU[[sha256.Size]byte, Count]
}

// NewLocal makes a counter. maxKeys 0 means DefaultMaxKeys, now nil means time.Now.
func NewLocal(window time.Duration, maxKeys int, now func() time.Time) (*Local, error) {
	if maxKeys == 0 {
		maxKeys = DefaultMaxKeys
	}
	if now == nil {
		now = time.Now
	}
	keys, err := simplelru.NewLRU[[sha256.Size]byte, Count](maxKeys, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot count requests: %w", err)
	}
	return &Local{window: window, now: now, keys: keys}, nil
}

// Add implements Counter. It never fails.
func (l *Local) Add(_ context.Context, key string) (Count, error) {
	hashed := sha256.Sum256([]byte(key)) // keys may be long, and secret
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	c, ok := l.keys.Get(hashed)
	if !ok || !now.Before(c.Reset) {
		c = Count{Reset: now.Add(l.window)}
	}
	c.Hits++
	l.keys.Add(hashed, c)
	return c, nil
}
