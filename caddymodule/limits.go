package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/parsescale/parsescale/policies/ratelimit"
	"github.com/parsescale/parsescale/policies/request"
)

// limits are a handler's rates for an app.
type limits struct {
	zones ratelimit.Zones
	// back is the share of its cost that a request gets back when it is answered from the cache.
	back float64
	// policies is the RateLimit-Policy header.
	policies string
}

// limitKey names a limiter, so that equal settings share one across reloads.
type limitKey struct {
	zone, key, rate string
	maxKeys         int
}

// defaultZone is the name of the rate that concerns every request.
const defaultZone = "default"

// limitsOf makes the limits of a handler's settings; nil: there are none.
func (g *gateway) limitsOf(c *RateLimitConfig) (*limits, error) {
	if c == nil {
		return nil, nil
	}
	if c.HitCost < 0 || c.HitCost > 1 {
		return nil, fmt.Errorf("hit_cost must be above 0 and at most 1, not %v", c.HitCost)
	}
	l := &limits{}
	if c.HitCost > 0 {
		l.back = 1 - c.HitCost
	}
	zones := c.Zones
	if c.Rate != "" {
		zones = append([]RateZone{{Name: defaultZone, Key: c.Key, Rate: c.Rate}}, zones...)
	}
	if len(zones) == 0 {
		return nil, errors.New("rate_limit needs a rate: its default, or a zone")
	}
	var policies []string
	for _, config := range zones {
		z, err := g.zone(config, c)
		if err != nil {
			return nil, fmt.Errorf("rate limit zone %s: %w", config.Name, err)
		}
		for _, other := range l.zones {
			if other.Name == z.Name {
				return nil, fmt.Errorf("the rate limit zone %s is there twice", z.Name)
			}
		}
		l.zones = append(l.zones, z)
		policies = append(policies, z.Limiter.PolicyHeader())
	}
	l.policies = strings.Join(policies, ", ")
	return l, nil
}

// zone returns the zone of a configuration, with the state that an equal one of an earlier config has gathered.
func (g *gateway) zone(z RateZone, c *RateLimitConfig) (*ratelimit.Zone, error) {
	if z.Key == "" {
		z.Key = string(ratelimit.ByApp)
	}
	key, err := ratelimit.ParseKey(z.Key)
	if err != nil {
		return nil, err
	}
	maxKeys := c.MaxKeys
	if maxKeys == 0 {
		maxKeys = defaultMaxKeys
	}
	ops := ratelimit.Group{}
	for _, name := range z.Ops {
		if err := ops.Add(name); err != nil {
			return nil, err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	id := limitKey{z.Name, z.Key, z.Rate, maxKeys}
	l := g.limiters[id]
	if l == nil {
		p, err := ratelimit.Parse(z.Rate)
		if err != nil {
			return nil, err
		}
		p.Name = z.Name
		if l, err = ratelimit.New([]ratelimit.Policy{p}, ratelimit.Options{MaxKeys: maxKeys}); err != nil {
			return nil, err
		}
		g.limiters[id] = l
	}
	return &ratelimit.Zone{
		Name: z.Name, Key: key, Limiter: l, Ops: ops, Classes: z.Classes, Names: z.Functions, DryRun: z.DryRun || c.DryRun,
	}, nil
}

// keepLimiters forgets the limiters that no handler of the config uses that runs now.
func (g *gateway) keepLimiters(handlers []*Handler) {
	used := map[*ratelimit.Limiter]bool{}
	for _, h := range handlers {
		for _, rt := range h.routes {
			if rt.gateway == g && rt.limits != nil {
				for _, z := range rt.limits.zones {
					used[z.Limiter] = true
				}
			}
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, l := range g.limiters {
		if !used[l] {
			delete(g.limiters, id)
		}
	}
}

// withinLimit charges the request to the rate limits. It answers the request itself, and returns false, when one of them
// is used up.
func (x *exchange) withinLimit() bool {
	l := x.route.limits
	if l == nil || x.r.Method == http.MethodOptions {
		return true
	}
	if x.isBatch() && x.r.Header.Get("Content-Encoding") != "" {
		x.refuse(uncountable, "fwd=bypass; detail=compressed-batch")
		return false
	}
	x.charged = l.zones.Take(ratelimit.Client{App: x.knownApp(), IP: x.ip}, &x.req)
	if x.charged.Zone == nil {
		return true
	}
	h := x.w.Header()
	h["Ratelimit-Policy"] = []string{l.policies}
	h["Ratelimit"] = []string{x.charged.Header()}
	if x.charged.OK {
		return true
	}
	if wait := x.charged.RetryAfterSeconds(); wait > 0 { // else it costs more than the limit ever allows at once
		h["Retry-After"] = []string{strconv.FormatInt(wait, 10)}
	}
	x.refuse(tooMany, "fwd=bypass; detail=rate-limited")
	return false
}

// giveBack is told that the request was answered from the cache.
func (x *exchange) giveBack() {
	if l := x.route.limits; l != nil && l.back > 0 {
		x.charged.GiveBack(l.back)
	}
}

// maxKnownApps bounds how many application ids are remembered of upstreams whose own the gateway wasn't told.
const maxKnownApps = 1024

// knownApp is the request's application id, if it is one: the app's own, or where the gateway wasn't told that, one with
// which a worker has done something. Any other is whatever the client says.
func (x *exchange) knownApp() string {
	id := x.req.AppID
	if own := x.route.appID; own != "" && id != own {
		return ""
	} else if own == "" && !x.route.apps.Contains(id) {
		return ""
	}
	return id
}

// learnApp takes note that a worker has done what was asked: it knows the application id.
func (x *exchange) learnApp(status int) {
	if x.route.appID != "" || x.route.limits == nil || status/100 != 2 || x.req.AppID == "" {
		return
	}
	switch x.req.Op {
	case request.Find, request.Get, request.Create, request.Update, request.Delete, request.Batch, request.LogIn, request.SignUp, request.Function, request.Me:
		if known, _ := x.route.apps.ContainsOrAdd(x.req.AppID, struct{}{}); !known {
			// What was charged to the address so far is the app's.
			x.charged.GiveBack(1)
			x.charged = x.route.limits.zones.Take(ratelimit.Client{App: x.req.AppID, IP: x.ip}, &x.req)
		}
	}
}
