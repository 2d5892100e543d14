package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// A row without a result is a claim: the write wasn't done, and may be. So may one whose time is over. Who does it takes
	// the place of the very row that was seen, by its mark; every claim makes a new one, so that what was sent before and
	// arrives later fails.
	mark        = `(extract(epoch FROM expires) * 1000000)::bigint::text`
	selectKnown = `SELECT result, result IS NOT NULL AND expires >= $2::timestamptz, ` + mark + ` FROM parsescale._write WHERE id = $1::text`
	insertKnown = `INSERT INTO parsescale._write (id, result, expires) VALUES ($1::text, $2::bytea, $3::timestamptz)`
	claimKnown  = `INSERT INTO parsescale._write AS w (id, expires) VALUES ($1::text, $2::timestamptz)
		ON CONFLICT (id) DO UPDATE SET result = NULL, expires = greatest(excluded.expires, w.expires + interval '1 microsecond')
		WHERE w.result IS NULL OR w.expires < $3::timestamptz RETURNING ` + mark
	updateKnown = `UPDATE parsescale._write SET result = $2::bytea, expires = $3::timestamptz WHERE id = $1::text AND ` + mark + ` = $4::text`
	sweepKnown  = `DELETE FROM parsescale._write WHERE expires < $1::timestamptz`
)

var (
	sqlKnown       = []byte(selectKnown)
	sqlInsertKnown = []byte(insertKnown)
	sqlClaimKnown  = []byte(claimKnown)
	sqlUpdateKnown = mustChange([]byte(updateKnown))
	sqlSweep       = []byte(sweepKnown)
)

// Written implements storage.Store. It asks the primary: no replica is sure to know.
func (s *Store) Written(ctx context.Context, id string) (result []byte, found bool, err error) {
	if err := s.gate.Enter(); err != nil {
		return nil, false, err
	}
	defer s.gate.Leave()
	err = s.use(ctx, func(c *conn) error {
		stop := c.watch(ctx)
		defer stop()
		result, found = nil, false
		c.send(sqlKnown, []int16{binaryFormat}, id, instant(s.options.Clock()))
		if err := c.sync(); err != nil {
			return err
		}
		err := c.rows(func(row [][]byte) {
			if found = len(row[1]) == 1 && row[1][0] == 1; found {
				result = append([]byte{}, row[0]...)
			}
		})
		return errors.Join(err, c.end())
	})
	if err != nil {
		return nil, false, fmt.Errorf("cannot look a write id up: %w", err)
	}
	return result, found, nil
}

// sweepEvery is how often expired write ids are deleted.
const sweepEvery = 30 * time.Second

// sweep deletes expired write ids, now and then. Nobody waits for that.
func (s *Store) sweep() {
	now := s.options.Clock()
	last := s.sweeping.Load()
	if now.UnixMilli()-last < sweepEvery.Milliseconds() || !s.sweeping.CompareAndSwap(last, now.UnixMilli()) {
		return
	}
	if s.gate.Enter() != nil {
		return
	}
	go func() {
		defer s.gate.Leave()
		err := s.within(s.closing, sweepEvery, func(c *conn) error { return c.exec(sqlSweep, instant(now)) })
		if err != nil && s.closing.Err() == nil {
			s.options.Logger.Warn("cannot delete expired write ids", "error", err)
		}
	}()
}
