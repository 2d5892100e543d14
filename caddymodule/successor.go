package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/notify"
	"go.uber.org/zap"

	"github.com/parsescale/parsescale/caddymodule/succession"
)

// successor is the process that took the place of this one; nil: none.
var successor atomic.Pointer[succession.Successor]

// upgrading is held while one is to.
var upgrading sync.Mutex

// How long each step of an upgrade may take. If one takes longer, this process goes on.
const (
	prepareTimeout = time.Minute      // until the new process is prepared; this one serves meanwhile
	finishTimeout  = 10 * time.Second // until the requests that are under way have ended; others wait meanwhile
	takeTimeout    = 30 * time.Second // until the new process serves; requests wait meanwhile
)

// Upgraded is the answer of POST /parse/upgrade.
type Upgraded struct {
	// Predecessor and Successor are the ids of the processes.
	Predecessor int `json:"predecessor"`
	Successor   int `json:"successor"`
	// Waited is for how long requests had to wait, in milliseconds.
	Waited int64 `json:"waited_ms"`
	// Warnings say for whom there was a risk.
	Warnings []string `json:"warnings,omitempty"`
}

// upgrade starts the program anew and lets it take this process's place.
func (Admin) upgrade(w http.ResponseWriter, r *http.Request) error {
	if !upgrading.TryLock() {
		return caddy.APIError{HTTPStatus: http.StatusConflict, Err: errors.New("an upgrade is under way")}
	}
	defer upgrading.Unlock()
	if to := successor.Load(); to != nil {
		return caddy.APIError{HTTPStatus: http.StatusConflict, Err: fmt.Errorf("process %d has taken the place of this one", to.PID())}
	}
	app := activeApp.Load()
	if app == nil {
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: errors.New("the configuration has no parse app")}
	}
	done, err := app.upgrade()
	if err != nil {
		writePIDFile()
		app.logger.Error("the upgrade failed; this process goes on", zap.Error(err))
		return caddy.APIError{HTTPStatus: http.StatusInternalServerError, Err: fmt.Errorf("the upgrade failed, and process %d goes on: %w", os.Getpid(), err)}
	}
	admin, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	go app.leave(admin)
	return writeIndented(w, done)
}

func (a *App) upgrade() (*Upgraded, error) {
	warnings, err := a.keptListeners()
	if err != nil {
		return nil, err
	}
	command, err := program()
	if err != nil {
		return nil, err
	}
	s, err := succession.Start(succession.Options{Command: command, Sockets: sockets})
	if err != nil {
		return nil, err
	}
	failed := func(err error) (*Upgraded, error) {
		s.Kill()
		<-s.Ended()
		return nil, err
	}
	a.logger.Info("started a process that is to take the place of this one", zap.Int("pid", s.PID()), zap.Strings("command", command[:1]))
	if err := await(s, s.Prepared(), prepareTimeout); err != nil {
		return failed(err)
	}
	if activeApp.Load() != a { // whose workers are to be stopped, and which configuration the new process has, isn't sure
		return failed(errors.New("another configuration was loaded meanwhile; try again"))
	}
	began := time.Now()
	if err := a.handOver(s); err != nil {
		return failed(err)
	}
	waited := time.Since(began)
	a.logger.Info("another process has taken the place of this one", zap.Int("pid", s.PID()), zap.Duration("waited", waited))
	return &Upgraded{Predecessor: os.Getpid(), Successor: s.PID(), Waited: waited.Milliseconds(), Warnings: warnings}, nil
}

// await waits for a step of the new process.
func await(s *succession.Successor, step <-chan struct{}, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-step:
		return nil
	case <-s.Ended():
		return fmt.Errorf("the new process ended: %s", s.Reason())
	case <-timer.C:
		return fmt.Errorf("the new process took longer than %s", limit)
	}
}

// handOver holds requests back, gives up what only one process can have, and waits until the other one serves. If it
// fails, this process serves again, and the other one is gone.
func (a *App) handOver(s *succession.Successor) (err error) {
	sockets.Shut()
	ctx, cancel := context.WithTimeout(context.Background(), finishTimeout)
	defer cancel()
	if err := entrance.Shut(ctx); err != nil {
		sockets.Open()
		return fmt.Errorf("%d requests are still under way after %s; try again later", entrance.Inside(), finishTimeout)
	}
	if n := a.awaitWorkers(ctx); n > 0 {
		entrance.Open()
		sockets.Open()
		return fmt.Errorf("%d answers of workers are still being sent after %s; try again later", n, finishTimeout)
	}
	var resumes []func() error
	var giveUps []func()
	defer func() {
		if err == nil {
			return
		}
		s.Kill()
		<-s.Ended() // what it has taken is free then
		for _, resume := range resumes {
			if failed := resume(); failed != nil {
				err = errors.Join(err, fmt.Errorf("cannot start the workers again: %w", failed))
			}
		}
		sockets.Open()
		entrance.Open()
	}()
	for name, g := range a.running() {
		resume, giveUp, err := g.suspend(a.logger.With(zap.String("app", name)))
		resumes, giveUps = append(resumes, resume), append(giveUps, giveUp)
		if err != nil {
			return fmt.Errorf("cannot stop the workers of the app %q: %w", name, err)
		}
	}
	if caddy.Exiting() {
		return errors.New("this process is ending")
	}
	if err := s.Go(); err != nil {
		return fmt.Errorf("cannot tell the new process to go on: %w", err)
	}
	if err := await(s, s.Serving(), takeTimeout); err != nil {
		return err
	}
	successor.Store(s)
	desk.SetHeir(s.Give)
	entrance.Redirect()
	for _, giveUp := range giveUps {
		giveUp()
	}
	return nil
}

// awaitWorkers waits until the workers that are to be stopped have nothing to do, as long as ctx lasts, and returns how much is
// left. What a reverse_proxy sends is no more inside by then.
func (a *App) awaitWorkers(ctx context.Context) (busy int64) {
	for ; ; time.Sleep(5 * time.Millisecond) {
		busy = 0
		for _, g := range a.running() {
			if g.bundled() {
				busy += g.pool.Busy()
			}
		}
		if busy == 0 || ctx.Err() != nil {
			return busy
		}
	}
}

// running returns the apps.
func (a *App) running() map[string]*gateway {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make(map[string]*gateway, len(a.gateways))
	for name, g := range a.gateways {
		all[name] = g
	}
	return all
}

// program is the command that this process was started with, for a file that may have been replaced since.
var program = func() func() ([]string, error) {
	path, err := exec.LookPath(os.Args[0])
	if err == nil {
		path, err = filepath.Abs(path) // symbolic links stay: they may lead to another version by now
	}
	return func() ([]string, error) {
		if err != nil {
			return nil, fmt.Errorf("cannot find this program's file: %w", err)
		}
		command := []string{path}
		for i := 1; i < len(os.Args); i++ {
			switch arg := os.Args[i]; { // of `start`, which waits for the first process only
			case arg == "--pingback":
				i++
			case strings.HasPrefix(arg, "--pingback="):
			default:
				command = append(command, arg)
			}
		}
		return command, nil
	}
}()

// leave ends this process, whose place another has taken. What it has begun it brings to its end.
func (a *App) leave(admin net.Addr) {
	// The service manager hears from the process that it knows who comes after it; that one's own words count from then on.
	_ = notify.Status(fmt.Sprintf("process %[1]d has taken over\nMAINPID=%[1]d", successor.Load().PID()))
	if a.http != nil {
		for _, srv := range a.http.Servers {
			if len(srv.TLSConnPolicies) > 0 {
				a.sendAway()
				time.Sleep(lameDuck)
				break
			}
		}
	}
	// As by a reload to nothing: listeners are closed, idle connections given away, requests finished. The admin API has to be
	// closed, too: its port is shared by both processes. A unix socket isn't: the path leads to the new process already, and
	// closing it would remove that.
	config := map[string]any{"apps": map[string]any{"http": map[string]any{}}}
	api := map[string]any{"disabled": true, "config": map[string]any{"persist": false}}
	if admin != nil && admin.Network() == "unix" {
		api = map[string]any{"listen": "unix/" + admin.String(), "config": map[string]any{"persist": false}}
		keepsAdmin.Store(true)
	}
	config["admin"] = api
	b, err := json.Marshal(config)
	if err == nil {
		err = caddy.Load(b, true)
	}
	if err != nil {
		a.logger.Error("cannot end the sites", zap.Error(err))
	}
	ending.Wait()
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Signal(syscall.SIGTERM) // Caddy waits for the requests that are still under way
	}
}

// keepsAdmin is true if the admin API's socket belongs to another process by now.
var keepsAdmin atomic.Bool

// leaveAdmin ends the process before Caddy removes the admin API's socket.
func leaveAdmin(context.Context) {
	if keepsAdmin.Load() {
		os.Exit(0)
	}
}
