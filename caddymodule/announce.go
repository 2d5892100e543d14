package caddymodule

import (
	"net"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"
)

// announce logs, in one line for each app, where the Parse API is and which application id to use.
func (a *App) announce() {
	for name, g := range a.gateways {
		if g.composed {
			continue
		}
		fields := []zap.Field{zap.Strings("urls", a.urls(g))}
		if g.appID != "" {
			fields = append(fields, zap.String("app_id", g.appID))
		}
		a.logger.Info("Parse API is ready: "+name, fields...)
	}
}

// urls are the addresses at which an app can be reached from this machine.
func (a *App) urls(g *gateway) []string {
	var urls []string
	if a.http == nil {
		return urls
	}
	for _, srv := range a.http.Servers {
		routes := slices.Clip(srv.Routes)
		for _, r := range srv.NamedRoutes {
			routes = append(routes, *r)
		}
		for _, h := range parseHandlers(routes) {
			for _, rt := range h.routes {
				if rt.gateway == g {
					urls = append(urls, addresses(srv, h.Mount)...)
				}
			}
		}
	}
	slices.Sort(urls)
	return slices.Compact(urls)
}

// parseHandlers finds the parse handlers in routes, and what stands for them in a reverse_proxy, those in subroutes included.
func parseHandlers(routes caddyhttp.RouteList) []*Handler {
	var found []*Handler
	for _, r := range routes {
		for _, h := range r.Handlers {
			switch h := h.(type) {
			case *Handler:
				found = append(found, h)
			case *reverseproxy.Handler:
				if p, ok := h.DynamicUpstreams.(*PoolUpstreams); ok {
					found = append(found, p.handler)
				}
			case *caddyhttp.Subroute:
				found = append(found, parseHandlers(h.Routes)...)
			}
		}
	}
	return found
}

// addresses are the API's URLs as a user on this machine can type them.
func addresses(srv *caddyhttp.Server, mount string) []string {
	scheme := "http"
	if len(srv.TLSConnPolicies) > 0 {
		scheme = "https"
	}
	var urls []string
	for _, l := range srv.Listen {
		a, err := caddy.ParseNetworkAddress(l)
		if err != nil || a.IsUnixNetwork() {
			continue
		}
		host := a.Host
		if host == "" || host == "0.0.0.0" || host == "::" {
			host = "localhost"
		}
		_, port, err := net.SplitHostPort(a.JoinHostPort(0))
		if err != nil {
			continue
		}
		url := scheme + "://" + net.JoinHostPort(host, port) + mount
		if !slices.Contains(urls, url) {
			urls = append(urls, url)
		}
	}
	return urls
}
