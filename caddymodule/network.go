package caddymodule

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

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
