//go:build unix

package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/parsescale/parsescale/policies/feed"
	"github.com/parsescale/parsescale/policies/upstream"
	"github.com/parsescale/parsescale/server/change"
)

// house is a supervisor with what it needs around it.
type house struct {
	*Supervisor
	t      *testing.T
	pool   *upstream.Pool
	hub    *feed.Hub
	log    syncBuffer
	opened atomic.Int64 // prepares that are not finished
}

func (h *house) Prepare([]change.Change) func() {
	h.opened.Add(1)
	return func() { h.opened.Add(-1) }
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// callers has four clients read without a pause, or with one, until end is called, which tells how many answers they got.
// None of the reads may fail.
func (h *house) callers(pause time.Duration) (end func() int64) {
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var answered atomic.Int64
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := h.get("/about"); err != nil {
					h.t.Errorf("a read failed: %v", err)
				}
				answered.Add(1)
				time.Sleep(pause)
			}
		})
	}
	return func() int64 {
		close(stop)
		clients.Wait()
		return answered.Load()
	}
}

// build makes a supervisor of workers that behave as child says; change may alter its options.
func build(t *testing.T, child childOptions, change func(*Options)) *house {
	t.Helper()
	h := &house{t: t}
	h.hub = feed.NewHub("app", h, feed.Options{PingInterval: 50 * time.Millisecond, PongTimeout: child.silence()})
	h.pool = upstream.New(upstream.Options{MaxWait: 10 * time.Second})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server, err := json.Marshal(child)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		App: "app", Count: 2, Command: []string{self}, Env: []string{roleVariable + "=worker"}, StateDir: t.TempDir(), ServerOptions: server,
		Hub: h.hub, Pool: h.pool, Logger: slog.New(slog.NewTextHandler(&h.log, nil)), KillDelay: 500 * time.Millisecond,
	}
	if change != nil {
		change(&o)
	}
	if h.Supervisor, err = New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := h.Stop(ctx); err != nil {
			t.Error(err)
		}
		h.pool.Close()
		if t.Failed() {
			t.Log(h.log.String())
		}
	})
	return h
}

// start is build, Start and the wait until all workers are ready.
func start(t *testing.T, child childOptions, change func(*Options)) *house {
	t.Helper()
	h := build(t, child, change)
	if err := h.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	h.wait(h.options.Count)
	return h
}

func (h *house) wait(n int) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := h.WaitReady(ctx, n); err != nil {
		h.t.Fatal(err, h.log.String())
	}
}

// until waits for a condition that something in the background brings about.
func until(t *testing.T, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, limit)
		}
	}
}

// Status leaves out the memory, which changes by itself.
func (h *house) Status() []WorkerStatus {
	all := h.Supervisor.Status()
	for i := range all {
		all[i].Memory = 0
	}
	return all
}

func (h *house) get(path string) (string, error) {
	res, err := h.pool.Do(context.Background(), &upstream.Request{Method: "GET", URI: path})
	if err != nil {
		return "", err
	}
	return string(res.Body), nil
}

func TestServeAndStop(t *testing.T) {
	t.Setenv("PARSE_SERVER_MASTER_KEY", "of the gateway")
	h := start(t, childOptions{Secret: "the master key"}, nil)
	body, err := h.get("/about")
	if err != nil {
		t.Fatal(err)
	}
	var about struct {
		PID         int
		Args, Env   []string
		Secret, App string
	}
	json.Unmarshal([]byte(body), &about)
	if about.Secret != "the master key" || about.App != "app" {
		t.Errorf("the worker was told %s", body)
	}
	if seen := strings.Join(append(about.Args, about.Env...), "\n"); strings.Contains(seen, "master key") || strings.Contains(seen, "of the gateway") {
		t.Errorf("a secret is in the worker's arguments or environment:\n%s", seen)
	}
	info, err := os.Stat(h.sockets)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("socket directory: %v, %v", info.Mode(), err)
	}
	for _, s := range h.Status() {
		if s.State != Ready || s.PID == 0 || s.Restarts != 0 {
			t.Errorf("%+v", s)
		}
	}
	if pgid, err := syscall.Getpgid(about.PID); err != nil || pgid != about.PID {
		t.Errorf("the worker's process group is %d", pgid)
	}
	if _, err := h.get("/print"); err != nil {
		t.Error(err)
	}
	until(t, "output", 20*time.Second, func() bool {
		out := h.log.String()
		return strings.Contains(out, "xxx… (cut)") && strings.Contains(out, "msg=printed") && strings.Contains(out, "output=stderr")
	})
	if err := h.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if err := h.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if syscall.Kill(about.PID, 0) == nil {
		t.Error("the worker still runs")
	}
	if _, err := os.Stat(h.sockets); !os.IsNotExist(err) {
		t.Errorf("the sockets are still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(h.options.StateDir, stateFile)); !os.IsNotExist(err) {
		t.Errorf("the state file is still there: %v", err)
	}
	if s := h.hub.Status(); s.Gaps != 0 || !s.Live {
		t.Errorf("a drain is no gap: %+v", s)
	}
	if !errors.Is(h.Start(context.Background()), ErrStopped) || !errors.Is(h.Scale(3), ErrStopped) {
		t.Error("a stopped supervisor can be started or scaled")
	}
}

// A killed worker is out of the pool and back within moments, no request fails meanwhile, and what it had prepared is
// settled.
func TestKilledWorker(t *testing.T) {
	h := start(t, childOptions{}, nil)
	if _, err := h.get("/prepare"); err != nil || h.opened.Load() != 1 {
		t.Fatal(err, h.opened.Load())
	}
	end := h.callers(0)
	before := h.Status()
	time.Sleep(stable) // from now on a restart is at once
	for i, s := range before {
		killed := time.Now()
		syscall.Kill(s.PID, syscall.SIGKILL)
		until(t, "restart", 20*time.Second, func() bool {
			now := h.Status()[i]
			return now.State == Ready && now.PID != s.PID
		})
		if now := h.Status()[i]; now.Restarts != 1 || !strings.Contains(now.LastError, "killed") {
			t.Errorf("%+v", now)
		}
		t.Logf("back after %v", time.Since(killed))
	}
	end()
	if n := h.opened.Load(); n != 0 {
		t.Errorf("%d changes are still in doubt", n)
	}
	if !h.hub.Live() || h.hub.Status().Gaps != 2 {
		t.Errorf("hub: %+v", h.hub.Status())
	}
	if members := h.pool.Status(); len(members) != 2 {
		t.Errorf("pool: %+v", members)
	}
}

// A worker that hangs is found out by its silence, and ended.
func TestHangingWorker(t *testing.T) {
	h := start(t, childOptions{Silence: time.Second}, nil)
	pid := h.Status()[0].PID
	syscall.Kill(pid, syscall.SIGSTOP)
	until(t, "restart", 20*time.Second, func() bool {
		s := h.Status()[0]
		return s.State == Ready && s.PID != pid
	})
	if s := h.Status()[0]; !strings.Contains(s.LastError, "doesn't answer") {
		t.Errorf("%+v", s)
	}
	if syscall.Kill(pid, 0) == nil {
		t.Error("the hanging process is still there")
	}
}

func TestCrashLoop(t *testing.T) {
	for _, test := range []struct {
		name   string
		child  childOptions
		reason string
	}{
		{"exits at once", childOptions{Exit: true}, "exit status 5"},
		{"says why", childOptions{Fail: true}, "it is on fire"},
		{"ends soon after it was ready", childOptions{ReadyFor: 10 * time.Millisecond}, "exit status 8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := build(t, test.child, func(o *Options) { o.Count = 1 })
			begun := time.Now()
			if err := h.Start(context.Background()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			if err := h.WaitReady(ctx, 1); test.child.ReadyFor == 0 && (!errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), test.reason)) {
				t.Errorf("WaitReady: %v", err)
			}
			until(t, "three restarts", 20*time.Second, func() bool { return h.Status()[0].Restarts >= 3 })
			// Pauses of at least 50, 100 and 200 ms lie before the third restart.
			if took := time.Since(begun); took < 350*time.Millisecond {
				t.Errorf("three restarts in %v", took)
			}
			if s := h.Status()[0]; !strings.Contains(s.LastError, test.reason) {
				t.Errorf("%+v", s)
			}
			if !strings.Contains(h.log.String(), test.reason) {
				t.Error("the reason isn't in the log")
			}
		})
	}
}

func TestStartTimeout(t *testing.T) {
	h := build(t, childOptions{Never: true}, func(o *Options) { o.Count, o.StartTimeout = 1, 300*time.Millisecond })
	if err := h.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := h.WaitReady(context.Background(), 1); !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "not ready in time") {
		t.Error(err)
	}
}

func TestDrainFinishesRequests(t *testing.T) {
	end := filepath.Join(t.TempDir(), "end")
	h := start(t, childOptions{SlowUntil: end}, nil)
	var requests sync.WaitGroup
	for range 4 {
		requests.Go(func() {
			if body, err := h.get("/slow"); err != nil || body != "finished" {
				t.Errorf("got %q, %v", body, err)
			}
		})
	}
	until(t, "requests in flight", 20*time.Second, func() bool {
		n := int64(0)
		for _, s := range h.pool.Status() {
			n += s.InFlight
		}
		return n == 4
	})
	stopped := make(chan error, 1)
	go func() { stopped <- h.Stop(context.Background()) }()
	until(t, "draining", 20*time.Second, func() bool {
		return !slices.ContainsFunc(h.Status(), func(s WorkerStatus) bool { return s.State != Draining })
	})
	if err := os.WriteFile(end, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	requests.Wait()
	if s := h.hub.Status(); s.Gaps != 0 {
		t.Errorf("%+v", s)
	}
}

// A worker that doesn't stop is killed in the end: when its time is over, or when the caller's is.
func TestDeafWorker(t *testing.T) {
	for _, test := range []struct {
		name  string
		drain time.Duration
		limit time.Duration
	}{{"drain timeout", 200 * time.Millisecond, time.Minute}, {"hurry", time.Minute, 200 * time.Millisecond}} {
		t.Run(test.name, func(t *testing.T) {
			h := start(t, childOptions{Deaf: true}, func(o *Options) { o.DrainTimeout, o.Count = test.drain, 1 })
			pid := h.Status()[0].PID
			begun := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), test.limit)
			defer cancel()
			if err := h.Stop(ctx); err != nil {
				t.Error(err)
			}
			// 200 ms to drain, 500 ms for SIGTERM, then SIGKILL.
			if took := time.Since(begun); took < 700*time.Millisecond || took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			if syscall.Kill(pid, 0) == nil {
				t.Error("the worker still runs")
			}
		})
	}
}

func TestScale(t *testing.T) {
	h := start(t, childOptions{}, func(o *Options) { o.Count = 1 })
	if err := h.Scale(3); err != nil {
		t.Fatal(err)
	}
	h.wait(3)
	first := h.Status()[0]
	if err := h.Scale(1); err != nil {
		t.Fatal(err)
	}
	until(t, "scaling down", 20*time.Second, func() bool { return len(h.Status()) == 1 && len(h.pool.Status()) == 1 })
	if s := h.Status()[0]; s != first {
		t.Errorf("the oldest worker didn't stay: %+v, was %+v", s, first)
	}
	if err := h.Scale(2); err != nil {
		t.Fatal(err)
	}
	h.wait(2)
	if got := h.hub.Status(); got.Gaps != 0 {
		t.Errorf("%+v", got)
	}
	if h.Scale(-1) == nil {
		t.Error("a negative number was accepted")
	}
	if err := h.Scale(0); err != nil {
		t.Fatal(err)
	}
	until(t, "scaling to nothing", 20*time.Second, func() bool { return len(h.Status()) == 0 })
}

// New options reach new workers, without a moment in which nobody answers; options with which nobody can start leave
// everything as it was.
func TestReplace(t *testing.T) {
	h := start(t, childOptions{Secret: "old"}, nil)
	end := h.callers(0)
	secret := func() string {
		body, _ := h.get("/about")
		var about struct{ Secret string }
		_ = json.Unmarshal([]byte(body), &about)
		return about.Secret
	}
	replace := func(child childOptions) error {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		server, _ := json.Marshal(child)
		return h.Replace(ctx, server)
	}
	before := h.Status()
	if err := replace(childOptions{Fail: true}); !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "on fire") {
		t.Errorf("got %v", err)
	}
	until(t, "the end of the failed workers", 20*time.Second, func() bool { return len(h.Status()) == 2 })
	if after := h.Status(); after[0] != before[0] || after[1] != before[1] || secret() != "old" {
		t.Errorf("the old workers changed: %+v", after)
	}
	if err := replace(childOptions{Secret: "new"}); err != nil {
		t.Error(err)
	}
	// At once, although the old workers are still there: the gateway's cache relies on it.
	if n := h.pool.Available(); n != 2 {
		t.Errorf("%d workers may be asked, want the new ones alone: %+v", n, h.pool.Status())
	}
	for range 10 {
		if got := secret(); got != "new" {
			t.Errorf("answered by a worker of %q", got)
		}
	}
	until(t, "the end of the old workers", 20*time.Second, func() bool { return len(h.Status()) == 2 })
	if err := h.Scale(3); err != nil {
		t.Error(err)
	}
	h.wait(3)
	end()
	if members := h.pool.Status(); len(members) != 3 {
		t.Errorf("%+v", members)
	}
}

func TestBadOptions(t *testing.T) {
	pool := upstream.New(upstream.Options{})
	defer pool.Close()
	hub := feed.NewHub("app", nothing{}, feed.Options{})
	for name, o := range map[string]Options{
		"negative count": {Count: -1, StateDir: "x", Hub: hub, Pool: pool},
		"no state":       {Hub: hub, Pool: pool},
		"no hub":         {StateDir: "x", Pool: pool},
		"no pool":        {StateDir: "x", Hub: hub},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	h := build(t, childOptions{}, func(o *Options) { o.Command = []string{"/nonexistent/program"} })
	if err := h.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := h.WaitReady(context.Background(), 1); !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "cannot start a worker") {
		t.Error(err)
	}
}
