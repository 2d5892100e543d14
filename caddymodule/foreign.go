package caddymodule

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap/exp/zapslog"

	"github.com/parsescale/parsescale/policies/cache"
	"github.com/parsescale/parsescale/policies/feed/decoding"
	"github.com/parsescale/parsescale/server/change"
)

// foreign learns of what others than bundled workers write to the app's database. All methods may be called on nil: the
// gateway then doesn't learn of it.
type foreign struct {
	cache *cache.Cache
	feed  *decoding.Feed

	once   sync.Once
	cancel context.CancelFunc // nil before start
	done   chan struct{}
}

func newForeign(s *settings, c *cache.Cache) *foreign {
	log := caddy.Log().Named("parse") // the app outlives the config whose logger it would be
	return &foreign{cache: c, done: make(chan struct{}), feed: decoding.New(decoding.Options{
		App: s.appID, Config: s.feed, Applier: c,
		Logger: slog.New(zapslog.NewHandler(log.Core())).With("app", s.name),
	})}
}

// start begins to follow the database, the first time it is called.
func (f *foreign) start() {
	if f == nil {
		return
	}
	f.once.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		f.cancel = cancel
		go func() {
			defer close(f.done)
			f.feed.Run(ctx)
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

// refused reports whether the database can't be followed, so that there is nothing to rely on but the own traffic.
func (f *foreign) refused() bool { return f != nil && f.feed.State() == decoding.Refused }

// serving reports whether cached answers may be served. A database that can't be followed doesn't forbid it: the level is
// another one then.
func (f *foreign) serving() bool {
	return f == nil || f.feed.Live() || f.refused()
}

func (f *foreign) status() *decoding.Status {
	if f == nil {
		return nil
	}
	s := f.feed.Status()
	return &s
}

// fenceWait bounds how long the answer to a write waits for the database's log.
const fenceWait = time.Second

// await waits, after a write, until everything that was committed before has been applied to the cache: what the write
// named and what cloud code did besides. If that takes too long, nothing at all is kept in the cache until it is done.
func (f *foreign) await() {
	if f == nil {
		return
	}
	fence := f.feed.Fence()
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
