package decoding

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parsescale/parsescale/policies/feed"
	"github.com/parsescale/parsescale/server/change"
)

// Options say what a Feed follows and how.
type Options struct {
	// App is the application id that every change is given.
	App string
	// Config says how to reach the server, past any pooler, and as whom. The user needs the attribute REPLICATION, the
	// right to make a publication, and to own the app's tables.
	Config *pgconn.Config
	// Applier is told of the changes.
	Applier feed.Applier
	// Publication is the name of the publication, which is made if there is none. Default parsescale.
	Publication string
	// Beat is the time between two messages that show that the log is followed. Default 500 ms.
	Beat time.Duration
	// Limit is how old what was last heard may be before cached answers aren't served any more, at least two Beats.
	// Default 2 s.
	Limit time.Duration
	// Again is how long the Feed waits before it tries again to follow a server that it lost. Default 1 s. Where trying
	// is of no use until somebody changes something, it waits 30 times as long.
	Again time.Duration
	// MaxRetained is how much of its log the server may have to keep for this gateway, in bytes. A Feed that needs more
	// gives up its slot, so that the server's disk doesn't fill. Default 1 GiB.
	MaxRetained int64
	// Logger is told of changes of the state. Default slog.Default().
	Logger *slog.Logger

	watch time.Duration // between two looks at what the server keeps; 1 s but in tests
}

func (o *Options) defaults() {
	o.Publication = cmp.Or(o.Publication, "parsescale")
	o.Beat = cmp.Or(o.Beat, 500*time.Millisecond)
	o.Limit = max(cmp.Or(o.Limit, 2*time.Second), 2*o.Beat)
	o.Again = cmp.Or(o.Again, time.Second)
	o.watch = cmp.Or(o.watch, time.Second)
	o.MaxRetained = cmp.Or(o.MaxRetained, 1<<30)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

// Feed follows one database. All methods are safe for concurrent use.
type Feed struct {
	options Options
	started time.Time
	beat    atomic.Int64 // how long after started the last message that came back was written

	mu     sync.Mutex
	state  feed.State
	since  time.Time
	reason error
	logged string  // what the logger was told last
	fences *fences // of the session that is live
	totals Totals
}

// Totals count what a Feed has done.
type Totals struct {
	// Transactions and Changes were told by the log; Large counts the transactions that were taken for a change of whole
	// classes, because they were too large.
	Transactions uint64 `json:"transactions"`
	Changes      uint64 `json:"changes"`
	Large        uint64 `json:"large"`
	// Fences counts the messages that came back.
	Fences uint64 `json:"fences"`
	// Losses counts how often a server that was followed was lost.
	Losses uint64 `json:"losses"`
}

// New returns a Feed that follows nothing before Run.
func New(o Options) *Feed {
	o.defaults()
	now := time.Now()
	return &Feed{options: o, started: now, since: now}
}

// Run follows the database until the context ends, over and over again. It is called once.
func (f *Feed) Run(ctx context.Context) {
	for ctx.Err() == nil {
		err := f.follow(ctx)
		if ctx.Err() != nil {
			break
		}
		pause := f.options.Again
		if isPermanent(err) {
			pause *= 30
			f.set(feed.Refused, err)
		} else {
			f.set(feed.Lost, err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
	f.set(feed.Lost, ctx.Err())
}

// set changes the state.
func (f *Feed) set(s feed.State, reason error) {
	f.mu.Lock()
	if s != f.state {
		f.since = time.Now()
	}
	f.state, f.reason = s, reason
	text := s.String()
	if reason != nil {
		text = reason.Error()
	}
	news := text != f.logged
	f.logged = text
	f.mu.Unlock()
	switch log := f.options.Logger; {
	case !news || errors.Is(reason, context.Canceled):
	case s == feed.Live:
		log.Info("the database's log is followed: the cache hears of every write")
	case s == feed.Refused:
		log.Error("the database's log can't be followed: the cache falls to the level ttl", "error", reason)
	default:
		log.Warn("the database's log isn't followed: nothing is answered from the cache until it is", "error", reason)
	}
}

// waits tells what a Feed that isn't live waits for.
func (f *Feed) waits(reason error) {
	if f.State() == feed.Lost {
		f.set(feed.Lost, reason)
	}
}

// State returns the state.
func (f *Feed) State() feed.State {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

// Live reports whether everything that was committed Limit ago has been told. While it is false no answer cached at the
// level fenced may be served.
func (f *Feed) Live() bool { return f.State() == feed.Live && f.age() < f.options.Limit }

// age is how old what was last heard is.
func (f *Feed) age() time.Duration { return time.Since(f.started) - time.Duration(f.beat.Load()) }

// Fence returns a channel that is closed once everything that was committed before the call has been applied. When the
// server is lost it is closed too: by then all that was cached is gone. It is closed at once unless the state is Live.
func (f *Feed) Fence() <-chan struct{} {
	f.mu.Lock()
	fences := f.fences
	f.mu.Unlock()
	if fences == nil {
		done := make(chan struct{})
		close(done)
		return done
	}
	return fences.ask()
}

// Status is a Feed's state for people.
type Status struct {
	// State is live, lost or refused; Reason says why it isn't live.
	State  feed.State `json:"state"`
	Reason string     `json:"reason,omitempty"`
	Since  time.Time  `json:"since"`
	// LagMilliseconds is the time since the last message that came back was written: how old the cache may be at most.
	LagMilliseconds int64 `json:"lag_ms"`
	Totals
}

// Status returns the state and the counters.
func (f *Feed) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := Status{State: f.state, Since: f.since, Totals: f.totals}
	if f.state == feed.Live {
		s.LagMilliseconds = f.age().Milliseconds()
	} else if f.reason != nil {
		s.Reason = f.reason.Error()
	}
	return s
}

// forget has the Applier take everything as changed.
func (f *Feed) forget() {
	f.options.Applier.Prepare([]change.Change{{App: f.options.App, Kind: change.Purge}})()
}
