package postgres

import (
	"context"
	"errors"
	"time"
)

// keep looks at the claim until it is closed, and takes it again when its session is lost.
func (c *Claim) keep(s *claimSession) {
	defer close(c.ended)
	tick := time.NewTicker(c.o.Lease / 4)
	defer tick.Stop()
	var told time.Time
	for {
		if s != nil {
			if err := c.check(s); err != nil {
				s.close()
				s = nil
				c.lose(err)
			}
		}
		select {
		case <-c.ctx.Done():
			c.proven.Store(0)
			if s != nil {
				s.close()
			}
			return
		case <-tick.C:
		}
		if s == nil {
			var err error
			if s, err = c.try(c.ctx); err != nil {
				s = nil
				if c.ctx.Err() == nil && time.Since(told) > 10*time.Second {
					told = time.Now()
					c.log.Error("cannot take the claim on the database again; writes wait for it and nothing is served from the cache", "error", err)
				}
			} else {
				c.log.Info("the claim on the database is back")
			}
		}
	}
}

// lose ends all trust.
func (c *Claim) lose(err error) {
	if c.ctx.Err() != nil {
		return
	}
	c.proven.Store(0)
	c.settled.Store(false)
	c.o.Drop()
	c.log.Warn("lost the claim on the database; nothing is served from the cache until it is back", "error", err)
}

// check looks at the database once and draws the conclusions.
func (c *Claim) check(s *claimSession) error {
	begun := time.Since(c.start)
	seen, err := s.look()
	if err != nil {
		return err
	}
	c.proven.Store(int64(max(begun, 1)))
	c.letGo()
	if before := c.others.Swap(seen.others); seen.others > 0 && before == 0 {
		c.log.Warn("other programs are connected to a database that is configured as exclusive; if one of them writes, cached answers go stale", "sessions", seen.others)
	}
	strangers := seen.rivals + seen.unclaimed
	if c.o.Shared {
		// A gateway that is just leaving may have its lock and no session any more. One that is hidden stays.
		strangers = seen.unclaimed + min(seen.hidden, s.hidden)
		s.hidden = seen.hidden
		c.o.Looked(c.start.Add(begun), c.start.Add(s.taken), seen.gateways)
	}
	switch {
	case strangers > 0:
		if c.settled.Swap(false) {
			c.o.Drop()
			c.log.Warn("workers that this gateway doesn't hear of are connected to the database; nothing is served from the cache until they are gone", "sessions", strangers)
		}
		if seen.rivals > 0 && !c.o.Shared {
			if err := s.endRivals(c.name); err != nil {
				return err
			}
		}
	case !c.settled.Load() && begun-s.taken > c.o.Lease*3/2:
		c.o.Drop()
		c.settled.Store(true)
	}
	return nil
}

// EndSessions ends what a worker's process that is gone has left in the database, which may be a commit on its way, and
// returns once nothing of it can become visible any more. session is a name that Session made. It tries until ctx ends.
func (c *Claim) EndSessions(ctx context.Context, session string) error {
	for {
		left, err := c.endSessions(ctx, session)
		if err == nil && left == 0 {
			return nil
		}
		select {
		case <-time.After(c.o.Lease / 40):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

func (c *Claim) endSessions(ctx context.Context, session string) (left int64, err error) {
	s, err := c.connect(ctx)
	if err != nil {
		return 0, err
	}
	defer s.close()
	return s.end(session)
}
