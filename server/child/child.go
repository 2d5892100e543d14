// Package child runs a worker as the child process of a gateway: options come over an inherited control stream, requests
// over a unix socket, and every change goes to the gateway before it is committed.
//
// It must not know how the gateway starts or restarts it, nor read options from anywhere else.
package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/parsescale/parsescale/server"
	"github.com/parsescale/parsescale/server/config"
	"github.com/parsescale/parsescale/server/heapfloor"
	"github.com/parsescale/parsescale/server/link"
	"github.com/parsescale/parsescale/server/startpages"
)

// Exit codes of Run.
const (
	ExitDrained = 0 // told to stop, and nothing was left running
	ExitFailed  = 1 // could not start or serve; the gateway was told why
	ExitLost    = 3 // the gateway is gone
)

// drainTimeout is how long requests that run may take to end once the gateway says stop.
const drainTimeout = 30 * time.Second

// Run serves until the gateway says stop or is lost, and returns the exit code. The caller then exits at once: what runs
// after a loss must not commit. control is the control stream (file descriptor 3 of a child process).
func Run(ctx context.Context, control io.ReadWriteCloser, stderr io.Writer) int {
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	l, start, err := link.Open(control)
	if err != nil {
		logger.Error("cannot talk to the gateway", "error", err)
		return ExitFailed
	}
	fail := func(err error) int {
		logger.Error("the worker fails", "error", err)
		_ = l.Failed(err.Error())
		return ExitFailed
	}
	o, warnings, err := config.FromJSON(start.Options, os.Environ()...)
	if err != nil {
		return fail(err)
	}
	if o.AppID != start.App {
		return fail(fmt.Errorf("the options are those of app %q, not of %q", o.AppID, start.App))
	}
	logger = slog.New(o.Logging.Handler(stderr))
	for _, w := range warnings {
		logger.Warn(w)
	}
	s, err := server.New(ctx, o, server.Environment{Logger: logger, Session: start.Session, Announcer: l, Gateway: true})
	if err != nil {
		return fail(err)
	}
	socket, err := listen(ctx, start.Socket)
	if err != nil {
		return fail(err)
	}
	h := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: time.Minute, IdleTimeout: 10 * time.Minute, MaxHeaderBytes: 1 << 20,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	floor := heapfloor.New()
	defer runtime.KeepAlive(floor)
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(socket) }()
	if err := l.Ready(); err != nil {
		return ExitLost
	}
	defer startpages.ReleaseSoon(func(err error) { logger.Debug("cannot release the memory of the start", "error", err) })()
	select {
	case err := <-ended:
		return fail(fmt.Errorf("cannot serve: %w", err))
	case <-l.Lost():
		return ExitLost
	case <-ctx.Done():
	case <-l.Stopping():
	}
	drained := make(chan error, 1)
	go func() {
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		drained <- errors.Join(h.Shutdown(drain), s.Close(drain))
	}()
	select {
	case <-l.Lost():
		return ExitLost
	case err := <-drained:
		if err != nil {
			return fail(err)
		}
	}
	if err := l.Drained(); err != nil {
		return ExitLost
	}
	return ExitDrained
}

// listen opens the socket, for this user only.
func listen(ctx context.Context, path string) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("cannot take over the socket: %w", err)
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	// The gateway connects after Ready only, so nobody slips in before this.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot listen: %w", err), l.Close())
	}
	return l, nil
}
