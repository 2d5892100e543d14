package postgres

import (
	"context"
	"errors"

	"github.com/parsescale/parsescale/server/storage"
)

// Reads are tried this often: first with the known schema; after optimistic tries the schema is read in the snapshot
// itself, so that it can't be the wrong one.
const (
	optimisticReads = 3
	maxReads        = 6
)

// Read implements storage.Store.
func (s *Store) Read(ctx context.Context, f func(storage.Snapshot) error) error {
	if err := ctx.Err(); err != nil {
		return err // else a quick answer might come before the question is called off
	}
	if err := s.gate.Enter(); err != nil {
		return err
	}
	defer s.gate.Leave()
	if r, at := s.replica(ctx); r != nil {
		err, broke := s.read(ctx, source{pool: r.pool, replica: r, at: at}, s.catalog.Load(), false, &snapshot{}, f)
		switch {
		case broke == nil:
			r.behind.Store(0)
			r.answered.Add(1)
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		s.failed(r, broke)
	}
	fresh, patient, apart := false, false, false
	for try := 1; ; try++ {
		cat, sn := s.catalog.Load(), &snapshot{patient: patient}
		if !fresh && !apart {
			sn.sharing = s
		}
		err, broke := s.read(ctx, source{pool: s.primary, fresh: fresh}, cat, try > optimisticReads, sn, f)
		if ctx.Err() != nil && broke != nil {
			return ctx.Err()
		}
		switch {
		case broke == nil:
			return err
		case try == maxReads:
			return unavailable(broke)
		case errors.Is(broke, errOver):
			patient = true
		case errors.Is(broke, errApart):
			apart = true
		case errors.Is(broke, storage.ErrUnavailable):
			return broke // there is no connection
		case lost(broke):
			if fresh {
				return unavailable(broke)
			}
			fresh = true
			s.primary.drop()
		case errors.Is(broke, errStale), stale(broke):
			if err := s.reload(ctx, cat); err != nil {
				return err
			}
		case err == nil:
			return broke
		default:
			return err
		}
	}
}

// source is where a snapshot is taken from.
type source struct {
	*pool
	fresh   bool     // by a new connection
	replica *replica // nil: from the primary
	at      position // that the replica must have reached
}

// read calls f once with a snapshot. broke is what went wrong with the snapshot itself, whatever f made of that.
func (s *Store) read(ctx context.Context, from source, cat *catalog, within bool, sn *snapshot, f func(storage.Snapshot) error) (err, broke error) {
	finished := false
	defer func() {
		sn.release()
		if sn.conn == nil {
			return
		}
		if !finished {
			sn.conn.close() // f panicked, or ended its goroutine
		}
		from.give(sn.conn)
	}()
	sn.catalog = cat
	sn.take = func() (*conn, error) { return from.take(ctx, from.fresh) }
	sn.first = func() { sn.conn.send(sqlBeginRead, nil) }
	sn.begun = func() error { return sn.conn.rest() }
	if from.replica != nil {
		sn.guard(from.at)
	}
	if within {
		if err = sn.connect(); err == nil {
			sn.first, sn.checked = nil, true
			sn.catalog, err = s.beginWith(sn.conn)
		}
		if err != nil {
			finished = true
			return err, err
		}
	}
	err = f(sn)
	finished = true
	broke = sn.settle()
	s.leave(sn)
	if stale(broke) && sn.conn != nil {
		sn.conn.forget()
	}
	return err, broke
}

// beginWith begins a transaction and reads the schema in it.
func (s *Store) beginWith(c *conn) (*catalog, error) {
	defer c.watch(context.Background())()
	c.send(sqlBeginRead, nil)
	askCatalog(c)
	if err := c.sync(); err != nil {
		return nil, err
	}
	if err := c.rest(); err != nil {
		return nil, errors.Join(err, c.end())
	}
	cat, err := readCatalog(c)
	return cat, errors.Join(err, c.end())
}

// leave ends the transaction of a snapshot. Nobody waits for that: whoever uses the connection next reads the answer.
func (s *Store) leave(sn *snapshot) {
	c := sn.conn
	if c == nil || c.broken != nil || c.status == 'I' {
		return
	}
	c.send(sqlCommit, nil)
	_ = c.sync() // a lost connection is seen by who uses it next
}
