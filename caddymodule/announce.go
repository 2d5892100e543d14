package caddymodule

import (
	"net"
	"slices"
	"sort"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// announce logs, in one line for each app and mount, where the Parse API is and which application id to use.
func (a *App) announce(http *caddyhttp.App) {
	if http == nil {
		return
	}
	names := make([]string, 0, len(http.Servers))
	for name := range http.Servers {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		srv := http.Servers[name]
		for _, h := range parseHandlers(srv.Routes) {
			for _, rt := range h.routes {
				fields := []zap.Field{zap.Strings("urls", addresses(srv, h.Mount))}
				if rt.appID != "" {
					fields = append(fields, zap.String("app_id", rt.appID))
				}
				a.logger.Info("Parse API is ready", fields...)
			}
		}
	}
}

// parseHandlers finds the parse handlers in routes, those in subroutes included.
func parseHandlers(routes caddyhttp.RouteList) []*Handler {
	var found []*Handler
	for _, r := range routes {
		for _, h := range r.Handlers {
			switch h := h.(type) {
			case *Handler:
				found = append(found, h)
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
