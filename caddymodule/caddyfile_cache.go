package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func (c *CacheConfig) unmarshal(d *caddyfile.Dispenser) error {
	if given, err := offInstead(d); given {
		c.Off = true
		return err
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		known, err := c.unmarshalSetting(d)
		if !known {
			err = d.Errf("unknown setting %q of cache; known are ttl, max_size, max_object, stale_if_error, precompress, redis and self_check", d.Val())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unmarshalSetting reads one setting; known is false if it is none of a cache.
func (c *CacheConfig) unmarshalSetting(d *caddyfile.Dispenser) (known bool, err error) {
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
	case "redis":
		err = onceOn(d, &c.Redis)
	case "self_check":
		err = onceShare(d, &c.SelfCheck)
	default:
		return false, nil
	}
	return true, err
}

// offInstead reads the word off in place of a block; given reports whether there is anything in its place.
func offInstead(d *caddyfile.Dispenser) (given bool, err error) {
	if !d.NextArg() {
		return false, nil
	}
	if d.Val() != "off" || d.NextArg() {
		return true, d.ArgErr()
	}
	return true, nil
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

// onceOn reads the word on, the only one there is.
func onceOn(d *caddyfile.Dispenser, to *bool) error {
	name, text := d.Val(), ""
	if *to {
		return d.Errf("%s is given twice", name)
	}
	if !d.AllArgs(&text) || text != "on" {
		return d.Errf("%s is off unless it says: %s on", name, name)
	}
	*to = true
	return nil
}
