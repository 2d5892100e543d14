// Package parsescale exists so that `xcaddy build --with github.com/parsescale/parsescale`
// is all a user has to type: importing it registers the Caddy modules and the subcommands.
// It holds no code of its own.
package parsescale

import _ "github.com/parsescale/parsescale/caddymodule"
