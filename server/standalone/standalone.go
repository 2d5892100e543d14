// Package standalone runs one worker as a process of its own, with parse-server's command line: parsescale parse-server
// [CONFIG.json] [--flags].
//
// It must not know of gateways or supervisors; what they run is package child.
package standalone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/startpages"
)

const usage = `Usage: parsescale parse-server [CONFIG.json] [--option value]...

Options have parse-server's names, on the command line (--appId myApp), in the
environment (PARSE_SERVER_APPLICATION_ID=myApp) or in the JSON file
({"appId":"myApp"}). The command line wins over the environment, the
environment over the file. appId and masterKey are required.

  parsescale parse-server --appId myApp --masterKey secret --databaseURI sqlite://data/parse.db
`

// drainTimeout is how long requests that run may take to end once the process is told to stop.
const drainTimeout = 30 * time.Second

// Run serves until the context ends or the process gets SIGTERM or SIGINT, and returns the exit code. args are the
// command line after "parse-server", env is in the form of os.Environ. When it can't start, the reason is the last line
// written to stderr.
func Run(ctx context.Context, args, env []string, stderr io.Writer) int {
	return RunIn(ctx, server.Environment{}, args, env, stderr)
}

// RunIn is Run for a program of one's own, which gives the worker functions and triggers in Go, adapters and the like.
func RunIn(ctx context.Context, in server.Environment, args, env []string, stderr io.Writer) int {
	err := run(ctx, in, args, env, stderr)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, config.ErrHelp):
		fmt.Fprint(stderr, usage)
		return 0
	}
	fmt.Fprintln(stderr, strings.ReplaceAll(err.Error(), "\n", "; "))
	return 1
}

func run(ctx context.Context, in server.Environment, args, env []string, stderr io.Writer) error {
	o, warnings, err := config.Load(config.Sources{Args: args, Env: env, ReadFile: os.ReadFile})
	if err != nil {
		return err
	}
	logger := slog.New(o.Logging.Handler(stderr))
	for _, w := range warnings {
		logger.Warn(w)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt)
	defer stop()

	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(o.Host, strconv.Itoa(o.Port)))
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		o.Port = a.Port
	}
	if in.Logger == nil {
		in.Logger = logger
	}
	s, err := server.New(ctx, o, in)
	if err != nil {
		l.Close()
		return err
	}
	h := &http.Server{
		Handler: s,
		// Node's limits: a minute for the header fields, five for the whole request.
		ReadHeaderTimeout: time.Minute, ReadTimeout: 5 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 256 << 10,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(l) }()
	logger.Info("parse-server running on "+o.URL(), "appId", o.AppID)
	defer startpages.ReleaseSoon(func(err error) { logger.Debug("cannot release the memory of the start", "error", err) })()

	select {
	case err = <-ended:
		err = fmt.Errorf("cannot serve: %w", err)
	case <-ctx.Done():
		stop() // a second signal ends the process at once
		logger.Info("stopping: waiting for the requests that run")
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if e := h.Shutdown(drain); e != nil {
		err = errors.Join(err, fmt.Errorf("cannot wait for the requests that run: %w", e), h.Close())
	}
	return errors.Join(err, s.Close(drain))
}
