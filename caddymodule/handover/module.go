package handover

import (
	"errors"
	"net"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() { caddy.RegisterModule(KeepConnections{}) }

// desk outlives the configurations whose servers meet there.
var desk = NewDesk()

// SetHeir says who gets the connections that this process lets go of when it ends.
func SetHeir(heir Heir) { desk.SetHeir(heir) }

// Take takes a connection that comes from another process.
func Take(address string, c net.Conn, unread []byte) { desk.Take(address, c, unread) }

// KeepConnections is a listener wrapper that keeps idle HTTP/1.1 connections without TLS across config reloads. Without
// it Caddy closes them at each reload, and a request that is on its way at that moment fails. It has no settings, and
// belongs into the global option servers, as the last of the listener wrappers:
//
//	servers {
//		listener_wrappers {
//			parse_keep_connections
//		}
//	}
type KeepConnections struct{}

// CaddyModule returns the Caddy module information.
func (KeepConnections) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.listeners.parse_keep_connections", New: func() caddy.Module { return new(KeepConnections) }}
}

// Provision asks the server to tell its connections' states.
func (KeepConnections) Provision(ctx caddy.Context) error {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return errors.New("parse_keep_connections works for HTTP servers only")
	}
	server.RegisterConnState(Tell)
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
