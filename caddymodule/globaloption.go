package caddymodule

import (
	"encoding/json"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/parsescale/parsescale/caddymodule/setting"
)

// defaultApp is the name of the app that a global block defines without naming one.
const defaultApp = "default"

// parseGlobalOption reads the global option:
//
//	parse {
//		<app settings>            # of the one app, named "default"
//		app <name> {
//			<app settings>
//		}
//		redis [<url>] {
//			deployment <name>
//			timeout    <duration>
//		}
//	}
//
// where the app settings are
//
//	workers <count> [<max>] {
//		app_id         <id>
//		master_key     <key>
//		rest_api_key   <key>
//		javascript_key <key>
//		database_uri   <uri>
//		exclusive
//		consistency    bounded|strict
//		drain_timeout  <duration>
//		max_memory     <size>
//		max_requests   <n>
//		option         <parse-server option> <JSON or text>
//	}
//	upstreams  <address...>
//	weight     <upstream> <n>
//	balance    peak_ewma|least_request|round_robin|sticky
//	app_id     <id>
//	health_uri <path>
//	feed       postgres <uri> | livequery <redis uri>
//	autoscale  [<min> <max>] {
//		target           <requests>
//		scale_down_delay <duration>
//		max_cpu          <share>
//		webhook          <url> [<key>]
//	}
func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	app := App{Apps: map[string]*AppConfig{}}
	if existing != nil {
		prev, ok := existing.(httpcaddyfile.App)
		if !ok {
			return nil, d.Errf("unexpected earlier value of the option parse: %T", existing)
		}
		if err := json.Unmarshal(prev.Value, &app); err != nil {
			return nil, d.WrapErr(err)
		}
	}
	d.Next() // the option's name
	if d.NextArg() {
		return nil, d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name, word := defaultApp, d.Val()
		if word == "redis" {
			if app.Redis != nil {
				return nil, d.Err("redis is given twice")
			}
			app.Redis = &RedisConfig{}
			if err := app.Redis.unmarshal(d); err != nil {
				return nil, err
			}
			continue
		}
		if word == "app" {
			if !d.AllArgs(&name) {
				return nil, d.ArgErr()
			}
			if app.Apps[name] != nil {
				return nil, d.Errf("the app %q is defined twice", name)
			}
			app.Apps[name] = &AppConfig{}
			for inner := d.Nesting(); d.NextBlock(inner); {
				if err := app.Apps[name].unmarshalSetting(d); err != nil {
					return nil, err
				}
			}
			continue
		}
		if app.Apps[name] == nil {
			app.Apps[name] = &AppConfig{}
		}
		if err := app.Apps[name].unmarshalSetting(d); err != nil {
			return nil, err
		}
	}
	return httpcaddyfile.App{Name: "parse", Value: caddyconfig.JSON(app, nil)}, nil
}

// unmarshalSetting reads one setting of an app; the dispenser stands on its name.
func (c *AppConfig) unmarshalSetting(d *caddyfile.Dispenser) error {
	word := d.Val()
	if err := c.unmarshalOne(d); err != nil {
		return err
	}
	if err := c.checkOwners(); err != nil {
		return d.WrapErr(err)
	}
	if (word == "autoscale" || word == "upstreams") && c.Autoscale != nil && len(c.Upstreams) > 0 {
		if err := c.Autoscale.ofUpstreams(); err != nil {
			return d.WrapErr(err)
		}
	}
	return nil
}

func (c *AppConfig) unmarshalOne(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "workers":
		if c.Workers != nil {
			return d.Err("workers is given twice")
		}
		c.Workers = &Workers{}
		return c.Workers.unmarshal(d)
	case "upstreams":
		args := d.RemainingArgs()
		if len(args) == 0 {
			return d.ArgErr()
		}
		c.Upstreams = append(c.Upstreams, args...)
		if err := checkUpstreams(c.Upstreams); err != nil {
			return d.WrapErr(err)
		}
		return nil
	case "consistency":
		return d.Err("consistency belongs into the block of workers: it is for bundled workers of several gateways")
	case "weight":
		return unmarshalWeight(d, c.Upstreams, &c.Weights)
	case "balance":
		return onceBalance(d, &c.Balance)
	case "app_id":
		return once(d, &c.AppID)
	case "health_uri":
		if err := once(d, &c.HealthURI); err != nil {
			return err
		}
		if err := checkHealthURI(c.HealthURI); err != nil {
			return d.WrapErr(err)
		}
		return nil
	case "autoscale":
		if c.Autoscale != nil {
			return d.Err("autoscale is given twice")
		}
		c.Autoscale = &AutoscaleConfig{}
		return c.Autoscale.unmarshal(d)
	case "feed":
		return unmarshalFeed(d, &c.Feed)
	}
	return d.Errf("unknown setting %q of a parse app; known are workers, upstreams, weight, balance, app_id, health_uri, autoscale and feed", d.Val())
}

// unmarshalFeed reads `feed postgres <uri>` or `feed livequery <redis uri>`.
func unmarshalFeed(d *caddyfile.Dispenser, to **FeedConfig) error {
	if *to != nil {
		return d.Err("feed is given twice")
	}
	var kind, uri string
	if d.AllArgs(&kind, &uri) {
		switch kind {
		case "postgres":
			*to = &FeedConfig{Postgres: uri}
			return nil
		case "livequery":
			*to = &FeedConfig{LiveQuery: uri}
			return nil
		}
	}
	return d.Err("feed takes: postgres <uri>, or livequery <redis uri>")
}

func (w *Workers) unmarshal(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		n, err := strconv.Atoi(d.Val())
		if err != nil || n < 1 || n > maxWorkers {
			return d.Errf("workers takes a number between 1 and %d, not %q", maxWorkers, d.Val())
		}
		w.Count = n
		if d.NextArg() {
			if w.Count, w.Max, err = bounds(d, strconv.Itoa(n), d.Val()); err != nil {
				return err
			}
		}
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "app_id":
			err = once(d, &w.AppID)
		case "master_key":
			err = once(d, &w.MasterKey)
		case "rest_api_key":
			err = once(d, &w.RestAPIKey)
		case "javascript_key":
			err = once(d, &w.JavaScriptKey)
		case "database_uri":
			err = once(d, &w.DatabaseURI)
		case "exclusive":
			err = onceFlag(d, &w.Exclusive)
		case "consistency":
			if err = once(d, &w.Consistency); err == nil && w.Consistency != boundedConsistency && w.Consistency != strictConsistency {
				err = d.Errf("consistency is bounded or strict, not %q", w.Consistency)
			}
		case "drain_timeout":
			err = onceDuration(d, &w.DrainTimeout)
		case "max_memory":
			err = onceSize(d, &w.MaxMemory)
		case "max_requests":
			err = onceNumber(d, &w.MaxRequests)
		case "option":
			err = w.unmarshalOption(d)
		default:
			err = d.Errf("unknown setting %q of workers; an option of parse-server is written: option %s <value>", d.Val(), d.Val())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unmarshalOption reads `option <name> <value>`: the value is JSON where it is valid JSON, and text elsewhere.
func (w *Workers) unmarshalOption(d *caddyfile.Dispenser) error {
	var name, value string
	if !d.AllArgs(&name, &value) {
		return d.ArgErr()
	}
	if _, twice := w.Options[name]; twice {
		return d.Errf("the option %s is given twice", name)
	}
	raw := json.RawMessage(value)
	if !json.Valid(raw) {
		raw = caddyconfig.JSON(value, nil)
	}
	if w.Options == nil {
		w.Options = map[string]json.RawMessage{}
	}
	w.Options[name] = raw
	return nil
}

// What reads settings that may be given once.
var (
	once         = setting.Text
	onceDuration = setting.Duration
	onceFlag     = setting.Flag
	onceList     = setting.List
)
