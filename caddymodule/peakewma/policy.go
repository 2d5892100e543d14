package peakewma

import (
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/parsescale/parsescale/caddymodule/setting"
	"github.com/parsescale/parsescale/policies/balance"
)

func init() { caddy.RegisterModule(Policy{}) }

// Policy chooses the better of two upstreams drawn at random, by the latency each has shown lately and the requests it has
// under way. Upstreams that the request has failed on are left out while there are others. It works with any transport.
// With the transport parse, the app's pool chooses, as it does for the handler parse.
type Policy struct {
	// Decay is the time in which the weight of an old latency falls to 1/e. Default: 10s.
	Decay caddy.Duration `json:"decay,omitempty"`
	// SlowStart is the time a new upstream takes to get its full share. Default: 30s.
	SlowStart caddy.Duration `json:"slow_start,omitempty"`
	// NoSlowStart gives a new upstream its full share at once. Default: false.
	NoSlowStart bool `json:"no_slow_start,omitempty"`

	chooser Chooser // nil: the policy chooses by itself
	key     tableKey
	table   *table // nil with a chooser
}

// Chooser is a transport that knows better than its handler which upstream to take.
type Chooser interface {
	// Choose returns one of the upstreams, or nil if none of them can be asked.
	Choose(from reverseproxy.UpstreamPool) *reverseproxy.Upstream
}

// CaddyModule returns the Caddy module information.
func (Policy) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.reverse_proxy.selection_policies.peak_ewma", New: func() caddy.Module { return new(Policy) }}
}

// UnmarshalCaddyfile reads:
//
//	lb_policy peak_ewma {
//		decay      <duration>
//		slow_start <duration>|off
//	}
func (p *Policy) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the policy's name
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch name := d.Val(); name {
		case "decay":
			err = setting.Duration(d, &p.Decay)
		case "slow_start":
			err = p.unmarshalSlowStart(d)
		default:
			err = d.Errf("unknown setting %q of peak_ewma; known are decay and slow_start", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *Policy) unmarshalSlowStart(d *caddyfile.Dispenser) error {
	if p.NoSlowStart {
		return d.Err("slow_start is given twice")
	}
	if d.CountRemainingArgs() == 1 {
		if args := d.RemainingArgs(); args[0] == "off" {
			if p.SlowStart != 0 {
				return d.Err("slow_start is given twice")
			}
			p.NoSlowStart = true
			return nil
		}
		d.Prev()
	}
	return setting.Duration(d, &p.SlowStart)
}

// Provision has the transport of the handler tell of its attempts. What is known of upstreams outlives a config reload.
func (p *Policy) Provision(ctx caddy.Context) error {
	if p.Decay < 0 || p.SlowStart < 0 {
		return errors.New("decay and slow_start must not be negative")
	}
	if p.NoSlowStart && p.SlowStart > 0 {
		return errors.New("slow_start can't be a time and off")
	}
	var handler *reverseproxy.Handler
	for _, m := range ctx.Modules() {
		if h, ok := m.(*reverseproxy.Handler); ok {
			handler = h
		}
	}
	if handler == nil {
		return errors.New("peak_ewma is a policy of reverse_proxy, and there is none around it")
	}
	if c, ok := handler.Transport.(Chooser); ok {
		if p.Decay > 0 || p.SlowStart > 0 || p.NoSlowStart {
			return errors.New("with the transport parse, peak_ewma has no settings: the app's pool chooses")
		}
		p.chooser = c
		return nil
	}
	if handler.Transport == nil { // as the handler itself does later
		t := new(reverseproxy.HTTPTransport)
		if err := t.Provision(ctx); err != nil {
			return err
		}
		handler.Transport = t
	}
	p.key = tableKey{time.Duration(p.Decay), time.Duration(p.SlowStart)}
	if p.NoSlowStart {
		p.key.slowStart = -1
	}
	v, _, err := tables.LoadOrNew(p.key, func() (caddy.Destructor, error) { return newTable(p.key), nil })
	if err != nil {
		return err
	}
	p.table = v.(*table)
	if m, ok := handler.Transport.(*measured); ok && m.table == p.table {
		return nil
	}
	handler.Transport = &measured{RoundTripper: handler.Transport, table: p.table}
	return nil
}

// Cleanup gives back what is known of upstreams.
func (p *Policy) Cleanup() error {
	if p.table == nil {
		return nil
	}
	_, err := tables.Delete(p.key)
	return err
}

// Select implements reverseproxy.Selector.
func (p *Policy) Select(pool reverseproxy.UpstreamPool, r *http.Request, _ http.ResponseWriter) *reverseproxy.Upstream {
	if p.chooser != nil {
		return p.chooser.Choose(pool)
	}
	const most = 16 // that are looked at without allocating
	var (
		nodeSpace     [most]*balance.Node
		upstreamSpace [most]*reverseproxy.Upstream
		nodes         = nodeSpace[:0]
		upstreams     = upstreamSpace[:0]
	)
	for _, u := range pool {
		if u.Available() {
			nodes, upstreams = append(nodes, p.table.node(u.String())), append(upstreams, u)
		}
	}
	chosen := p.table.picker.Pick(nodes, tried(r))
	if chosen == nil {
		chosen = p.table.picker.Pick(nodes, nil)
	}
	for i, n := range nodes {
		if n == chosen {
			return upstreams[i]
		}
	}
	return nil
}

// triedVar is where a request has the nodes that it failed on.
const triedVar = "parsescale.peak_ewma.tried"

func tried(r *http.Request) balance.Set {
	set, _ := caddyhttp.GetVar(r.Context(), triedVar).(balance.Set)
	return set
}

var (
	_ caddy.Provisioner     = (*Policy)(nil)
	_ caddy.CleanerUpper    = (*Policy)(nil)
	_ caddyfile.Unmarshaler = (*Policy)(nil)
	_ reverseproxy.Selector = (*Policy)(nil)
)
