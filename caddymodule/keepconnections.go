package caddymodule

import (
	"errors"
	"net"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/parsescale/parsescale/caddymodule/handover"
)

// desk is where the servers of an old and of a new configuration meet.
var desk = handover.NewDesk()

// redirects is the name of the server with which Caddy sends clients of sites with HTTPS there from HTTP.
const redirects = "remaining_auto_https_redirects"

// keepConnections lets the queues of connections of the server that is being provisioned, and its idle HTTP/1.1 connections without
// TLS, outlive it; and those of its redirects. Clients of HTTP/1.1 over TLS will be asked to leave before it ends.
func (a *App) keepConnections(ctx caddy.Context) {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return
	}
	servers := []*caddyhttp.Server{server}
	if a.http != nil {
		servers = append(servers, a.http.Servers[redirects])
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range servers {
		if s == nil || a.keeping[s] != nil {
			continue
		}
		k := new(keptServer)
		a.keeping[s] = k
		for i, address := range s.Listen {
			s.Listen[i] = kept(address)
		}
		s.RegisterConnState(k.staying.Tell)
		s.RegisterConnContext(k.attach)
	}
}

// KeepConnections is a listener wrapper that keeps connections across config reloads and upgrades, as sites with a handler of
// this module do by themselves: those that wait to be accepted, and idle ones of HTTP/1.1 without TLS. Clients of HTTP/1.1 over TLS
// are told to make new connections, for which a reload waits, 5 s at most. Without it Caddy closes all of them at each
// reload, and a request that is on its way at that moment fails. It is for sites that have no such handler, and for
// those with another listener wrapper, such as proxy_protocol, whose connections it has to come after: it belongs into the
// global option servers, as the last of the listener wrappers. It has no settings.
//
//	servers {
//		listener_wrappers {
//			proxy_protocol
//			tls
//			parse_keep_connections
//		}
//	}
type KeepConnections struct{}

// CaddyModule returns the Caddy module information.
func (KeepConnections) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.listeners.parse_keep_connections", New: func() caddy.Module { return new(KeepConnections) }}
}

// Provision changes the server's addresses, and asks it to tell its connections' states.
func (KeepConnections) Provision(ctx caddy.Context) error {
	if ctx.Value(caddyhttp.ServerCtxKey) == nil {
		return errors.New("parse_keep_connections works for HTTP servers only")
	}
	app, err := parseApp(ctx)
	if err != nil {
		return err
	}
	app.keepConnections(ctx)
	return nil
}

// WrapListener is called once per address of the server.
func (KeepConnections) WrapListener(l net.Listener) net.Listener { return desk.Listen(l) }

// UnmarshalCaddyfile reads `parse_keep_connections`.
func (KeepConnections) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.ArgErr()
	}
	if d.NextBlock(0) {
		return d.Errf("parse_keep_connections has no settings, not %q", d.Val())
	}
	return nil
}

var (
	_ caddy.Provisioner     = KeepConnections{}
	_ caddy.ListenerWrapper = KeepConnections{}
	_ caddyfile.Unmarshaler = KeepConnections{}
)
