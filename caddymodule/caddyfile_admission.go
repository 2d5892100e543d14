package caddymodule

import (
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func (c *AdmissionConfig) unmarshal(d *caddyfile.Dispenser) error {
	if given, err := offInstead(d); given {
		c.Off = true
		return err
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "initial":
			err = onceNumber(d, &c.Initial)
		case "min":
			err = onceNumber(d, &c.Min)
		case "max":
			err = onceNumber(d, &c.Max)
		case "queue":
			err = c.unmarshalQueue(d)
		default:
			err = d.Errf("unknown setting %q of admission; known are initial, min, max and queue", d.Val())
		}
		if err != nil {
			return err
		}
	}
	if err := c.check(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// unmarshalQueue reads `queue off` or `queue <n> [<duration>]`.
func (c *AdmissionConfig) unmarshalQueue(d *caddyfile.Dispenser) error {
	if c.NoQueue || c.Queue != 0 {
		return d.Err("queue is given twice")
	}
	args := d.RemainingArgs()
	if len(args) == 1 && args[0] == "off" {
		c.NoQueue = true
		return nil
	}
	if len(args) == 0 || len(args) > 2 {
		return d.ArgErr()
	}
	var err error
	if c.Queue, err = strconv.Atoi(args[0]); err != nil || c.Queue < 1 || c.Queue > maxNumber {
		return d.Errf("queue takes off, or a number above zero and a duration such as 250ms, not %q", args[0])
	}
	if len(args) == 2 {
		wait, err := caddy.ParseDuration(args[1])
		if err != nil || wait <= 0 {
			return d.Errf("queue takes a duration above zero, such as 250ms, not %q", args[1])
		}
		c.MaxWait = caddy.Duration(wait)
	}
	return nil
}

// maxNumber bounds the numbers of a configuration that have no bound of their own.
const maxNumber = 1 << 30

// onceNumber reads a whole number above zero.
func onceNumber(d *caddyfile.Dispenser, to *int) error {
	name, text := d.Val(), ""
	if *to != 0 {
		return d.Errf("%s is given twice", name)
	}
	if !d.AllArgs(&text) {
		return d.ArgErr()
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxNumber {
		return d.Errf("%s takes a whole number above zero, not %q", name, text)
	}
	*to = n
	return nil
}
