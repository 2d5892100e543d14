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
// another one takes its place. It is the network of sites with a handler of this module, where they say nothing else, and
// `bind parse/` gives it to others. Caddy's own configurations each have a queue, and when one is closed the kernel resets
// who waits in it. A 4 or 6 after it is a version of IP.
const keptNetwork = "parse"

// sockets are the sockets of these listeners.
var sockets = succession.NewSockets()

// listenKept implements caddy.ListenerFunc.
func listenKept(ctx context.Context, network, host, ports string, offset uint, config net.ListenConfig) (any, error) {
	if _, err := predecessor(); err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(ports, "-")
	port, err := strconv.ParseUint(first, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on port %q: %w", ports, err)
	}
	address := net.JoinHostPort(host, strconv.FormatUint(port+uint64(offset), 10))
	l, err := sockets.Listen(ctx, below(network), address, config)
	if err != nil {
		return nil, err
	}
	return desk.Listen(l), nil
}

// kept is a server's address on the kept network. One that isn't of TCP, or can't be understood, stays as it is.
func kept(address string) string {
	a, err := caddy.ParseNetworkAddress(address)
	if err != nil {
		return address
	}
	version, ok := strings.CutPrefix(a.Network, "tcp")
	if !ok {
		return address
	}
	a.Network = keptNetwork + version
	return a.String()
}

// below is the network on which a kept one listens.
func below(kept string) string { return "tcp" + strings.TrimPrefix(kept, keptNetwork) }

// isKept reports whether a network is the kept one.
func isKept(network string) bool {
	return network == keptNetwork || network == keptNetwork+"4" || network == keptNetwork+"6"
}

// checkListeners fails if an address is that of two servers, one of which keeps its connections. Caddy itself doesn't see
// that they are the same, and each of them would get some of the connections.
func (a *App) checkListeners() error {
	if a.http == nil {
		return nil
	}
	owners := map[string]string{}
	for name, srv := range a.http.Servers {
		for _, l := range srv.Listen {
			all, err := caddy.ParseNetworkAddress(kept(l))
			if err != nil {
				return fmt.Errorf("cannot listen on %s: %w", l, err)
			}
			for _, one := range all.Expand() {
				key := one.String()
				if other, ok := owners[key]; ok {
					return fmt.Errorf("the servers %s and %s both listen on %s, one of them with `bind parse/` or a handler of Parse: give all sites of the address the same `bind`, best none", other, name, written(one))
				}
				owners[key] = name
			}
		}
	}
	return nil
}

// written is an address as operators write it.
func written(a caddy.NetworkAddress) string {
	if isKept(a.Network) {
		a.Network = below(a.Network)
	}
	return strings.TrimPrefix(a.String(), "tcp/")
}

// keptListeners fails if an address can't be handed over at all, and warns of those where connections may be lost.
func (a *App) keptListeners() (warnings []string, err error) {
	if a.http == nil {
		return nil, nil
	}
	for _, srv := range a.http.Servers {
		for i, l := range srv.Listen {
			addr, err := caddy.ParseNetworkAddress(l)
			if err == nil {
				l = written(addr)
			}
			switch {
			case err != nil:
			case addr.IsUnixNetwork():
				return nil, fmt.Errorf("the site at %s can't be handed over: the old process removes its socket; use a TCP address", l)
			case !isKept(addr.Network) && !addr.IsFdNetwork():
				warnings = append(warnings, fmt.Sprintf("connections that were just being made to %s may have failed; the listener wrapper parse_keep_connections keeps them", l))
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
