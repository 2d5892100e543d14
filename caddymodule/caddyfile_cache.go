package caddymodule

import (
	"encoding/json"
	"errors"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
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

var errUnshared = errors.New("cache has redis on, but that is for several gateways whose bundled workers have consistency bounded or strict")

// mayShareAnswers reports whether all apps that the directive serves are those of several gateways, by the global option parse. What
// isn't defined there is refused later, and says so.
func (h *Handler) mayShareAnswers(global any) bool {
	if len(h.Upstreams) > 0 {
		return false
	}
	var app App
	if defined, ok := global.(httpcaddyfile.App); !ok || json.Unmarshal(defined.Value, &app) != nil {
		return true
	}
	for name, c := range app.Apps {
		if (h.App == "" || h.App == name) && (c.Workers == nil || c.Workers.Consistency == "") {
			return false
		}
	}
	return true
}

// redisOn finds the words in a directive, so that an error can tell their line.
func redisOn(d caddyfile.Dispenser) *caddyfile.Dispenser {
	for d.Next() {
		if d.Val() == "redis" && d.NextArg() && d.Val() == "on" {
			break
		}
	}
	return &d
}
