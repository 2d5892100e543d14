package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// init only registers; nothing runs and nothing is opened before a config asks for it.
func init() {
	caddy.RegisterModule(App{})
	caddy.RegisterModule(Handler{})
	caddy.RegisterModule(Admin{})
	httpcaddyfile.RegisterGlobalOption("parse", parseGlobalOption)
	httpcaddyfile.RegisterDirective("parse", parseDirective)
	httpcaddyfile.RegisterDirectiveOrder("parse", httpcaddyfile.Before, "reverse_proxy")
	caddy.RegisterNetwork(keptNetwork, listenKept)
	caddyhttp.RegisterNetworkHTTP3(keptNetwork, "udp")
	caddy.OnExit(leaveAdmin)
	registerCommands()
}
