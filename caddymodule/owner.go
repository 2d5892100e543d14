package caddymodule

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/parsescale/parsescale/caddymodule/supervisor"
	"github.com/parsescale/parsescale/policies/feed/peers"
	"github.com/parsescale/parsescale/server/change"
	"github.com/parsescale/parsescale/server/storage/postgres"
	"github.com/parsescale/parsescale/server/storage/sqlite"
)

// owner is the app's right to a database server, where its workers are the only ones who write there. Without one all is
// allowed: a file is claimed by a lock that can't be lost, and where others write the level says so.
type owner struct {
	claim atomic.Pointer[postgres.Claim]
	others
}

// Announce implements feed.Announcer: writes wait while the right isn't sure.
func (o *owner) Announce(changes []change.Change, proceed func()) (finish func()) {
	if n := o.node.Load(); n != nil {
		return n.Announce(changes, proceed) // it knows of the right by the looks at the roster
	}
	if c := o.claim.Load(); c != nil {
		return c.Announce(changes, proceed)
	}
	proceed()
	return func() {}
}

func (o *owner) settled() bool {
	c := o.claim.Load()
	return c == nil || c.Settled()
}

// takeClaim takes the app's database for this gateway: the file in which it is, or beside which the gateway keeps what
// belongs to it, and the database on its server if only the workers of this gateway, or of it and others, write there. sessions is nil without that.
func (g *gateway) takeClaim(s *settings, file string, log *slog.Logger) (held io.Closer, sessions supervisor.Sessions, err error) {
	lock, err := sqlite.Claim(file)
	if err != nil || !s.workers.Exclusive {
		return lock, nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	claim, err := postgres.TakeClaim(ctx, postgres.ClaimOptions{
		URI: s.workers.DatabaseURI, Logger: log, Drop: func() { g.cache.Purge("", "") },
		Shared: g.deployment.consistency != "", Looked: func(began, since time.Time, gateways []string) {
			if n := g.owner.node.Load(); n != nil {
				n.Looked(peers.Look{Began: began, Since: since, Members: gateways})
			}
		},
	})
	if err != nil {
		return nil, nil, errors.Join(err, lock.Close())
	}
	g.owner.claim.Store(claim)
	if g.deployment.consistency != "" {
		j, err := g.join(claim, log)
		if err != nil {
			return nil, nil, errors.Join(err, claim.Close(), lock.Close())
		}
		return closers{j, claim, lock}, claim, nil
	}
	return closers{claim, lock}, claim, nil
}

// closers are closed one after the other.
type closers []io.Closer

// Close implements io.Closer.
func (all closers) Close() error {
	var errs []error
	for _, c := range all {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
