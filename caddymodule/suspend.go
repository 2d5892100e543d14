package caddymodule

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
)

// stopTimeout bounds how long the workers may take to end while requests wait. None has a request any more; it may have letters
// that a mail server doesn't take at the moment, which it would try again for half a minute.
const stopTimeout = 5 * time.Second

// suspend ends the app's workers and gives its database free, so that another process can take it. Until either function
// is called, once, no other settings can be applied: resume starts the workers again, and giveUp leaves it at that.
func (g *gateway) suspend(log *zap.Logger) (resume func() error, giveUp func(), err error) {
	g.changing.Lock()
	sup, s := g.supervisor(), g.current()
	if sup == nil || s == nil {
		return func() error { g.changing.Unlock(); return nil }, g.changing.Unlock, nil
	}
	g.endScaling()
	ctx, cancel := context.WithTimeout(context.Background(), min(s.drainTimeout(), stopTimeout))
	defer cancel()
	err = errors.Join(sup.Stop(ctx), g.claim.Close())
	g.mu.Lock()
	g.sup = nil
	g.mu.Unlock()
	resume = func() error {
		defer g.changing.Unlock()
		g.cache.Purge("", "") // whoever had the database meanwhile was to write nothing, but could
		return g.startWorkers(s, g.options, slog.New(zapslog.NewHandler(log.Core())))
	}
	return resume, g.changing.Unlock, err
}
