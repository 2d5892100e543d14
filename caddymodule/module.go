package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	_ "github.com/parsescale/parsescale/caddymodule/matcher" // registers its module
)

// init only registers; nothing runs and nothing is opened before a config asks for it.
func init() {
	caddy.RegisterModule(App{})
	caddy.RegisterModule(Handler{})
	caddy.RegisterModule(Admin{})
	caddy.RegisterModule(RateLimiter{})
	caddy.RegisterModule(Cacher{})
	caddy.RegisterModule(PoolUpstreams{})
	caddy.RegisterModule(Transport{})
	caddy.RegisterModule(KeepConnections{})
	httpcaddyfile.RegisterGlobalOption("parse", parseGlobalOption)
	// parse_cache comes after whatever forbids, which in Caddyfiles is also handle, error, abort and respond: they may go by what
	// isn't in the key of an entry, such as the client's address. Of two placed before the same one, the first stays before the second.
	httpcaddyfile.RegisterDirective("parse_cache", cacheDirective)
	httpcaddyfile.RegisterDirectiveOrder("parse_cache", httpcaddyfile.Before, "reverse_proxy")
	httpcaddyfile.RegisterDirective("parse", parseDirective)
	httpcaddyfile.RegisterDirectiveOrder("parse", httpcaddyfile.Before, "reverse_proxy")
	httpcaddyfile.RegisterDirective("parse_rate_limit", rateLimitDirective)
	httpcaddyfile.RegisterDirectiveOrder("parse_rate_limit", httpcaddyfile.Before, "basicauth") // the less a refusal costs, the better
	for _, version := range []string{"", "4", "6"} {
		caddy.RegisterNetwork(keptNetwork+version, listenKept)
		caddyhttp.RegisterNetworkHTTP3(keptNetwork+version, "udp"+version)
	}
	caddy.OnExit(leaveAdmin)
	registerCommands()
}
