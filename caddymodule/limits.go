package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/parsescale/parsescale/caddymodule/inspect"
	"github.com/parsescale/parsescale/policies/ratelimit"
	"github.com/parsescale/parsescale/policies/upstream"
)

// limits are a handler's rates for an app.
type limits struct {
	zones ratelimit.Zones
	// shared is this gateway's part in limits that several have together; nil: it has them by itself.
	shared *ratelimit.Shared
	// back is the share of its cost that a request gets back when it is answered from the cache.
	back float64
	// policies is the RateLimit-Policy header.
	policies string
}

// limitKey names a limiter, so that equal settings share one across reloads.
type limitKey struct {
	zone, key, rate string
	only            string // what is charged, "" for everything
	maxKeys         int
}

// String is the limiter's name in the status and in metrics.
func (k limitKey) String() string {
	return strings.TrimSpace(k.zone + " " + k.key + " " + k.rate + k.only)
}

// only says in words what a zone charges.
func (z *RateZone) only() string {
	text := ""
	for _, part := range []struct {
		name string
		list []string
	}{{"ops", z.Ops}, {"classes", z.Classes}, {"functions", z.Functions}} {
		if len(part.list) > 0 {
			text += " " + part.name + " " + strings.Join(slices.Sorted(slices.Values(part.list)), ",")
		}
	}
	return text
}

// defaultZone is the name of the rate that concerns every request.
const defaultZone = "default"

// limitsOf makes the limits of a handler's settings; nil: there are none.
func (g *gateway) limitsOf(c *RateLimitConfig, r *sharedRedis) (*limits, error) {
	if c == nil {
		return nil, nil
	}
	if c.HitCost < 0 || c.HitCost > 1 {
		return nil, fmt.Errorf("hit_cost must not be negative or more than 1, not %v; 0 stands for the default, 1", c.HitCost)
	}
	shared, err := g.sharedLimits(c, r)
	if err != nil {
		return nil, err
	}
	l := &limits{shared: shared}
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
	id := limitKey{z.Name, z.Key, z.Rate, z.only(), maxKeys}
	l := g.limiters[id]
	if l == nil {
		p, err := ratelimit.Parse(z.Rate)
		if err != nil {
			return nil, err
		}
		p.Name = z.Name
		if l, err = ratelimit.New([]ratelimit.Policy{p}, ratelimit.Options{MaxKeys: maxKeys, Name: id.String()}); err != nil {
			return nil, err
		}
		g.limiters[id] = l
	}
	return &ratelimit.Zone{
		Name: z.Name, Key: key, Limiter: l, Ops: ops, Classes: z.Classes, Names: z.Functions, DryRun: z.DryRun || c.DryRun,
	}, nil
}

// withinLimit charges the request to the rate limits. It answers the request itself, and returns false, when one of them
// is used up.
func (x *exchange) withinLimit() bool {
	l := x.route.limits
	if l == nil || x.r.Method == http.MethodOptions {
		return true
	}
	if inspect.IsBatch(x.path) && x.r.Header.Get("Content-Encoding") != "" {
		x.refuse(uncountable, "fwd=bypass; detail=compressed-batch")
		return false
	}
	x.charged = l.zones.Take(l.shared, x.route.known.Client(&x.req, x.ip, l.zones), &x.req)
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

// expose lets scripts in browsers read what the limits tell, in an answer that they may read at all.
func (x *exchange) expose(h http.Header) {
	if x.charged.Zone != nil && h["Access-Control-Allow-Origin"] != nil {
		const name = "Access-Control-Expose-Headers"
		h[name] = append(slices.Clip(h[name]), "Retry-After, RateLimit, RateLimit-Policy")
	}
}

// giveBack is told that the request was answered from the cache, with an answer for just its credentials.
func (x *exchange) giveBack() {
	if l := x.route.limits; l != nil {
		x.learn(ratelimit.Answer{})
		if l.back > 0 {
			x.charged.GiveBack(l.back)
		}
	}
}

// learn takes note that what was asked was done. What was charged so far to the address is then charged to whoever the
// credentials stand for.
func (x *exchange) learn(a ratelimit.Answer) {
	l := x.route.limits
	if l != nil && x.route.known.Learn(&x.req, l.zones, a) {
		x.charged.Move(x.route.known.Client(&x.req, x.ip, l.zones))
	}
}

// answerOf is what an answer says of the user who asks. Bundled workers tell of reads whose session it is.
func answerOf(r *upstream.Response) ratelimit.Answer {
	a := ratelimit.Answer{Body: r.Body}
	for _, line := range r.Header["X-Parsescale-Rights"] {
		for item := range strings.FieldsSeq(line) {
			if id, ok := strings.CutPrefix(item, "_User:"); ok {
				a.User = id
			}
		}
	}
	return a
}
