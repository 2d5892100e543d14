package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/parsescale/parsescale/policies/request"
	"github.com/parsescale/parsescale/policies/upstream"
)

// HedgeConfig says when a find or get that takes long is asked of a second healthy worker as well. The first answer counts, the
// other attempt is ended, and no worker is blamed for it.
type HedgeConfig struct {
	// Share is the largest share of the finds and gets of ten seconds that this may add, above 0 and at most 0.05. No default.
	Share float64 `json:"share"`
	// Delay is how long the first worker may take before. Default: as long as 95 of 100 of the same operation took lately.
	Delay caddy.Duration `json:"delay,omitempty"`
}

// unmarshalHedge reads `hedge <share> [<delay>]`.
func (c *PoolConfig) unmarshalHedge(d *caddyfile.Dispenser) error {
	if c.Hedge != nil {
		return d.Err("hedge is given twice")
	}
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return d.ArgErr()
	}
	share, err := parseShare(args[0])
	if err != nil {
		return d.Errf("hedge takes %v", err)
	}
	c.Hedge = &HedgeConfig{Share: share}
	if len(args) == 2 {
		delay, err := caddy.ParseDuration(args[1])
		if err != nil || delay <= 0 {
			return d.Errf("hedge takes a share and a duration above zero, such as 50ms, not %q", args[1])
		}
		c.Hedge.Delay = caddy.Duration(delay)
	}
	return nil
}

// hedges tells whether a second worker may be asked what the client asks, if the first one takes long. The checks of what was
// answered from the cache (they answer nobody) can wait.
func (x *exchange) hedges() bool {
	return x.w != nil && !x.req.Write && (x.req.Op == request.Find || x.req.Op == request.Get)
}

// spare tells whether the workers have room for requests that nobody waits for: none waits to be let in, and seven tenths of
// what they may be answering at once aren't reached.
func (g *gateway) spare() bool {
	l := g.admission.Load()
	if l == nil {
		return true
	}
	s := l.Status()
	return s.Waiting == 0 && float64(s.InFlight) < 0.7*float64(s.Limit)
}

// Each operation is a sort of requests to the pool.
const _ = uint(upstream.Sorts - request.Ops)
