package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisTimeout bounds what a request waits for Redis.
const redisTimeout = time.Second

// Shared counts in Redis, under the keys and in the form of the npm package rate-limit-redis, so that workers of Node
// count along.
type Shared struct {
	client *redis.Client
	window time.Duration
	now    func() time.Time
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

// Add implements Counter.
func (s *Shared) Add(ctx context.Context, key string) (Count, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	reply, err := count.Run(ctx, s.client, []string{"rl:" + key}, s.window.Milliseconds()).Int64Slice()
	if err != nil {
		return Count{}, fmt.Errorf("cannot count in Redis: %w", err)
	}
	if len(reply) != 2 {
		return Count{}, errors.New("cannot count in Redis: it answers something else")
	}
	return Count{Hits: reply[0], Reset: s.now().Add(time.Duration(reply[1]) * time.Millisecond)}, nil
}

// Close ends the connections.
func (s *Shared) Close() error { return s.client.Close() }
