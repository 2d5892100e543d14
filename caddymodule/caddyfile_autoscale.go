package caddymodule

import (
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// unmarshal reads
//
//	autoscale [<min> <max>] {
//		target           <requests>
//		scale_down_delay <duration>
//		max_cpu          <share>
//		webhook          <url> [<key>]
//	}
func (a *AutoscaleConfig) unmarshal(d *caddyfile.Dispenser) error {
	switch args := d.RemainingArgs(); len(args) {
	case 0:
	case 2:
		var err error
		if a.Min, a.Max, err = bounds(d, args[0], args[1]); err != nil {
			return err
		}
	default:
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "target":
			err = onceNumber(d, &a.Target)
		case "scale_down_delay":
			err = onceDuration(d, &a.ScaleDownDelay)
		case "max_cpu":
			err = onceShare(d, &a.MaxCPU)
		case "webhook":
			if a.Webhook != "" {
				return d.Err("webhook is given twice")
			}
			args := d.RemainingArgs()
			if len(args) == 0 || len(args) > 2 {
				return d.ArgErr()
			}
			if a.Webhook = args[0]; len(args) == 2 {
				a.WebhookKey = args[1]
			}
		default:
			err = d.Errf("unknown setting %q of autoscale; known are target, scale_down_delay, max_cpu and webhook", d.Val())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bounds reads two numbers of workers.
func bounds(d *caddyfile.Dispenser, low, high string) (least, most int, err error) {
	least, err1 := strconv.Atoi(low)
	most, err2 := strconv.Atoi(high)
	if err1 != nil || err2 != nil || least < 1 || most < least || most > maxWorkers {
		return 0, 0, d.Errf("the numbers of workers are two between 1 and %d, the smaller one first, not %q and %q", maxWorkers, low, high)
	}
	return least, most, nil
}
