package caddymodule

import (
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/dustin/go-humanize"

	"github.com/parsescale/parsescale/caddymodule/inspect"
	"github.com/parsescale/parsescale/policies/balance"
)

// parseDirective reads the directive. It is registered as a plain directive, not as a handler directive, because those
// see their tokens only after the matcher, from which the mount is taken, is gone.
func parseDirective(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	mount, matchers, err := mountAndMatchers(h)
	if err != nil {
		return nil, err
	}
	handler, from := &Handler{Mount: mount}, *h.Dispenser
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	if handler.sharesAnswers() && !handler.mayShareAnswers(h.Option("parse")) {
		return nil, redisOn(from).WrapErr(errUnshared)
	}
	return h.NewRoute(matchers, handler), nil
}

// mountAndMatchers reads what stands between a directive and its arguments. A path is also the mount.
func mountAndMatchers(h httpcaddyfile.Helper) (mount string, matchers caddy.ModuleMap, err error) {
	if !h.Next() {
		return "", nil, h.ArgErr()
	}
	if h.NextArg() {
		mount = inspect.Mount(h.Val())
		h.Prev()
	}
	if matchers, err = h.ExtractMatcherSet(); err == nil && mount != "" {
		// To Caddy, /parse/* doesn't cover /parse itself, which is where the SDKs' LiveQuery clients connect.
		matchers["path"] = caddyconfig.JSON([]string{mount, mount + "/*"}, nil)
	}
	return mount, matchers, err
}

// onceMount reads a setting whose value is a path, in the place of what the directive's matcher says.
func onceMount(d *caddyfile.Dispenser, to *string) error {
	*to = ""
	if err := once(d, to); err != nil {
		return err
	}
	given := *to
	if *to = inspect.Mount(given); *to == "" {
		return d.Errf("mount takes a path such as /parse, not %q", given)
	}
	return nil
}

// UnmarshalCaddyfile reads:
//
//	parse [<matcher>] [<upstreams...>] {
//		app      <name>
//		weight   <upstream> <n>
//		feed     postgres <uri> | livequery <redis uri>
//		balance  peak_ewma|least_request|round_robin|sticky
//		mount    <path>
//		max_body <size>
//		cache    off
//		cache {
//			ttl        <duration>
//			max_size   <size>
//			max_object <size>
//			stale_if_error <duration>
//			precompress off
//			self_check <share>
//		}
//		pool {
//			retries        <n>|off
//			answer_timeout <duration>
//			max_wait       <duration>
//			sockets_close_over <duration>
//			try_timeout    <duration> [<operation>...]
//			deadline       <duration> [<operation>...]
//			hedge          <share> [<duration>]
//			panic_threshold <share>
//			breaker {
//				failures     <n>
//				share        <share>
//				min_requests <n>
//				slow_share   <share>
//				slow_call    <duration> [<operation>...]
//				news         off
//				open_for     <duration>
//				max_open_for <duration>
//			}
//		}
//		mirror <share> <upstreams...> {
//			timeout <duration>
//			limit   <n>
//		}
//		rate_limit {
//			key      app|ip|app_ip|user|session|api_key
//			default  <events>/<window> [burst <n>]
//			hit_cost <share>
//			max_keys <n>
//			dry_run
//			redis    lease|exact|off
//			on_redis_failure local|open|closed
//			zone <name> {
//				key       app|ip|app_ip|user|session|api_key
//				rate      <events>/<window> [burst <n>]
//				ops       read|write|login|function|aggregate|push|files|<operation> ...
//				classes   <class> ...
//				functions <name> ...
//				dry_run
//			}
//		}
//		admission off
//		admission {
//			initial <n>
//			min     <n>
//			max     <n>
//			queue   off|<n> [<duration>]
//		}
//	}
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	h.Upstreams = d.RemainingArgs()
	if err := checkUpstreams(h.Upstreams); err != nil {
		return d.WrapErr(err)
	}
	seen := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		if seen[name] && name != "weight" {
			return d.Errf("%s is given twice", name)
		}
		seen[name] = true
		var err error
		switch name {
		case "app":
			err = once(d, &h.App)
		case "weight":
			err = unmarshalWeight(d, h.Upstreams, &h.Weights)
		case "balance":
			err = onceBalance(d, &h.Balance)
		case "mount":
			err = onceMount(d, &h.Mount)
		case "max_body":
			err = onceSize(d, &h.MaxBody)
		case "feed":
			err = unmarshalFeed(d, &h.Feed)
		case "cache":
			h.Cache = &CacheConfig{}
			err = h.Cache.unmarshal(d)
		case "pool":
			h.Pool = &PoolConfig{}
			err = h.Pool.unmarshal(d)
		case "mirror":
			h.Mirror = &MirrorConfig{}
			err = h.Mirror.unmarshal(d)
		case "rate_limit":
			h.RateLimit = &RateLimitConfig{}
			err = h.RateLimit.unmarshal(d)
		case "admission":
			h.Admission = &AdmissionConfig{}
			err = h.Admission.unmarshal(d)
		default:
			err = d.Errf("unknown setting %q of parse; known are app, weight, balance, feed, mount, max_body, cache, pool, mirror, rate_limit and admission", name)
		}
		if err != nil {
			return err
		}
	}
	if err := h.checkOwners(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// onceBalance reads the name of a balancing policy.
func onceBalance(d *caddyfile.Dispenser, to *string) error {
	if err := once(d, to); err != nil {
		return err
	}
	if _, err := balance.ParsePolicy(*to); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// unmarshalWeight reads `weight <upstream> <n>`.
func unmarshalWeight(d *caddyfile.Dispenser, upstreams []string, to *map[string]int) error {
	var name, text string
	if !d.AllArgs(&name, &text) {
		return d.ArgErr()
	}
	weight, err := strconv.Atoi(text)
	if err != nil {
		weight = -1
	}
	switch _, twice := (*to)[name]; {
	case checkWeight(weight) != nil:
		return d.Errf("weight takes a whole number from 0 to %d, not %q", maxWeight, text)
	case twice:
		return d.Errf("the weight of %s is given twice", name)
	case !slices.Contains(upstreams, name):
		return d.Errf("a weight is given for %s, which is none of the upstreams before it", name)
	}
	if *to == nil {
		*to = map[string]int{}
	}
	(*to)[name] = weight
	return nil
}

// onceSize reads a size such as 20MB, or a plain number.
func onceSize(d *caddyfile.Dispenser, to *int64) error {
	name, text := d.Val(), ""
	if *to != 0 {
		return d.Errf("%s is given twice", name)
	}
	if !d.AllArgs(&text) {
		return d.ArgErr()
	}
	n, err := humanize.ParseBytes(text)
	if err != nil || n == 0 || n > 1<<40 {
		return d.Errf("%s takes a size such as 20MB, not %q", name, text)
	}
	*to = int64(n)
	return nil
}

var _ caddyfile.Unmarshaler = (*Handler)(nil)
