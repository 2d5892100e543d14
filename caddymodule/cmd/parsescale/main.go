// Command parsescale is Caddy with its standard modules and the Parse gateway and worker built in.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/parsescale/parsescale/caddymodule"
)

func main() { caddycmd.Main() }
