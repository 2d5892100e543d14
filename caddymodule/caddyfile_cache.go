package caddymodule

import (
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func (c *CacheConfig) unmarshal(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		if d.Val() != "off" || d.NextArg() {
			return d.ArgErr()
		}
		c.Off = true
		return nil
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "ttl":
			err = onceDuration(d, &c.TTL)
		case "max_size":
			err = onceSize(d, &c.MaxSize)
		case "max_object":
			err = onceSize(d, &c.MaxObject)
		case "stale_if_error":
			err = onceDuration(d, &c.StaleIfError)
		case "precompress":
			err = onceOff(d, &c.PrecompressOff)
		case "self_check":
			err = oncePercentage(d, &c.SelfCheck)
		default:
			err = d.Errf("unknown setting %q of cache; known are ttl, max_size, max_object, stale_if_error, precompress and self_check", d.Val())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// onceOff reads the word off, the only one there is.
func onceOff(d *caddyfile.Dispenser, to *bool) error {
	name, text := d.Val(), ""
	if *to {
		return d.Errf("%s is given twice", name)
	}
	if !d.AllArgs(&text) || text != "off" {
		return d.Errf("%s is on unless it says: %s off", name, name)
	}
	*to = true
	return nil
}

// oncePercentage reads a share such as 0.1%, or 0.001.
func oncePercentage(d *caddyfile.Dispenser, to *float64) error {
	name, text := d.Val(), ""
	if *to != 0 {
		return d.Errf("%s is given twice", name)
	}
	if !d.AllArgs(&text) {
		return d.ArgErr()
	}
	number, percent := strings.CutSuffix(text, "%")
	share, err := strconv.ParseFloat(number, 64)
	if percent {
		share /= 100
	}
	if err != nil || !(share > 0 && share <= 1) {
		return d.Errf("%s takes a share above 0 and at most 100%%, such as 0.1%% or 0.001, not %q", name, text)
	}
	*to = share
	return nil
}
