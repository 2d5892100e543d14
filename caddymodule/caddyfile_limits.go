package caddymodule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/parsescale/parsescale/policies/ratelimit"
)

func (c *RateLimitConfig) unmarshal(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		known, err := c.unmarshalSetting(d)
		if !known {
			err = d.Errf("unknown setting %q of rate_limit; known are %s", d.Val(), limitSettings)
		}
		if err != nil {
			return err
		}
	}
	return c.complete(d)
}

// limitSettings are the settings of a rate limit, for errors.
const limitSettings = "key, default, hit_cost, dry_run, redis, on_redis_failure, max_keys and zone"

// unmarshalSetting reads one setting; known is false if it is none of a rate limit.
func (c *RateLimitConfig) unmarshalSetting(d *caddyfile.Dispenser) (known bool, err error) {
	switch name := d.Val(); name {
	case "key":
		err = onceKey(d, &c.Key)
	case "default":
		err = onceRate(d, &c.Rate)
	case "hit_cost":
		err = onceShare(d, &c.HitCost)
	case "dry_run":
		err = onceFlag(d, &c.DryRun)
	case "redis":
		if err = once(d, &c.Redis); err == nil && c.Redis != sharedOff {
			if _, wrong := ratelimit.ParseMode(c.Redis); wrong != nil {
				err = d.Errf("redis of rate_limit is off, exact or lease, not %q; the address belongs to the global option parse", c.Redis)
			}
		}
	case "on_redis_failure":
		if err = once(d, &c.OnRedisFailure); err == nil {
			if _, wrong := ratelimit.ParseFailure(c.OnRedisFailure); wrong != nil {
				err = d.Errf("on_redis_failure: %w", wrong)
			}
		}
	case "max_keys":
		var n int64
		if err = onceSize(d, &n); err == nil && c.MaxKeys != 0 {
			err = d.Err("max_keys is given twice")
		}
		c.MaxKeys = int(n)
	case "zone":
		err = c.unmarshalZone(d)
	default:
		return false, nil
	}
	return true, err
}

// complete finds what is missing once all settings were read.
func (c *RateLimitConfig) complete(d *caddyfile.Dispenser) error {
	switch {
	case c.Rate == "" && len(c.Zones) == 0:
		return d.Err("rate_limit needs its default, such as: default 20/10s burst 20, or a zone")
	case c.Redis == sharedOff && c.OnRedisFailure != "":
		return d.Err("rate_limit has on_redis_failure, but redis off")
	case c.Rate == "" && c.Key != "":
		return d.Err("the key of rate_limit is that of its default, which is missing; zones have keys of their own")
	}
	return nil
}

func (c *RateLimitConfig) unmarshalZone(d *caddyfile.Dispenser) error {
	var z RateZone
	if !d.AllArgs(&z.Name) {
		return d.Err("zone takes a name")
	}
	if z.Name == defaultZone || slices.ContainsFunc(c.Zones, func(other RateZone) bool { return other.Name == z.Name }) {
		return d.Errf("the zone %s is there twice", z.Name)
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch name := d.Val(); name {
		case "key":
			err = onceKey(d, &z.Key)
		case "rate":
			err = onceRate(d, &z.Rate)
		case "ops":
			if err = onceList(d, &z.Ops); err == nil {
				for _, op := range z.Ops {
					if wrong := (ratelimit.Group{}).Add(op); wrong != nil {
						return d.WrapErr(wrong)
					}
				}
			}
		case "classes":
			err = onceList(d, &z.Classes)
		case "functions":
			err = onceList(d, &z.Functions)
		case "dry_run":
			err = onceFlag(d, &z.DryRun)
		default:
			err = d.Errf("unknown setting %q of zone; known are key, rate, ops, classes, functions and dry_run", name)
		}
		if err != nil {
			return err
		}
	}
	if z.Rate == "" {
		return d.Errf("the zone %s needs its rate, such as: rate 5/1m burst 5", z.Name)
	}
	c.Zones = append(c.Zones, z)
	return nil
}

func onceKey(d *caddyfile.Dispenser, to *string) error {
	if err := once(d, to); err != nil {
		return err
	}
	_, err := ratelimit.ParseKey(*to)
	if err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func onceRate(d *caddyfile.Dispenser, to *string) error {
	if *to != "" {
		return d.Errf("%s is given twice", d.Val())
	}
	*to = strings.Join(d.RemainingArgs(), " ")
	if _, err := ratelimit.Parse(*to); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// parseShare reads a share above 0 and at most 1, such as 5% or 0.05.
func parseShare(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	share, err := strconv.ParseFloat(number, 64)
	if percent {
		share /= 100
	}
	if err != nil || !(share > 0 && share <= 1) {
		return 0, fmt.Errorf("a share above 0 and at most 1, such as 5%% or 0.05, not %q", text)
	}
	return share, nil
}

// onceShare reads a share.
func onceShare(d *caddyfile.Dispenser, to *float64) error {
	name, text := d.Val(), ""
	if *to != 0 {
		return d.Errf("%s is given twice", name)
	}
	if !d.AllArgs(&text) {
		return d.ArgErr()
	}
	share, err := parseShare(text)
	if err != nil {
		return d.Errf("%s takes %v", name, err)
	}
	*to = share
	return nil
}
