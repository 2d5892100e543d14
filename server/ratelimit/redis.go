package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// redisTimeout bounds what a request waits for Redis.
	redisTimeout = time.Second
	// redisPause is for how long nobody asks Redis after it hasn't answered: else every request would wait that long.
	redisPause = 5 * time.Second
)

// ErrAway: Redis hasn't answered lately, and wasn't asked.
var ErrAway = errors.New("cannot count in Redis: it hasn't answered lately")

// Shared counts in Redis, under the keys and in the form of the npm package rate-limit-redis, so that workers of Node
// count along.
type Shared struct {
	client *redis.Client
	window time.Duration
	now    func() time.Time
	// away is until when nobody asks, in ns since 1970; 0: Redis answers.
	away atomic.Int64
}

// NewShared makes a counter from a redis:// address. It connects when there is something to count. The error doesn't
// repeat the address, which may hold a password. now nil means time.Now.
func NewShared(url string, window time.Duration, now func() time.Time) (*Shared, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("the address of Redis must be like redis://:password@host:6379/0")
	}
	if now == nil {
		now = time.Now
	}
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout, options.MaxRetries = redisTimeout, redisTimeout, redisTimeout, -1
	options.ContextTimeoutEnabled = true
	options.DisableIdentity = true
	return &Shared{client: redis.NewClient(options), window: window, now: now}, nil
}

// count adds one and starts the window of a new key, in one step. A key without an end gets one.
var count = redis.NewScript(`local hits = redis.call("INCR", KEYS[1])
local left = redis.call("PTTL", KEYS[1])
if left <= 0 then
  left = tonumber(ARGV[1])
  redis.call("PEXPIRE", KEYS[1], left)
end
return {hits, left}`)

// Add implements Counter. A request counts also when its client goes away meanwhile.
func (s *Shared) Add(ctx context.Context, key string) (Count, error) {
	now, away := s.now(), s.away.Load()
	if away != 0 && (now.UnixNano() < away || !s.away.CompareAndSwap(away, now.Add(redisPause).UnixNano())) {
		return Count{}, ErrAway // or one of those who come at the same time asks for all of them
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	reply, err := count.Run(ctx, s.client, []string{"rl:" + key}, s.window.Milliseconds()).Int64Slice()
	if err != nil {
		s.away.Store(s.now().Add(redisPause).UnixNano())
		return Count{}, fmt.Errorf("cannot count in Redis: %w", err)
	}
	if away != 0 {
		s.away.Store(0)
	}
	if len(reply) != 2 {
		return Count{}, errors.New("cannot count in Redis: it answers something else")
	}
	return Count{Hits: reply[0], Reset: s.now().Add(time.Duration(reply[1]) * time.Millisecond)}, nil
}

// Close ends the connections.
func (s *Shared) Close() error { return s.client.Close() }
