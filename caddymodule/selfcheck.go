package caddymodule

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/parsescale/parsescale/policies/cache"
)

// checkTimeout bounds how long a worker may take to answer a check.
const checkTimeout = 10 * time.Second

// selfCheck has a worker asked again, for a share of hits, what was just answered from the cache.
func (x *exchange) selfCheck(e *cache.Entry) {
	if x.route.check == 0 || rand.Float64() >= x.route.check {
		return
	}
	if e.Timed {
		return
	}
	age := time.Since(e.Stored)
	if !x.route.checks.Begin(x.route.pool.Idle(), age) {
		return
	}
	// The request belongs to the server, which goes on with it.
	again := &exchange{
		handler: x.handler, route: x.route, r: x.r.Clone(context.Background()), path: x.path, ip: x.ip, behindProxy: x.behindProxy, req: x.req, body: x.body,
		rights: x.rights, key: x.key, begun: time.Now(),
	}
	go func() { x.route.checks.End(again.check(e, age), age) }()
}

// check compares what a worker answers now with the entry.
func (x *exchange) check(e *cache.Entry, age time.Duration) cache.CheckOutcome {
	ctx, cancel := context.WithTimeout(x.r.Context(), checkTimeout)
	defer cancel()
	a := x.forward(ctx)
	if a.err != nil {
		return cache.Undecided
	}
	if a.Stream != nil {
		_ = a.Stream.Close() // no entry is that large; the worker counts as busy until then
	}
	if !x.stillServed(e) {
		return cache.Undecided
	}
	if a.Stream == nil && a.Status == e.Status {
		if o := cache.Compare(x.req.Query, e.Body, a.Body); o != cache.Different {
			return o
		}
	}
	if a.Status >= http.StatusInternalServerError || a.Status == http.StatusTooManyRequests || !x.route.cache.Discard(x.key, e) {
		return cache.Undecided
	}
	level := zap.InfoLevel // how old an answer may be is known there
	if x.level() == cache.Exact && x.route.exact() {
		level = zap.ErrorLevel
	}
	x.handler.logger.Log(level, "a cached answer differed from a worker's and was dropped", zap.String("app", x.route.name),
		zap.String("class", x.req.Class), zap.String("key", fmt.Sprintf("%016x%016x", x.key.Hi, x.key.Lo)), zap.Duration("age", age),
		zap.Stringer("level", x.level()), zap.Int("status", a.Status))
	return cache.Different
}

// stillServed reports whether the entry would still answer the request: nothing that the gateway was told of has touched it,
// nor what the session token stands for. A worker that answers otherwise then contradicts the cache.
func (x *exchange) stillServed(e *cache.Entry) bool {
	if x.rights != nil && x.route.cache.Rights(cacheKey(x.req.SessionKey())) != x.rights {
		return false
	}
	return x.route.serving() && x.route.cache.Holds(x.key, e)
}
