package caddymodule

import (
	"context"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// lameDuck is for how long at most a configuration, or a process, that has given up its place goes on for the connections that
// can't be given away: a client that sends a request meanwhile is answered, and told to make a new connection.
const lameDuck = 5 * time.Second

// whenStopping is told before a configuration ends.
type whenStopping struct{ app *App }

// Handle implements caddyevents.Handler. Caddy goes on to stop the servers when it returns.
func (w whenStopping) Handle(context.Context, caddy.Event) error {
	w.app.endNow()
	w.app.seeOff()
	return nil
}

// endNow has the servers end at once if all of their addresses go on under another configuration. The global option shutdown_delay
// has servers go on for a while that are about to close. Caddy counts the listeners of its own networks only, and would take kept
// ones for closing at each reload.
func (a *App) endNow() {
	if a.http == nil || a.http.ShutdownDelay == 0 {
		return
	}
	for _, srv := range a.http.Servers {
		for _, on := range goesOn(srv) {
			if !on {
				return
			}
		}
	}
	a.http.ShutdownDelay = 0
}

// seeOff has clients leave whose connections would be closed, maybe with a request on its way: where another configuration goes on
// with all addresses of a server, those whose connections can't be handed over, and where not, those of all connections, while
// shutdown_delay lasts.
func (a *App) seeOff() {
	if a.http == nil {
		return
	}
	delayed := a.http.ShutdownDelay > 0
	var leaving []*keptServer
	a.mu.Lock()
	for srv, k := range a.keeping {
		switch on := goesOn(srv); {
		case delayed && slices.Contains(on, false):
			k.leaving.Store(everybody)
		case staysKept(srv):
			k.leaving.Store(whoStays)
			leaving = append(leaving, k)
		}
	}
	a.mu.Unlock()
	if len(leaving) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lameDuck)
	defer cancel()
	desk.Retire(ctx)
	for ; ; time.Sleep(5 * time.Millisecond) {
		open := 0
		for _, k := range leaving {
			open += k.staying.Open()
		}
		if open == 0 || caddy.Exiting() {
			return
		}
		if ctx.Err() != nil {
			a.logger.Info("the servers before end with connections that can't be handed over, on which nothing has come since, or an answer is under way", zap.Int("open", open))
			return
		}
	}
}

// sendAway has the clients leave whose connections can't be handed over.
func (a *App) sendAway() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, k := range a.keeping {
		k.leaving.Store(whoStays)
	}
}

// staysKept reports whether all addresses of a server are kept ones that another configuration goes on with as such, so that no new
// connection comes to this one.
func staysKept(srv *caddyhttp.Server) bool {
	for _, l := range srv.Listen {
		all, err := caddy.ParseNetworkAddress(l)
		if err != nil || !isKept(all.Network) {
			return false
		}
		for _, one := range all.Expand() {
			if sockets.Listeners(below(one.Network), one.JoinHostPort(0)) < 2 {
				return false
			}
		}
	}
	return true
}

// goesOn reports which addresses of a server another configuration listens on.
func goesOn(srv *caddyhttp.Server) (each []bool) {
	for _, l := range srv.Listen {
		all, err := caddy.ParseNetworkAddress(l)
		if err != nil {
			return append(each, false)
		}
		for _, one := range all.Expand() {
			listeners := caddy.ListenerUsage(one.Network, one.JoinHostPort(0))
			if isKept(one.Network) {
				network := below(one.Network)
				listeners = sockets.Listeners(network, one.JoinHostPort(0)) + caddy.ListenerUsage(network, one.JoinHostPort(0))
			}
			each = append(each, listeners > 1)
		}
	}
	return each
}
