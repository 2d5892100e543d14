package caddymodule

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/parsescale/parsescale/policies/breaker"
	"github.com/parsescale/parsescale/policies/upstream"
)

// PoolConfig tunes how the workers of an app are asked: how often a read is tried, how long is waited, and when a worker is
// left alone. All sites of an app share its pool.
type PoolConfig struct {
	// Retries is how often a read is asked of another worker after one failed on it, up to 10; NoRetries: never. Default: 3.
	Retries   int  `json:"retries,omitempty"`
	NoRetries bool `json:"no_retries,omitempty"`
	// AnswerTimeout is how long a worker may be silent while it answers. Default: 30s.
	AnswerTimeout caddy.Duration `json:"answer_timeout,omitempty"`
	// MaxWait is how long a request waits for a worker that may be asked, before it is refused with 503. Default: 3s.
	MaxWait caddy.Duration `json:"max_wait,omitempty"`
	// SocketsCloseOver is the time over which WebSockets are closed, with the status 1001, when the app ends: all of their
	// clients come back. Default: 10s.
	SocketsCloseOver caddy.Duration `json:"sockets_close_over,omitempty"`
	// TryTimeout is how long one attempt at a read may take before another worker is asked instead, if one may be, within
	// retries; else the attempt goes on. Writes and functions have no such time. Default: none; its ops are read.
	TryTimeout []OpTime `json:"try_timeout,omitempty"`
	// Deadline is how long a read or a function may take from its arrival, all attempts together. A read is then answered with the
	// error 124, a function with one that says it may have been applied. Workers are told of it in
	// X-Parsescale-Deadline-Ms. Writes have no deadline. Default: none; its ops are read.
	Deadline []OpTime `json:"deadline,omitempty"`
	// Hedge says when a find or get that takes long is asked of a second worker as well. Default: never.
	Hedge *HedgeConfig `json:"hedge,omitempty"`
	// PanicThreshold is the share of the workers that must be healthy, above 0 and at most 1; while fewer are, all are asked, whatever
	// their health checks and failed requests say, so that the few that are left aren't overrun, and checks that are wrong don't end the
	// service. Default: 0, all are asked only while none is healthy.
	PanicThreshold float64 `json:"panic_threshold,omitempty"`
	// Breaker says when a worker gets no requests for a while. Default: as its settings say.
	Breaker *BreakerConfig `json:"breaker,omitempty"`
}

// BreakerConfig is the breaker that each worker has. Changes are for workers that come after them.
type BreakerConfig struct {
	// Failures in a row open it. Default: 5.
	Failures int `json:"failures,omitempty"`
	// Share of failures among the requests of ten seconds opens it, above 0 and at most 1, once there are MinRequests of them.
	// Default: 0.5 of 20.
	Share       float64 `json:"share,omitempty"`
	MinRequests int     `json:"min_requests,omitempty"`
	// SlowShare of slow calls among those of ten seconds opens it as well, once there are MinRequests of them, above 0 and at most
	// 1: if the worker is slow alone, which is if the others have at most half that share, and if no more than half of the workers
	// are out by it. Default: slowness doesn't open it.
	SlowShare float64 `json:"slow_share,omitempty"`
	// SlowCall is after what time a call counts as slow. Operations that it doesn't name have no such time. Default: 2s, for read
	// and write.
	SlowCall []OpTime `json:"slow_call,omitempty"`
	// NewsOff keeps this gateway from telling others of workers whose breakers open, and from being told. It is for upstreams, where
	// the global option parse has a redis. Default: false.
	NewsOff bool `json:"news_off,omitempty"`
	// OpenFor is how long it stays open the first time; it doubles each time after, up to MaxOpenFor. Default: 5s, and 60s.
	OpenFor    caddy.Duration `json:"open_for,omitempty"`
	MaxOpenFor caddy.Duration `json:"max_open_for,omitempty"`
}

const maxRetries = 10

// defaultSocketsCloseOver is what a process manager's usual patience leaves room for.
const defaultSocketsCloseOver = 10 * time.Second

// socketsCloseOver is the time over which the app's WebSockets are closed when it ends; s may be nil.
func (s *settings) socketsCloseOver() time.Duration {
	if s == nil || s.tuned == nil || s.tuned.SocketsCloseOver == 0 {
		return defaultSocketsCloseOver
	}
	return time.Duration(s.tuned.SocketsCloseOver)
}

func (c *PoolConfig) check() error {
	switch {
	case c.Retries < 0 || c.Retries > maxRetries:
		return fmt.Errorf("retries takes off, or a number from 1 to %d", maxRetries)
	case c.Retries > 0 && c.NoRetries:
		return errors.New("retries can't be a number and off")
	case c.AnswerTimeout < 0 || c.MaxWait < 0 || c.SocketsCloseOver < 0:
		return errors.New("the times of pool must not be negative")
	}
	if _, err := c.times(); err != nil {
		return err
	}
	if c.PanicThreshold < 0 || c.PanicThreshold > 1 {
		return errors.New("the panic_threshold of pool must be above 0 and at most 1")
	}
	if h := c.Hedge; h != nil && !(h.Share > 0 && h.Share <= upstream.MaxHedgeShare && h.Delay >= 0) {
		return fmt.Errorf("hedge takes a share above 0 and at most %g%%, and a time if it isn't to follow the worker's own", 100*upstream.MaxHedgeShare)
	}
	if b := c.Breaker; b != nil {
		switch {
		case b.Failures < 0 || b.Failures > maxNumber || b.MinRequests < 0 || b.MinRequests > maxNumber:
			return errors.New("the numbers of breaker must not be negative")
		case b.Share < 0 || b.Share > 1:
			return errors.New("the share of breaker must be above 0 and at most 1")
		case b.SlowShare < 0 || b.SlowShare > 1:
			return errors.New("the slow_share of breaker must be above 0 and at most 1")
		case b.SlowShare == 0 && len(b.SlowCall) > 0:
			return errors.New("the breaker has a slow_call, but no slow_share of them that opens it")
		case b.OpenFor < 0 || b.MaxOpenFor < 0 || b.MaxOpenFor > 0 && b.MaxOpenFor < b.OpenFor:
			return errors.New("the times of breaker must not be negative, and the longer one comes last")
		}
	}
	return nil
}

func (c *PoolConfig) same(o *PoolConfig) bool {
	one, other := *c, *o
	if one.Breaker == nil {
		one.Breaker = &BreakerConfig{}
	}
	if other.Breaker == nil {
		other.Breaker = &BreakerConfig{}
	}
	return reflect.DeepEqual(one, other)
}

// tunes takes over what a handler says of the app's pool. All handlers share it, so they must not disagree.
func (s *settings) tunes(c *PoolConfig) error {
	switch {
	case c == nil:
		return nil
	case s.tuned != nil && !s.tuned.same(c):
		return errors.New("two parse directives of one app have different settings of pool; they share its workers, so give it once")
	}
	s.tuned = c
	return c.check()
}

// configure adds the settings to the options of a pool.
func (c *PoolConfig) configure(o *upstream.Options) {
	if c == nil {
		return
	}
	o.Retries, o.AnswerTimeout, o.MaxWait = c.Retries, time.Duration(c.AnswerTimeout), time.Duration(c.MaxWait)
	if c.NoRetries {
		o.Retries = -1
	}
	o.PanicThreshold = c.PanicThreshold
	if h := c.Hedge; h != nil {
		o.Hedge.Share, o.Hedge.Delay = h.Share, time.Duration(h.Delay)
	}
	if b := c.Breaker; b != nil {
		o.Breaker = breaker.Options{
			Failures: uint32(b.Failures), Share: b.Share, MinRequests: uint32(b.MinRequests), //nolint:gosec // they were checked
			SlowShare: b.SlowShare,
			OpenFor:   time.Duration(b.OpenFor), MaxOpenFor: time.Duration(b.MaxOpenFor),
		}
	}
}

func (c *PoolConfig) unmarshal(d *caddyfile.Dispenser) error {
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "retries":
			err = c.unmarshalRetries(d)
		case "answer_timeout":
			err = onceDuration(d, &c.AnswerTimeout)
		case "max_wait":
			err = onceDuration(d, &c.MaxWait)
		case "sockets_close_over":
			err = onceDuration(d, &c.SocketsCloseOver)
		case "try_timeout":
			err = unmarshalOpTime(d, &c.TryTimeout)
		case "deadline":
			err = unmarshalOpTime(d, &c.Deadline)
		case "hedge":
			err = c.unmarshalHedge(d)
		case "panic_threshold":
			err = onceShare(d, &c.PanicThreshold)
		case "breaker":
			if c.Breaker != nil {
				return d.Err("breaker is given twice")
			}
			c.Breaker = &BreakerConfig{}
			err = c.Breaker.unmarshal(d)
		default:
			err = d.Errf("unknown setting %q of pool; known are retries, answer_timeout, max_wait, try_timeout, deadline, hedge, sockets_close_over, panic_threshold and breaker", d.Val())
		}
		if err != nil {
			return err
		}
	}
	if err := c.check(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// unmarshalRetries reads `retries off` or `retries <n>`.
func (c *PoolConfig) unmarshalRetries(d *caddyfile.Dispenser) error {
	if c.NoRetries {
		return d.Err("retries is given twice")
	}
	if d.CountRemainingArgs() == 1 {
		if args := d.RemainingArgs(); args[0] == "off" {
			if c.Retries > 0 {
				return d.Err("retries is given twice")
			}
			c.NoRetries = true
			return nil
		}
		d.Prev()
	}
	return onceNumber(d, &c.Retries)
}

func (c *BreakerConfig) unmarshal(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "failures":
			err = onceNumber(d, &c.Failures)
		case "share":
			err = onceShare(d, &c.Share)
		case "min_requests":
			err = onceNumber(d, &c.MinRequests)
		case "slow_share":
			err = onceShare(d, &c.SlowShare)
		case "slow_call":
			err = unmarshalOpTime(d, &c.SlowCall)
		case "news":
			err = onceOff(d, &c.NewsOff)
		case "open_for":
			err = onceDuration(d, &c.OpenFor)
		case "max_open_for":
			err = onceDuration(d, &c.MaxOpenFor)
		default:
			err = d.Errf("unknown setting %q of breaker; known are failures, share, min_requests, slow_share, slow_call, news, open_for and max_open_for", d.Val())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
