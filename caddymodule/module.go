package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	_ "github.com/parsescale/parsescale/caddymodule/handover" // registers its module
)

// init only registers; nothing runs and nothing is opened before a config asks for it.
func init() {
	caddy.RegisterModule(App{})
	caddy.RegisterModule(Handler{})
	caddy.RegisterModule(Admin{})
	httpcaddyfile.RegisterGlobalOption("parse", parseGlobalOption)
	httpcaddyfile.RegisterDirective("parse", parseDirective)
	httpcaddyfile.RegisterDirectiveOrder("parse", httpcaddyfile.Before, "reverse_proxy")
	registerCommands()
}
