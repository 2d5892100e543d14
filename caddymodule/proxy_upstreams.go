package caddymodule

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/parsescale/parsescale/policies/upstream"
)

// PoolUpstreams tells a reverse_proxy of the workers of an app, bundled ones or upstreams, as they may be asked now. It needs
// the transport parse in the same reverse_proxy: bundled workers believe what only the gateway may say to them, and the
// app's cache has to hear of writes. If no worker may be asked it tells of all, and the transport waits for one.
type PoolUpstreams struct {
	// App is the name of the app in the global option parse. Default: the only one.
	App string `json:"app,omitempty"`
	// Mount is the path below which the Parse API lives. Default: /parse.
	Mount string `json:"mount,omitempty"`

	handler *Handler
}

// CaddyModule returns the Caddy module information.
func (PoolUpstreams) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.reverse_proxy.upstreams.parse_pool", New: func() caddy.Module { return new(PoolUpstreams) }}
}

// UnmarshalCaddyfile reads:
//
//	dynamic parse_pool [<app>] {
//		mount <path>
//	}
func (p *PoolUpstreams) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the source's name
	if d.NextArg() {
		p.App = d.Val()
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch name := d.Val(); {
		case name != "mount":
			return d.Errf("unknown setting %q of parse_pool; known is mount", name)
		case p.Mount != "":
			return d.Err("mount is given twice")
		}
		if err := onceMount(d, &p.Mount); err != nil {
			return err
		}
	}
	return nil
}

// Provision finds the app and gives it to the transport.
func (p *PoolUpstreams) Provision(ctx caddy.Context) error {
	proxy, err := proxyAround(ctx)
	if err != nil {
		return err
	}
	transport, ok := proxy.Transport.(*Transport)
	if !ok {
		return errors.New("dynamic parse_pool needs the transport parse in the same reverse_proxy: add `transport parse`")
	}
	h := &Handler{App: p.App, Mount: p.Mount, MaxBody: transport.MaxBody, Cache: &CacheConfig{Off: true}}
	if err := h.Provision(ctx); err != nil {
		return err
	}
	if err := h.Validate(); err != nil {
		return err
	}
	if len(h.routes) != 1 {
		return errors.New("there are several parse apps: say which one, as in `dynamic parse_pool shop`")
	}
	p.handler, transport.handler = h, h
	return nil
}

// proxyAround is the reverse_proxy whose part is provisioned.
func proxyAround(ctx caddy.Context) (*reverseproxy.Handler, error) {
	var proxy *reverseproxy.Handler
	for _, m := range ctx.Modules() {
		if h, ok := m.(*reverseproxy.Handler); ok {
			proxy = h
		}
	}
	if proxy == nil {
		return nil, errors.New("it belongs to a reverse_proxy, and there is none around it")
	}
	return proxy, nil
}

// noUpstream stands for an app that has no worker at this moment. The transport doesn't dial it.
const noUpstream = "unix//parse_pool/has/no/worker"

// GetUpstreams implements reverseproxy.UpstreamSource.
func (p *PoolUpstreams) GetUpstreams(*http.Request) ([]*reverseproxy.Upstream, error) {
	members := p.handler.routes[0].pool.Members()
	all := make([]*reverseproxy.Upstream, 0, max(1, len(members)))
	for _, m := range members {
		if m.Ready {
			all = append(all, &reverseproxy.Upstream{Dial: dialled(m.Address)})
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	for _, m := range members {
		all = append(all, &reverseproxy.Upstream{Dial: dialled(m.Address)})
	}
	if len(all) == 0 {
		all = append(all, &reverseproxy.Upstream{Dial: noUpstream})
	}
	return all, nil
}

// dialled is a worker's address as Caddy has it.
func dialled(a upstream.Address) string {
	if a.Network == "unix" {
		return "unix/" + a.Dial
	}
	return a.Dial
}

var (
	_ caddy.Provisioner           = (*PoolUpstreams)(nil)
	_ caddyfile.Unmarshaler       = (*PoolUpstreams)(nil)
	_ reverseproxy.UpstreamSource = (*PoolUpstreams)(nil)
)
