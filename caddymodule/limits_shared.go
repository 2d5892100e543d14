package caddymodule

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/parsescale/parsescale/policies/ratelimit"
	"github.com/parsescale/parsescale/policies/ratelimit/ledger"
)

// RedisConfig is the Redis that the gateways of a deployment have in common. What they share there are rate
// limits, what they find of broken upstreams, and with consistency what they hear of each other's writes.
type RedisConfig struct {
	// URL is the address, as redis://user:password@host:6379/0, rediss:// for TLS, or unix://; of a Redis Cluster with further
	// nodes as ?addr=host:port. Placeholders such as {env.REDIS_URL} are replaced. Default: none, as without this setting.
	URL string `json:"url,omitempty"`
	// Deployment is what names of keys begin with: gateways of the same one share their limits. Letters, digits, _ . and -.
	// Default: parsescale.
	Deployment string `json:"deployment,omitempty"`
	// Timeout bounds how long a request waits for Redis. Default: 50ms.
	Timeout caddy.Duration `json:"timeout,omitempty"`
}

// redisPool keeps the connections across config reloads, by redisKey.
var redisPool = caddy.NewUsagePool()

// redisKey is what makes a connection another one.
type redisKey struct {
	url, deployment string
	timeout         time.Duration
}

// sharedRedis is a connection in the pool.
type sharedRedis struct{ *ledger.Redis }

// Destruct ends the connection when no config refers to it any more.
func (r *sharedRedis) Destruct() error { return r.Close() }

// connect makes the app's connection, or takes that of an earlier config. Nothing is sent before something is asked.
func (a *App) connect() error {
	if a.Redis == nil {
		return nil
	}
	url, err := caddy.NewReplacer().ReplaceOrErr(a.Redis.URL, false, true)
	if err != nil {
		return fmt.Errorf("cannot read the url of redis: %w", err)
	}
	if url == "" {
		a.logger.Info("redis has no url: this gateway shares nothing with others")
		return nil
	}
	key := redisKey{url, a.Redis.Deployment, time.Duration(a.Redis.Timeout)}
	v, _, err := redisPool.LoadOrNew(key, func() (caddy.Destructor, error) {
		r, err := ledger.Open(ledger.Options{URL: url, Deployment: key.deployment, Timeout: key.timeout, OnChange: tellRedis})
		return &sharedRedis{r}, err
	})
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	a.redis, a.redisKey = v.(*sharedRedis), key
	return nil
}

// tellRedis logs that Redis is gone or back. The connection outlives the config whose logger that would be.
func tellRedis(up bool) {
	log := caddy.Log().Named("parse")
	if up {
		log.Info("Redis answers again; limits are shared")
	} else {
		log.Warn("Redis doesn't answer in time; until it does, on_redis_failure says what is limited")
	}
}

// disconnect gives the connection back.
func (a *App) disconnect() error {
	if a.redis == nil {
		return nil
	}
	a.redis = nil
	_, err := redisPool.Delete(a.redisKey)
	return err
}

// sharedKey names a gateway's part in shared limits, so that equal settings share one across reloads.
type sharedKey struct {
	redis   *ledger.Redis
	mode    ratelimit.Mode
	failure ratelimit.Failure
}

// String is its name in the status.
func (k sharedKey) String() string { return string(k.mode) + " " + string(k.failure) }

// sharedOff is the mode of limits that a gateway has by itself.
const sharedOff = "off"

// sharedLimits returns this gateway's part in the limits, nil if it has them by itself.
func (g *gateway) sharedLimits(c *RateLimitConfig, r *sharedRedis) (*ratelimit.Shared, error) {
	key := sharedKey{mode: ratelimit.Lease, failure: ratelimit.Local}
	var err error
	if c.Redis != "" && c.Redis != sharedOff {
		if key.mode, err = ratelimit.ParseMode(c.Redis); err != nil {
			return nil, fmt.Errorf("redis of rate_limit, if it isn't off: %w", err)
		}
	}
	if c.OnRedisFailure != "" {
		if c.Redis == sharedOff {
			return nil, errors.New("rate_limit has on_redis_failure, but redis off")
		}
		if key.failure, err = ratelimit.ParseFailure(c.OnRedisFailure); err != nil {
			return nil, fmt.Errorf("on_redis_failure of rate_limit: %w", err)
		}
	}
	if r == nil || c.Redis == sharedOff {
		return nil, nil
	}
	key.redis = r.Redis
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.shared[key]
	if s == nil {
		s = ratelimit.NewShared(r.App(g.name), key.mode, key.failure)
		g.shared[key] = s
	}
	return s, nil
}

// startLimits starts what the handlers of a config need for their limits, as the config does. What an earlier one needs stays until
// dropLimits: its handlers serve on for a moment, or for good if this config fails to start.
func (g *gateway) startLimits(a *appState) {
	g.mu.Lock()
	defer g.mu.Unlock()
	used := g.limitsIn(a.handlers)
	for _, s := range g.shared {
		if used.shared[s] {
			s.Start()
		}
	}
	g.limited[a] = used
}

// dropLimits forgets what no config needs for its limits once this one has ended.
func (g *gateway) dropLimits(a *appState) {
	var unused []*ratelimit.Shared
	g.mu.Lock()
	delete(g.limited, a)
	needed := func(is func(usedLimits) bool) bool {
		for _, used := range g.limited {
			if is(used) {
				return true
			}
		}
		return false
	}
	for id, l := range g.limiters {
		if !needed(func(u usedLimits) bool { return u.limiters[l] }) {
			delete(g.limiters, id)
		}
	}
	for key, s := range g.shared {
		if !needed(func(u usedLimits) bool { return u.shared[s] }) {
			unused = append(unused, s)
			delete(g.shared, key)
		}
	}
	g.mu.Unlock()
	for _, s := range unused {
		s.Close()
	}
}

// usedLimits are what the handlers of one config need for their limits.
type usedLimits struct {
	limiters map[*ratelimit.Limiter]bool
	shared   map[*ratelimit.Shared]bool
}

// limitsNow are those of the config in force. mu is held.
func (g *gateway) limitsNow() usedLimits {
	if a := activeApp.Load(); a != nil {
		return g.limited[a.appState]
	}
	return usedLimits{}
}

func (g *gateway) limitsIn(handlers []*Handler) usedLimits {
	used := usedLimits{map[*ratelimit.Limiter]bool{}, map[*ratelimit.Shared]bool{}}
	for _, h := range handlers {
		for _, rt := range h.routes {
			if rt.gateway == g && rt.limits != nil {
				for _, z := range rt.limits.zones {
					used.limiters[z.Limiter] = true
				}
				used.shared[rt.limits.shared] = true
			}
		}
	}
	return used
}

// closeShared ends this gateway's part in all limits.
func (g *gateway) closeShared() {
	g.mu.Lock()
	all := g.shared
	g.shared = map[sharedKey]*ratelimit.Shared{}
	g.mu.Unlock()
	for _, s := range all {
		s.Close()
	}
}
