package caddymodule

import (
	"context"

	"github.com/caddyserver/caddy/v2"
)

// whenStopping is told before a configuration ends.
type whenStopping struct{ app *App }

// Handle implements caddyevents.Handler. The global option shutdown_delay has servers go on for a while that are about to close. Caddy
// counts the listeners of its own networks only, and would take kept ones for closing at each reload.
func (w whenStopping) Handle(context.Context, caddy.Event) error {
	w.app.endNow()
	return nil
}

// endNow has the servers end at once if all of their addresses go on under another configuration.
func (a *App) endNow() {
	if a.http != nil && a.http.ShutdownDelay > 0 && a.listensOn() {
		a.http.ShutdownDelay = 0
	}
}

// listensOn reports whether another configuration listens on all addresses of this one.
func (a *App) listensOn() bool {
	for _, srv := range a.http.Servers {
		for _, l := range srv.Listen {
			all, err := caddy.ParseNetworkAddress(l)
			if err != nil {
				return false
			}
			for _, one := range all.Expand() {
				listeners := caddy.ListenerUsage(one.Network, one.JoinHostPort(0))
				if isKept(one.Network) {
					network := below(one.Network)
					listeners = sockets.Listeners(network, one.JoinHostPort(0)) + caddy.ListenerUsage(network, one.JoinHostPort(0))
				}
				if listeners < 2 {
					return false
				}
			}
		}
	}
	return true
}
