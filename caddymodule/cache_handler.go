package caddymodule

import (
	"errors"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Cacher is the cache of the handler parse as a handler of its own, in front of any other that answers as parse-server does.
// It knows of no writes but those that pass it, so its level is ttl: an answer lives for 5 seconds at most, a write drops
// what it may touch at once, and nothing is shared between sessions, keys or hosts. So all requests of the Parse API have to
// pass it, writes as well. Requests with a Cookie, and answers that vary by more than Origin and Accept-Encoding, are left alone.
type Cacher struct {
	Composed
	CacheConfig

	narrow bool // the Caddyfile has a matcher for it that may leave writes out
}

// CaddyModule returns the Caddy module information.
func (Cacher) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.parse_cache", New: func() caddy.Module { return new(Cacher) }}
}

// cacheDirective reads the directive.
func cacheDirective(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	mount, matchers, err := mountAndMatchers(h)
	if err != nil {
		return nil, err
	}
	c := &Cacher{Composed: Composed{Mount: mount}, narrow: mount == "" && len(matchers) > 0}
	if err := c.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return h.NewRoute(matchers, c), nil
}

// UnmarshalCaddyfile reads:
//
//	parse_cache [<path>] {
//		name      <name>
//		mount     <path>
//		max_batch <size>
//		ttl        <duration>
//		max_size   <size>
//		max_object <size>
//		stale_if_error <duration>
//		precompress off
//	}
func (c *Cacher) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	const settings = "ttl, max_size, max_object, stale_if_error and precompress"
	return c.Composed.unmarshal(d, "parse_cache", settings, func(d *caddyfile.Dispenser) (known bool, err error) {
		if d.Val() == "self_check" {
			return false, nil // the next handler can't be asked once the client has its answer
		}
		return c.CacheConfig.unmarshalSetting(d)
	}, func(d *caddyfile.Dispenser) error {
		if c.narrow {
			return d.Err("parse_cache takes a path such as /parse/* and no other matcher: it has to see the writes to know what they change")
		}
		return nil
	})
}

// Provision sets the cache up.
func (c *Cacher) Provision(ctx caddy.Context) error {
	switch {
	case c.SelfCheck != 0:
		return errors.New("parse_cache has no self_check: the next handler can't be asked once the client has its answer")
	case c.Off:
		return errors.New("parse_cache can't be off; leave it out instead")
	}
	return c.provision(ctx, &Handler{Cache: &c.CacheConfig})
}

var (
	_ caddy.Provisioner           = (*Cacher)(nil)
	_ caddyfile.Unmarshaler       = (*Cacher)(nil)
	_ caddyhttp.MiddlewareHandler = (*Cacher)(nil)
)
