package caddymodule

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/parsescale/parsescale/caddymodule/succession"
)

// keptNetwork is the name of TCP listeners whose queue of connections outlives configurations, and this process where
// another one takes its place: `bind parse/` in a site, or parse/127.0.0.1 for one address.
const keptNetwork = "parse"

// sockets are the sockets of these listeners.
var sockets = succession.NewSockets()

// listenKept implements caddy.ListenerFunc.
func listenKept(ctx context.Context, _, host, ports string, offset uint, config net.ListenConfig) (any, error) {
	if _, err := predecessor(); err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(ports, "-")
	port, err := strconv.ParseUint(first, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on port %q: %w", ports, err)
	}
	return sockets.Listen(ctx, net.JoinHostPort(host, strconv.FormatUint(port+uint64(offset), 10)), config)
}

// keptListeners fails if an address can't be handed over at all, and warns of those where connections may be lost.
func (a *App) keptListeners() (warnings []string, err error) {
	if a.http == nil {
		return nil, nil
	}
	for _, srv := range a.http.Servers {
		for i, l := range srv.Listen {
			addr, err := caddy.ParseNetworkAddress(l)
			switch {
			case err != nil:
			case addr.IsUnixNetwork():
				return nil, fmt.Errorf("the site at %s can't be handed over: the old process removes its socket; use a TCP address with `bind parse/`", l)
			case addr.Network != keptNetwork && !addr.IsFdNetwork():
				warnings = append(warnings, fmt.Sprintf("connections that were just being made to %s may have failed; write `bind parse/` into its site", l))
			}
			if offersHTTP3(srv, i) {
				warnings = append(warnings, fmt.Sprintf("requests by HTTP/3 to %s that were under way may have failed, and its clients make new connections: these can't be handed over; `protocols h1 h2` in the global option servers does without them", l))
			}
		}
	}
	return warnings, nil
}

// offersHTTP3 reports whether a server's i-th address is one of UDP as well. Packets for it have no queue that processes share: with
// two sockets each gets some of them, and can't read those of the other's connections.
func offersHTTP3(srv *caddyhttp.Server, i int) bool {
	protocols := srv.Protocols
	if i < len(srv.ListenProtocols) && srv.ListenProtocols[i] != nil {
		protocols = srv.ListenProtocols[i]
	}
	return len(srv.TLSConnPolicies) > 0 && slices.Contains(protocols, "h3")
}
