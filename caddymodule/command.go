package caddymodule

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/parsescale/parsescale/server/child"
	"github.com/parsescale/parsescale/server/standalone"
)

// registerCommands adds the subcommands to whatever binary this package is built into.
func registerCommands() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "parse-server",
		Usage: "[CONFIG.json] [--<option> <value>...]",
		Short: "Runs one Parse worker alone, configured as parse-server is",
		Long: `
Runs one Parse worker alone, without a gateway. Its options, environment variables
(PARSE_SERVER_…, PORT) and config file are those of the npm package parse-server;
a flag wins over the environment, the environment over the file.`,
		CobraFunc: func(cmd *cobra.Command) {
			cmd.DisableFlagParsing = true // parse-server's own rules, which cobra doesn't know
			cmd.Run = func(_ *cobra.Command, args []string) {
				ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
				code := standalone.Run(ctx, args, os.Environ(), os.Stderr)
				stop()
				os.Exit(code)
			}
		},
	})
	registerUpgrade()
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "parse-worker",
		Short: "Is what a gateway starts: a worker that is told everything over an inherited socket",
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Hidden = true
			cmd.Args = cobra.NoArgs
			cmd.Run = func(*cobra.Command, []string) {
				inherited := os.NewFile(controlFD, "control")
				control, err := net.FileConn(inherited)
				if err != nil {
					fmt.Fprintln(os.Stderr, "parse-worker is started by the gateway only; to run a worker alone, use parse-server")
					os.Exit(child.ExitFailed)
				}
				_ = inherited.Close() // control is a duplicate
				os.Exit(child.Run(context.Background(), control, os.Stderr))
			}
		},
	})
}

// controlFD is the file descriptor on which a gateway passes a worker its control socket.
const controlFD = 3
