package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/parsescale/parsescale/policies/feed"
	"github.com/parsescale/parsescale/policies/upstream"
)

var (
	// ErrOwned: another gateway that is running owns the state directory.
	ErrOwned = errors.New("another running gateway owns the state directory")
	// ErrFailed: the workers said why they can't start.
	ErrFailed = errors.New("the workers cannot start")
	// ErrStopped: the supervisor was stopped.
	ErrStopped = errors.New("the supervisor is stopped")
)

// Options say what to run. App, Count, StateDir, Hub and Pool are required.
type Options struct {
	// App is the application id, which every worker is told.
	App string
	// Count is the number of workers to begin with.
	Count int
	// Command is the program of a worker and its arguments. Default: this program with the argument parse-worker.
	Command []string
	// Env is what a worker's environment holds beside PATH, HOME and the like, as NAME=value. Secrets don't belong
	// here: other users may read a process's environment where its owner's privileges changed, and tools print it.
	Env []string
	// StateDir remembers the child processes, so that a gateway that starts after one was killed finds what is left
	// of it. It belongs to this app and gateway alone, and is made if it isn't there.
	StateDir string
	// SocketDir is where the directory with the workers' sockets is made. Default: XDG_RUNTIME_DIR, else the
	// system's directory for temporary files.
	SocketDir string
	// ServerOptions configure the workers, secrets included. They travel over the control socket only.
	ServerOptions json.RawMessage
	// Hub gets the workers' changes.
	Hub *feed.Hub
	// Pool gets the workers that are ready.
	Pool *upstream.Pool
	// Sessions are the workers' sessions at the database. Default nil: what a worker prepared can't become visible once its
	// process is gone, as with a file.
	Sessions Sessions
	// Logger gets what happens, and every line a worker prints. Default: nothing is logged.
	Logger *slog.Logger
	// StartTimeout is how long a worker may take until it is ready. Default 60 s.
	StartTimeout time.Duration
	// DrainTimeout is how long a worker may take to finish its requests before it is killed. Default 30 s.
	DrainTimeout time.Duration
	// Limits say when a worker is replaced by a new one. Default: never.
	Limits Limits
	// KillDelay is the time between SIGTERM and SIGKILL. Default 2 s.
	KillDelay time.Duration
	// BackoffMin and BackoffMax bound the pause before a worker that didn't stay ready for a second is started
	// again; it doubles each time. Default 100 ms and 30 s.
	BackoffMin, BackoffMax time.Duration

	youth, recycleInterval time.Duration // of recycling; tests are in a hurry
}

// stable is how long a worker must have been ready to be started again at once when it dies.
const stable = time.Second

func (o Options) withDefaults() (Options, error) {
	switch {
	case o.Count < 0:
		return o, fmt.Errorf("cannot supervise %d workers", o.Count)
	case o.StateDir == "":
		return o, errors.New("cannot supervise workers: no state directory is set")
	case o.Hub == nil || o.Pool == nil:
		return o, errors.New("cannot supervise workers without a hub and a pool")
	}
	set(&o.StartTimeout, time.Minute)
	set(&o.DrainTimeout, 30*time.Second)
	set(&o.KillDelay, 2*time.Second)
	set(&o.youth, youth)
	set(&o.recycleInterval, recycleInterval)
	set(&o.BackoffMin, 100*time.Millisecond)
	set(&o.BackoffMax, 30*time.Second)
	o.BackoffMax = max(o.BackoffMax, o.BackoffMin)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func set(field *time.Duration, fallback time.Duration) {
	if *field <= 0 {
		*field = fallback
	}
}

// Sessions names the sessions of workers at a database server, and ends what a dead one has left.
type Sessions interface {
	// Session is the name for one process; worker is unique to it.
	Session(worker string) string
	// EndSessions returns once nothing that the process did can become visible any more, or when ctx ends.
	EndSessions(ctx context.Context, session string) error
}

// State is where a worker is in its life.
type State string

// The states, in the order in which a worker passes through them; after Dead it is Starting again.
const (
	Starting State = "starting"
	Ready    State = "ready"
	Draining State = "draining"
	Dead     State = "dead" // waiting to be started again
)

// WorkerStatus is what is known of one worker.
type WorkerStatus struct {
	Name     string    `json:"name"`
	State    State     `json:"state"`
	PID      int       `json:"pid,omitempty"`
	Since    time.Time `json:"since"` // of the state
	Restarts int       `json:"restarts"`
	// LastError is why the worker ended the last time, "" if it never did.
	LastError string `json:"last_error,omitempty"`
	// Memory is its resident memory in bytes; 0: unknown.
	Memory int64 `json:"memory,omitempty"`
}
