package caddymodule

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// RateLimiter is the rate limit of the handler parse as a handler of its own, in front of any other. What is over is refused
// with 429 and Parse's error; all else passes. An answer that the next handler says to be from a cache of this program, by
// Cache-Status, costs HitCost.
type RateLimiter struct {
	Composed
	RateLimitConfig
}

// CaddyModule returns the Caddy module information.
func (RateLimiter) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.parse_rate_limit", New: func() caddy.Module { return new(RateLimiter) }}
}

// rateLimitDirective reads the directive.
func rateLimitDirective(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	mount, matchers, err := mountAndMatchers(h)
	if err != nil {
		return nil, err
	}
	l := &RateLimiter{Composed: Composed{Mount: mount}}
	if err := l.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return h.NewRoute(matchers, l), nil
}

// UnmarshalCaddyfile reads:
//
//	parse_rate_limit [<matcher>] {
//		name      <name>
//		mount     <path>
//		max_batch <size>
//		# and all that rate_limit of parse has
//	}
func (l *RateLimiter) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return l.Composed.unmarshal(d, "parse_rate_limit", limitSettings, l.RateLimitConfig.unmarshalSetting, l.RateLimitConfig.complete)
}

// unmarshal reads a directive: the settings that such handlers have in common, and others.
func (c *Composed) unmarshal(d *caddyfile.Dispenser, directive, others string, other func(*caddyfile.Dispenser) (known bool, err error), complete func(*caddyfile.Dispenser) error) error {
	d.Next() // the directive's name
	if d.NextArg() {
		return d.ArgErr()
	}
	mounted := false
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		known := true
		var err error
		switch name := d.Val(); name {
		case "name":
			err = once(d, &c.Name)
		case "mount":
			if mounted {
				return d.Err("mount is given twice")
			}
			mounted = true
			err = onceMount(d, &c.Mount)
		case "max_batch":
			err = onceSize(d, &c.MaxBatch)
		default:
			if known, err = other(d); !known {
				err = d.Errf("unknown setting %q of %s; known are name, mount, max_batch, %s", name, directive, others)
			}
		}
		if err != nil {
			return err
		}
	}
	return complete(d)
}

// provision sets up what stands behind such a handler.
func (c *Composed) provision(ctx caddy.Context, h *Handler) error {
	if c.MaxBatch < 0 {
		return errors.New("max_batch must not be negative")
	}
	h.Mount, h.MaxBody = c.Mount, c.MaxBatch
	c.handler = h
	if err := h.compose(ctx, c.Name); err != nil {
		return err
	}
	return h.Validate()
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (c *Composed) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return c.handler.serveComposed(w, r, next)
}

// Provision sets the limits up.
func (l *RateLimiter) Provision(ctx caddy.Context) error {
	return l.provision(ctx, &Handler{RateLimit: &l.RateLimitConfig})
}

var (
	_ caddy.Provisioner           = (*RateLimiter)(nil)
	_ caddyfile.Unmarshaler       = (*RateLimiter)(nil)
	_ caddyhttp.MiddlewareHandler = (*RateLimiter)(nil)
)
