package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func registerUpgrade() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "parse-upgrade",
		Usage: "[--config <path> [--adapter <name>] | --address <interface>]",
		Short: "Replaces the running process by a new one of the program's file, without a failed request",
		Long: `
Has the running process start its own program file anew, with its own arguments, environment
and working directory: put another version there first. The new process reads the configuration
file, makes itself ready, and takes over the listening sockets; requests wait for the moment in
which the workers change. If the new process fails, the old one goes on, and why is told.

The admin API is found as by reload: by --address, else in the configuration, or the Caddyfile
of this folder.`,
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Args = cobra.NoArgs
			cmd.Flags().StringP("config", "c", "", "Configuration file, for the address of the admin API")
			cmd.Flags().StringP("adapter", "a", "", "Name of the config adapter")
			cmd.Flags().String("address", "", "Address of the admin API, if not in the configuration")
			cmd.RunE = caddycmd.WrapCommandFuncForCobra(upgradeCommand)
		},
	})
}

// busyTime is how long a process that is about to end may still be the one that is asked.
const busyTime = 10 * time.Second

func upgradeCommand(fl caddycmd.Flags) (int, error) {
	address := fl.String("address")
	if address == "" {
		config, file, _, err := caddycmd.LoadConfig(fl.String("config"), fl.String("adapter")) // ./Caddyfile, where none is named
		if err == nil {
			address, err = caddycmd.DetermineAdminAPIAddress("", config, file, fl.String("adapter"))
		}
		if err != nil {
			return caddy.ExitCodeFailedStartup, fmt.Errorf("cannot find the admin API by the configuration; give its --address: %w", err)
		}
	}
	var res *http.Response
	var err error
	for end := time.Now().Add(busyTime); ; time.Sleep(100 * time.Millisecond) {
		res, err = caddycmd.AdminAPIRequest(address, http.MethodPost, "/parse/upgrade", nil, nil)
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), "HTTP 409") || time.Now().After(end) {
			return caddy.ExitCodeFailedStartup, err
		}
	}
	defer res.Body.Close()
	var done Upgraded
	if err := json.NewDecoder(res.Body).Decode(&done); err != nil {
		return caddy.ExitCodeFailedStartup, fmt.Errorf("cannot read the answer: %w", err)
	}
	for _, w := range done.Warnings {
		fmt.Fprintln(os.Stderr, "Warning:", w)
	}
	fmt.Printf("process %d has taken the place of process %d; requests waited for %d ms\n", done.Successor, done.Predecessor, done.Waited)
	return caddy.ExitCodeSuccess, nil
}
