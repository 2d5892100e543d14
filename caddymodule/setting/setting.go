// Package setting reads settings of a Caddyfile that may be given once: their errors name the setting, the file and the line.
//
// It must not know what the settings are for.
package setting

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Text reads a setting's one argument. The dispenser stands on the setting's name, here and below.
func Text(d *caddyfile.Dispenser, to *string) error {
	name := d.Val()
	if *to != "" {
		return d.Errf("%s is given twice", name)
	}
	if !d.AllArgs(to) {
		return d.ArgErr()
	}
	return nil
}

// Duration reads a duration above zero.
func Duration(d *caddyfile.Dispenser, to *caddy.Duration) error {
	name, text := d.Val(), ""
	if *to != 0 {
		return d.Errf("%s is given twice", name)
	}
	if !d.AllArgs(&text) {
		return d.ArgErr()
	}
	v, err := caddy.ParseDuration(text)
	if err != nil || v <= 0 {
		return d.Errf("%s takes a duration above zero, such as 5s, not %q", name, text)
	}
	*to = caddy.Duration(v)
	return nil
}

// Flag reads a setting that has no arguments.
func Flag(d *caddyfile.Dispenser, to *bool) error {
	if *to {
		return d.Errf("%s is given twice", d.Val())
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	*to = true
	return nil
}

// List reads one argument or more.
func List(d *caddyfile.Dispenser, to *[]string) error {
	name := d.Val()
	if *to != nil {
		return d.Errf("%s is given twice", name)
	}
	if *to = d.RemainingArgs(); len(*to) == 0 {
		return d.ArgErr()
	}
	return nil
}
