package caddymodule

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap/exp/zapslog"

	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/feed"
	"github.com/parsescale/parsescale/policies/feed/decoding"
	"github.com/parsescale/parsescale/policies/feed/livequery"
	"github.com/parsescale/parsescale/server/change"
)

// transport is a way to learn of what others write.
type transport interface {
	// Run follows the others until the context ends. It is called once.
	Run(context.Context)
	State() feed.State
}

// foreign learns of what others than bundled workers write to the app's database. All methods may be called on nil: the
// gateway then doesn't learn of it.
type foreign struct {
	cache *cache.Cache
	// level is what the cache can promise while the others are followed.
	level     cache.Level
	transport transport
	database  *decoding.Feed  // nil for another transport
	messages  *livequery.Feed // nil for another transport

	once   sync.Once
	cancel context.CancelFunc // nil before start
	done   chan struct{}
}

func newForeign(s *settings, c *cache.Cache) *foreign {
	log := caddy.Log().Named("parse") // the app outlives the config whose logger it would be
	logger := slog.New(zapslog.NewHandler(log.Core())).With("app", s.name)
	f := &foreign{cache: c, level: s.level, done: make(chan struct{})}
	if s.level == cache.Lossy {
		f.messages = livequery.New(livequery.Options{App: s.appID, Redis: s.feedRedis, Applier: c, Logger: logger})
		f.transport = f.messages
		return f
	}
	f.database = decoding.New(decoding.Options{App: s.appID, Config: s.feed, Applier: c, Logger: logger})
	f.transport = f.database
	return f
}

// start begins to follow the others, the first time it is called.
func (f *foreign) start() {
	if f == nil {
		return
	}
	f.once.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		f.cancel = cancel
		go func() {
			defer close(f.done)
			f.transport.Run(ctx)
		}()
	})
}

func (f *foreign) stop() {
	if f == nil || f.cancel == nil {
		return
	}
	f.cancel()
	<-f.done
}

// serving reports whether cached answers may be served. At the level fenced they may be old as soon as the database isn't
// followed; one that can't be followed forbids nothing, because the level is another one then.
func (f *foreign) serving() bool {
	return f == nil || f.database == nil || f.database.Live() || f.database.State() == feed.Refused
}

// storing is the level at which answers may be stored now: while the others aren't followed there is nothing to rely on but
// the own traffic. What a transport drops when it loses the others it drops after its state has changed; so an answer whose
// fill began at a level that still holds afterwards doesn't outlive that level.
func (f *foreign) storing() cache.Level {
	if f.transport.State() == feed.Live {
		return f.level
	}
	return cache.TTL
}

func (f *foreign) status() *decoding.Status {
	if f == nil || f.database == nil {
		return nil
	}
	s := f.database.Status()
	return &s
}

func (f *foreign) messageStatus() *livequery.Status {
	if f == nil || f.messages == nil {
		return nil
	}
	s := f.messages.Status()
	return &s
}

// fenceWait bounds how long the answer to a write waits for the database's log.
const fenceWait = time.Second

// await waits, after a write, until everything that was committed before has been applied to the cache: what the write
// named and what cloud code did besides. If that takes too long, nothing at all is kept in the cache until it is done.
func (f *foreign) await() {
	if f == nil || f.database == nil {
		return
	}
	fence := f.database.Fence()
	late := time.NewTimer(fenceWait)
	defer late.Stop()
	select {
	case <-fence:
	case <-late.C:
		finish := f.cache.Prepare([]change.Change{{Kind: change.Purge}})
		go func() {
			<-fence
			finish()
		}()
	}
}
