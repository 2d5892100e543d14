package livequery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/parsescale/parsescale/policies/feed"
	"github.com/parsescale/parsescale/server/change"
)

// Options say what a Feed listens to and how.
type Options struct {
	// App is the application id that the Parse Servers publish under. Default: any; another app's messages then cost hits.
	App string
	// Redis is the server that the Parse Servers publish to.
	Redis *redis.Options
	// Applier is told of the changes.
	Applier feed.Applier
	// Window is for how long two writes to one object count as overlapping: no less than the longest request. Default 30 s.
	Window time.Duration
	// MaxObjects is how many objects' recent writes are remembered. Past it everything is unknown for a Window. Default
	// 10,000.
	MaxObjects int
	// MaxMessage is the largest message that is read, in bytes; a larger one counts as a change of everything. Default 1 MiB.
	MaxMessage int
	// Beat is the time between two questions whether the server is still there. Default 1 s.
	Beat time.Duration
	// Again is how long the Feed waits before it tries again to listen to a server that it lost. Default 1 s.
	Again time.Duration
	// Logger is told of changes of the state. Default slog.Default().
	Logger *slog.Logger
}

// Feed listens to one Redis server. All methods are safe for concurrent use.
type Feed struct {
	options Options
	recent  recent // of the goroutine that listens

	mu     sync.Mutex
	status Status
}

// Status is a Feed's state for people.
type Status struct {
	// State is live or lost; Reason says why it is lost.
	State  feed.State `json:"state"`
	Reason string     `json:"reason,omitempty"`
	Since  time.Time  `json:"since"`
	// Messages counts the messages that were heard, Unread those among them that count as a change of everything, because
	// they were too large or made no sense.
	Messages uint64 `json:"messages"`
	Unread   uint64 `json:"unread"`
	// Losses counts how often a server that was listened to was lost.
	Losses uint64 `json:"losses"`
}

// New returns a Feed that listens to nothing before Run.
func New(o Options) *Feed {
	o.Window = cmp.Or(o.Window, 30*time.Second)
	o.MaxObjects = cmp.Or(o.MaxObjects, 10_000)
	o.MaxMessage = cmp.Or(o.MaxMessage, 1<<20)
	o.Beat = cmp.Or(o.Beat, time.Second)
	o.Again = cmp.Or(o.Again, time.Second)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Feed{options: o, recent: newRecent(o.Window, o.MaxObjects), status: Status{Since: time.Now()}}
}

// Run listens until the context ends, over and over again. It is called once.
func (f *Feed) Run(ctx context.Context) {
	for ctx.Err() == nil {
		f.lost(f.listen(ctx))
		timer := time.NewTimer(f.options.Again)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// State returns the state.
func (f *Feed) State() feed.State { return f.Status().State }

// Status returns the state and the counters.
func (f *Feed) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

// live is called when every message from now on will be heard.
func (f *Feed) live() {
	f.forget()
	f.mu.Lock()
	f.status.State, f.status.Reason, f.status.Since = feed.Live, "", time.Now()
	f.mu.Unlock()
	f.options.Logger.Info("Parse Server's LiveQuery messages are heard")
}

// lost is called when messages may have been missed: what is cached is dropped, after the state has changed.
func (f *Feed) lost(reason error) {
	f.mu.Lock()
	was := f.status.State
	news := was == feed.Live || f.status.Reason != reason.Error()
	f.status.State, f.status.Reason = feed.Lost, reason.Error()
	if was == feed.Live {
		f.status.Since = time.Now()
		f.status.Losses++
	}
	f.mu.Unlock()
	if was == feed.Live {
		f.forget()
	}
	if news && !errors.Is(reason, context.Canceled) {
		f.options.Logger.Warn("Parse Server's LiveQuery messages aren't heard: the cache falls to the level ttl", "error", reason)
	}
}

// forget has the Applier take everything as changed.
func (f *Feed) forget() {
	f.options.Applier.Prepare([]change.Change{{App: f.options.App, Kind: change.Purge}})()
}

const afterSave, afterDelete = "afterSave", "afterDelete"

// errGap: the connection was made anew without being asked for, or the server is silent.
var errGap = errors.New("messages may have been missed")

// listen listens as long as that goes well.
func (f *Feed) listen(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	o := *f.options.Redis
	o.MaxRetries = -1
	client := redis.NewClient(&o)
	var channels *redis.PubSub
	if f.options.App == "" {
		channels = client.PSubscribe(ctx, "*"+afterSave, "*"+afterDelete)
	} else {
		channels = client.Subscribe(ctx, f.options.App+afterSave, f.options.App+afterDelete)
	}
	var running sync.WaitGroup
	defer func() {
		cancel(nil)
		running.Wait()
		_ = channels.Close() // it may be broken already
		_ = client.Close()
	}()
	const confirmations = 2
	silence := 3 * f.options.Beat
	for confirmed := 0; ; {
		message, err := channels.ReceiveTimeout(ctx, silence)
		if err != nil {
			return fmt.Errorf("cannot hear Parse Server's LiveQuery messages from Redis: %w", cmp.Or(context.Cause(ctx), err))
		}
		switch m := message.(type) {
		case *redis.Subscription:
			if confirmed++; confirmed > confirmations {
				return errGap
			}
			if confirmed == confirmations {
				f.live()
				running.Go(func() { f.ask(ctx, channels, cancel) })
			}
		case *redis.Message:
			f.hear(m.Channel, m.Payload)
		}
	}
}

// ask asks at every beat whether the server is still there, and stops the listening when it can't or the context ends.
func (f *Feed) ask(ctx context.Context, channels *redis.PubSub, cancel context.CancelCauseFunc) {
	beat := time.NewTicker(f.options.Beat)
	defer beat.Stop()
	for {
		select {
		case <-beat.C:
			if err := channels.Ping(ctx); err != nil {
				cancel(err)
				_ = channels.Close() // ends the waiting for a message
				return
			}
		case <-ctx.Done():
			_ = channels.Close()
			return
		}
	}
}

// hear takes in one message. What it tells of was committed before it was sent.
func (f *Feed) hear(channel, payload string) {
	c, err := change.Change{}, errTooLarge
	if len(payload) <= f.options.MaxMessage {
		c, err = read(payload, strings.HasSuffix(channel, afterDelete))
	}
	if err == nil {
		f.recent.merge(&c, time.Now())
	} else {
		c = change.Change{Kind: change.Purge}
	}
	c.App = f.options.App
	f.options.Applier.Prepare([]change.Change{c})()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status.Messages++
	if err != nil {
		f.status.Unread++
	}
}
