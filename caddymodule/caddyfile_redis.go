package caddymodule

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/parsescale/parsescale/policies/ratelimit/ledger"
)

// unmarshal reads the setting redis. Its address may be missing: {$REDIS_URL} is nothing where that isn't set.
func (c *RedisConfig) unmarshal(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		c.URL = d.Val()
		if !strings.Contains(c.URL, "{") { // else it is read when it is known
			if err := ledger.CheckURL(c.URL); err != nil {
				return d.WrapErr(err)
			}
		}
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "deployment":
			if err = once(d, &c.Deployment); err == nil && !ledger.ValidDeployment(c.Deployment) {
				err = d.Errf("a deployment is named by 1 to 64 letters, digits, _ . and -, not %q", c.Deployment)
			}
		case "timeout":
			err = onceDuration(d, &c.Timeout)
		default:
			err = d.Errf("unknown setting %q of redis; known are deployment and timeout", d.Val())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
